-- Give tokens back, as far as they have not flown in meanwhile.
--
-- KEYS: the bucket of each rule. ARGV: how many tokens, and for each rule its units per tick, units per token and
-- sliding slots, and when the bucket
-- was to be full after they were taken: ticks and rest. Of a sliding limit that is the moment at which it admitted.

local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local count = tonumber(ARGV[1])

for i, key in ipairs(KEYS) do
  local units_per_tick, units_per_token, sliding_slots = tonumber(ARGV[5 * i - 3]), tonumber(ARGV[5 * i - 2]), tonumber(ARGV[5 * i - 1])
  local until_ticks, until_rest = tonumber(ARGV[5 * i]), tonumber(ARGV[5 * i + 1])
  if sliding_slots > 0 then
    redis.call('LREM', key, 1, ARGV[5 * i])
  else
    local kept = redis.call('GET', key)
    local amount = math.min(count * units_per_token, (until_ticks - now) * units_per_tick + until_rest)
    if kept and amount > 0 then
      local ticks, rest = tonumber(kept), 0
      if not ticks then ticks, rest = string.match(kept, '^(%d+) (%d+)$') end
      local deficit = (ticks - now) * units_per_tick + rest - amount
      if deficit <= 0 then
        redis.call('DEL', key)
      else
        local whole = math.floor(deficit / units_per_tick)
        rest = deficit - whole * units_per_tick
        local new = string.format('%.0f', now + whole)
        if rest > 0 then new = new .. string.format(' %.0f', rest) end
        redis.call('SET', key, new, 'PX', math.ceil(whole / 1000) + 1)
      end
    end
  end
end
return 1
