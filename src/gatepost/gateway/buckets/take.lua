-- Take tokens of every rule or of none, by this server's clock. With none needed and none wanted it only looks.
--
-- KEYS: the bucket of each rule. ARGV: how many are needed now, how many are wanted in advance, and for each rule its
-- units, step, full and cells (`rules.py`); a tick is a microsecond.
--
-- A bucket is the moment at which it is full: "ticks", or "ticks rest" where it is not a whole number of them. A sliding
-- limit (cells > 0) is the list of moments at which it admitted, the newest first.
--
-- Answers with the moment now, how many were taken (0: none, and nothing has changed), and for each rule what it lacks;
-- for a sliding one how many are used, the time until all are free, and until one is.

local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local granted = 1 / 0
local lacks = {}
local answer = {now, 0}

for i, key in ipairs(KEYS) do
  local units, step, full, cells = tonumber(ARGV[4 * i - 1]), tonumber(ARGV[4 * i]), tonumber(ARGV[4 * i + 1]), tonumber(ARGV[4 * i + 2])
  if cells > 0 then
    local used = redis.call('LLEN', key)
    while used > 0 and redis.call('LINDEX', key, -1) + step <= now do
      redis.call('RPOP', key)
      used = used - 1
    end
    lacks[i] = used
    if used >= cells then granted = 0 end
    granted = math.min(granted, tonumber(ARGV[1]))
  else
    local kept = redis.call('GET', key)
    local lack = 0
    if kept then
      local ticks, rest = tonumber(kept), 0
      if not ticks then ticks, rest = string.match(kept, '^(%d+) (%d+)$') end
      lack = math.max(0, (ticks - now) * units + rest)
    end
    lacks[i] = lack
    local free = math.floor((full - lack) / step)
    local plenty = math.floor(free / 16)
    granted = math.min(granted, free, math.max(tonumber(ARGV[1]), math.min(tonumber(ARGV[2]), plenty)))
  end
end

answer[2] = granted
for i, key in ipairs(KEYS) do
  local units, step, cells = tonumber(ARGV[4 * i - 1]), tonumber(ARGV[4 * i]), tonumber(ARGV[4 * i + 2])
  if cells > 0 then
    if granted > 0 then
      redis.call('LPUSH', key, string.format('%.0f', now))
      redis.call('PEXPIRE', key, math.ceil(step / 1000) + 1)
      lacks[i] = lacks[i] + 1
    end
    local newest, oldest = redis.call('LINDEX', key, 0), redis.call('LINDEX', key, -1)
    answer[#answer + 1] = lacks[i]
    answer[#answer + 1] = newest and newest + step - now or 0
    answer[#answer + 1] = oldest and oldest + step - now or 0
  else
    local lack = lacks[i]
    if granted > 0 then
      lack = lack + granted * step
      local whole = math.floor(lack / units)
      local rest = lack - whole * units
      local kept = string.format('%.0f', now + whole)
      if rest > 0 then kept = kept .. string.format(' %.0f', rest) end
      redis.call('SET', key, kept, 'PX', math.ceil(whole / 1000) + 1)
    end
    answer[#answer + 1] = lack
  end
end
return answer
