-- Claim takes an order for an owner. Asked again by the owner that holds the claim, it gives the same
-- fence and a new lease, so that a reply may be lost.
--
-- KEYS[1]  the order's claim
-- ARGV[1]  owner
-- ARGV[2]  fingerprint of the command
-- ARGV[3]  lease, ms
-- ARGV[4]  retention, ms
--
-- Returns {'won', fence, sequence, snapshot}: the caller holds the order; '0' and '' without a snapshot
--         {'busy', ms}: another owner's lease still runs that long
--         {'reused', sequence, snapshot}: the order is known with another fingerprint
-- Busy and reused change nothing.

-- The first write comes first: a replica answers READONLY to it, and not from its old knowledge, and a
-- server whose memory is full answers OOM. After it Redis lets a script write in any case.
redis.call('HSETNX', KEYS[1], 'fence', '0')

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local record = redis.call('HMGET', KEYS[1], 'fingerprint', 'owner', 'lease_until', 'retention', 'fence', 'sequence', 'snapshot')
local fingerprint, owner = record[1], record[2]
local lease_until, retention = tonumber(record[3] or 0), tonumber(record[4] or 0)
local fence, sequence, snapshot = record[5], record[6] or '0', record[7] or ''

if fingerprint and fingerprint ~= ARGV[2] then
  return {'reused', sequence, snapshot}
end
local held = lease_until > 0 -- 0: given back, or never taken
if held and owner ~= ARGV[1] and lease_until > now then
  return {'busy', string.format('%.0f', lease_until - now)}
end
if not held or owner ~= ARGV[1] then
  fence = string.format('%.0f', tonumber(fence) + 1)
end
retention = math.max(retention, tonumber(ARGV[4])) -- what was promised before is kept
redis.call('HSET', KEYS[1],
  'fingerprint', ARGV[2],
  'fence', fence,
  'owner', ARGV[1],
  'lease_until', string.format('%.0f', now + tonumber(ARGV[3])),
  'retention', string.format('%.0f', retention))
redis.call('PEXPIRE', KEYS[1], string.format('%.0f', retention))
return {'won', fence, sequence, snapshot}
