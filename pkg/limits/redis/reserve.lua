-- Reserve takes one call out of a budget (the generic cell rate algorithm: the key holds when the budget
-- is whole again).
--
-- KEYS[1]  the budget
-- ARGV[1]  interval between two calls, us
-- ARGV[2]  burst
-- ARGV[3]  timeout, us, at most an hour
--
-- Returns {1, us}: the call is taken and must wait that long
--         {0, us}: it would have to wait that long, and nothing is taken

-- The first write comes first: a replica answers READONLY to it, and not from its old knowledge.
redis.call('SET', KEYS[1], '0', 'NX', 'PX', '1000')

local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local interval, timeout = tonumber(ARGV[1]), tonumber(ARGV[3])
local burst = interval * tonumber(ARGV[2])

local whole = tonumber(redis.call('GET', KEYS[1]))
if whole < now or whole > now + burst + 3600e6 then -- further than an hour: the clock was set back
  whole = now
end
whole = whole + interval
local wait = math.max(whole - burst - now, 0)
if wait > timeout then
  return {0, wait}
end
redis.call('SET', KEYS[1], string.format('%.0f', whole), 'PX', string.format('%.0f', (whole - now) / 1000 + 1000))
return {1, wait}
