-- Claim takes an order for an owner. Asked again by the owner that holds the claim, it gives the same
-- fence and a new lease, so that a reply may be lost.
--
-- KEYS[1]  the order's claim
-- ARGV[1]  owner
-- ARGV[2]  lease, ms
-- ARGV[3]  retention, ms
--
-- Returns {'won', fence}: the caller holds the order; the fence is 1 when no earlier owner is known
--         {'busy', ms}: another owner's lease still runs that long
-- Busy changes nothing. A lease that runs on for an hour, and for ten of the caller's leases, is none of a worker, and
-- is over: a record that was forged, or written by a clock far ahead, must not hold an order for ever.

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local record = redis.call('HMGET', KEYS[1], 'owner', 'lease_until', 'retention', 'fence')
local owner, lease_until, retention, fence = record[1], tonumber(record[2] or 0), record[3], record[4]

local held = lease_until > 0 -- 0: given back, or never taken
local longest = now + math.max(10 * tonumber(ARGV[2]), 3600000)
if held and owner ~= ARGV[1] and lease_until > now and lease_until <= longest then
  -- A write that changes nothing: a replica answers READONLY to it, and not from its old knowledge, and a
  -- server whose memory is full answers OOM. A claim that is won is such a write itself, and comes before any
  -- other: after the first one Redis lets a script write in any case.
  redis.call('HSETNX', KEYS[1], 'fence', '0')
  return {'busy', string.format('%.0f', lease_until - now)}
end
if not fence then
  fence = '1'
elseif not held or owner ~= ARGV[1] then
  fence = string.format('%.0f', tonumber(fence) + 1)
end
if not retention or tonumber(retention) < tonumber(ARGV[3]) then -- else what an owner before was promised is kept
  retention = ARGV[3]
end
redis.call('HSET', KEYS[1],
  'fence', fence,
  'owner', ARGV[1],
  'lease_until', string.format('%.0f', now + tonumber(ARGV[2])),
  'retention', retention)
redis.call('PEXPIRE', KEYS[1], retention)
return {'won', fence}
