-- Take tokens of every rule or of none, by this server's clock. With none needed and none wanted it only looks.
--
-- KEYS: the bucket of each rule. ARGV[1]: how many are needed now, how many are wanted in advance, and for each rule its
-- units per tick, units per token, capacity in units, and sliding slots (`bucket_spec.py`); a tick is a microsecond.
--
-- A bucket is the moment at which it is full: "ticks", or "ticks rest" where it is not a whole number of them. A sliding
-- limit (sliding_slots > 0) is the list of moments at which it admitted, the newest first.
--
-- Replies with the moment now, how many were taken (0: none, and nothing has changed), and for each rule what it lacks;
-- for a sliding one how many are used, the time until all are free, and until one is.
--
-- Numbers come and go as doubles, packed: as words of their own, to be read and written in digits, they cost this server
-- as much as the decision. PXAT and not PX, which it would rewrite into the other.

local call, floor, pack, unpack = redis.call, math.floor, struct.pack, struct.unpack
local time = call('TIME')
local now = time[1] * 1000000 + time[2]
local need, granted = unpack('<dd', ARGV[1])
local deficits = {}
if granted < need then granted = need end

for i = 1, #KEYS do
  local key = KEYS[i]
  local units_per_tick, units_per_token, capacity_units, sliding_slots = unpack('<dddd', ARGV[1], 32 * i - 15)
  local deficit, free = 0, 0
  if sliding_slots > 0 then
    deficit = call('LLEN', key)
    while deficit > 0 and call('LINDEX', key, -1) + units_per_token <= now do
      call('RPOP', key)
      deficit = deficit - 1
    end
    if deficit < sliding_slots then free = need end
  else
    local kept = call('GET', key)
    if kept then
      local ticks, rest = tonumber(kept), 0
      if not ticks then ticks, rest = string.match(kept, '^(%d+) (%d+)$') end
      deficit = (ticks - now) * units_per_tick + rest
      if deficit < 0 then deficit = 0 end
    end
    -- A bucket lacks more than it holds where its limit was a larger one until now.
    if deficit < capacity_units then free = floor((capacity_units - deficit) / units_per_token) end
    if granted > need and granted > free / 16 then
      granted = floor(free / 16)
      if granted < need then granted = need end
    end
  end
  if granted > free then granted = free end
  deficits[i] = deficit
end

local reply = pack('<dd', now, granted)
for i = 1, #KEYS do
  local key, deficit = KEYS[i], deficits[i]
  local units_per_tick, units_per_token, _, sliding_slots = unpack('<dddd', ARGV[1], 32 * i - 15)
  if sliding_slots > 0 then
    if granted > 0 then
      call('LPUSH', key, now)
      call('PEXPIREAT', key, floor((now + units_per_token) / 1000) + 1)
      deficit = deficit + 1
    end
    local newest, oldest = call('LINDEX', key, 0), call('LINDEX', key, -1)
    reply = reply .. pack('<ddd', deficit, newest and newest + units_per_token - now or 0, oldest and oldest + units_per_token - now or 0)
  else
    if granted > 0 then
      deficit = deficit + granted * units_per_token
      local rest = deficit % units_per_tick
      local full_at = now + (deficit - rest) / units_per_tick
      local kept = full_at
      if rest > 0 then kept = string.format('%.0f %.0f', full_at, rest) end
      call('SET', key, kept, 'PXAT', floor(full_at / 1000) + 1)
    end
    reply = reply .. pack('<d', deficit)
  end
end
return reply
