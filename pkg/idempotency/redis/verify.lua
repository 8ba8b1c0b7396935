-- Verify says whether the claim is still the caller's, and how long its lease still runs by the server's clock.
--
-- KEYS[1]  the order's claim
-- ARGV[1]  owner
-- ARGV[2]  fence
-- ARGV[3]  what must be left of the lease, ms
--
-- Returns 1; 0 when the claim is not the caller's any more or less of its lease is left; -1 when there is no record.

-- A write that changes nothing: a replica answers READONLY to it, and not from its old knowledge. Unlike
-- a claim it needs no memory, so that what was begun can end on a server whose memory is full.
redis.call('HDEL', KEYS[1], '')

local record = redis.call('HMGET', KEYS[1], 'owner', 'fence', 'lease_until')
if not record[2] then
  return -1
end
if record[1] ~= ARGV[1] or record[2] ~= ARGV[2] or record[3] == '0' then
  return 0
end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
return tonumber(record[3]) - now >= tonumber(ARGV[3]) and 1 or 0
