-- Release gives the claim back. It may be repeated. The fence stays for the retention: the next owner's shows
-- that there was one before. Nothing else does, because most records are those of orders that have ended.
--
-- KEYS[1]  the order's claim
-- ARGV[1]  owner
-- ARGV[2]  fence
--
-- Returns 1, or 0 when there was nothing of the caller's to give back.

-- A write that changes nothing: a replica answers READONLY to it, and not from its old knowledge. Unlike
-- a claim it needs no memory, so that what was begun can end on a server whose memory is full.
redis.call('HDEL', KEYS[1], '')

local record = redis.call('HMGET', KEYS[1], 'owner', 'fence', 'retention')
if record[1] ~= ARGV[1] or record[2] ~= ARGV[2] then
  return 0
end
redis.call('HDEL', KEYS[1], 'owner', 'lease_until', 'retention')
redis.call('PEXPIRE', KEYS[1], record[3])
return 1
