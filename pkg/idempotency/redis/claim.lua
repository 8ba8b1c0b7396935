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

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local record = redis.call('HMGET', KEYS[1], 'fingerprint', 'owner', 'lease_until', 'retention', 'fence', 'sequence', 'snapshot')
local fingerprint, owner = record[1], record[2]
local lease_until, retention = tonumber(record[3] or 0), record[4]
local fence, sequence, snapshot = record[5], record[6] or '0', record[7] or ''

-- Whoever is told "no" has the record tried with a write that changes nothing: a replica answers READONLY to
-- it, and not from its old knowledge, and a server whose memory is full answers OOM. A claim that is won is
-- such a write itself, and comes before any other: after the first one Redis lets a script write in any case.
local function no(answer)
  redis.call('HSETNX', KEYS[1], 'fence', '0')
  return answer
end
if fingerprint and fingerprint ~= ARGV[2] then
  return no({'reused', sequence, snapshot})
end
local held = lease_until > 0 -- 0: given back, or never taken
if held and owner ~= ARGV[1] and lease_until > now then
  return no({'busy', string.format('%.0f', lease_until - now)})
end
if not fence then
  fence = '1'
elseif not held or owner ~= ARGV[1] then
  fence = string.format('%.0f', tonumber(fence) + 1)
end
if not retention or tonumber(retention) < tonumber(ARGV[4]) then -- else what was promised before is kept
  retention = ARGV[4]
end
redis.call('HSET', KEYS[1],
  'fingerprint', ARGV[2],
  'fence', fence,
  'owner', ARGV[1],
  'lease_until', string.format('%.0f', now + tonumber(ARGV[3])),
  'retention', retention)
redis.call('PEXPIRE', KEYS[1], retention)
return {'won', fence, sequence, snapshot}
