-- Complete keeps the payment as it stands and gives the claim back. Asked again by the owner that
-- completed last, it succeeds again, so that a reply may be lost.
--
-- KEYS[1]  the order's claim
-- ARGV[1]  owner
-- ARGV[2]  fence
-- ARGV[3]  sequence of the snapshot in the log, decimal without leading zeros
-- ARGV[4]  snapshot, any bytes
-- ARGV[5]  retention, ms
--
-- Returns 1, or 0 when the claim is not the caller's any more: taken, released or forgotten.

-- A write that changes nothing: a replica answers READONLY to it, and not from its old knowledge. Unlike
-- a claim it needs no memory, so that what was begun can end on a server whose memory is full.
redis.call('HDEL', KEYS[1], '')

local record = redis.call('HMGET', KEYS[1], 'owner', 'fence', 'lease_until', 'retention', 'sequence', 'done_by')
local caller = ARGV[2] .. ' ' .. ARGV[1]
local again = record[6] == caller
if record[1] ~= ARGV[1] or record[2] ~= ARGV[2] then
  return again and 1 or 0 -- again: it was done, and another owner came since
end
if record[3] == '0' and not again then
  return 0
end

local retention = record[4]
if tonumber(retention) < tonumber(ARGV[5]) then
  retention = ARGV[5]
end
local change = {'lease_until', '0', 'done_by', caller, 'retention', retention}
-- A sequence can be larger than what a Lua number holds exactly, so it is compared as text.
local stored = record[5]
if not stored or #ARGV[3] > #stored or (#ARGV[3] == #stored and ARGV[3] > stored) then
  change = {'lease_until', '0', 'done_by', caller, 'retention', retention, 'sequence', ARGV[3], 'snapshot', ARGV[4]}
end
redis.call('HSET', KEYS[1], unpack(change))
redis.call('PEXPIRE', KEYS[1], retention)
return 1
