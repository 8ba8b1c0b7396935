-- Renew makes the lease begin again. A lease that ran out and that no other owner took is renewed as well:
-- its owner is still the last one.
--
-- KEYS[1]  the order's claim
-- ARGV[1]  owner
-- ARGV[2]  fence
-- ARGV[3]  lease, ms
--
-- Returns 1, or 0 when the claim is not the caller's any more: taken, given back or forgotten.

-- A write that changes nothing: a replica answers READONLY to it, and not from its old knowledge. Unlike
-- a claim it needs no memory, so that what was begun can end on a server whose memory is full.
redis.call('HDEL', KEYS[1], '')

local record = redis.call('HMGET', KEYS[1], 'owner', 'fence', 'lease_until', 'retention')
if record[1] ~= ARGV[1] or record[2] ~= ARGV[2] or record[3] == '0' then
  return 0
end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local lease, retention = tonumber(ARGV[3]), tonumber(record[4])
redis.call('HSET', KEYS[1], 'lease_until', string.format('%.0f', now + lease))
redis.call('PEXPIRE', KEYS[1], string.format('%.0f', math.max(retention, lease)))
return 1
