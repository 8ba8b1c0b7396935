-- Raises the mark of how far the log was seen, unless the log has lost what the mark saw (events.LogMark.Lost).
--
-- KEYS[1]  the mark
-- ARGV     log, sequence, time in µs of what is seen now; time in µs at which a person accepted a log last, 0 for never
-- returns  1 when the log has all that was seen, else 0, and the mark that is kept: log, sequence, time in µs
local kept = redis.call('HMGET', KEYS[1], 'log', 'sequence', 'at')
local at = math.max(tonumber(ARGV[3]), tonumber(ARGV[4]))
if kept[1] then
  if tonumber(kept[3]) >= tonumber(ARGV[4]) then
    if kept[1] ~= ARGV[1] or tonumber(kept[2]) > tonumber(ARGV[2]) then
      return {0, kept[1], kept[2], kept[3]}
    end
  end
  at = math.max(at, tonumber(kept[3]))
end
local stored = string.format('%.0f', at)
redis.call('HMSET', KEYS[1], 'log', ARGV[1], 'sequence', ARGV[2], 'at', stored)
return {1, ARGV[1], ARGV[2], stored}
