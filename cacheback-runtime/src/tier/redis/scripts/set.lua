-- ARGV[3] and [4] the versions in the envelope, [5] the time to live in ms, [6] the envelope: a value, or a tombstone.
if stale ~= tonumber(ARGV[3]) or gone ~= tonumber(ARGV[4]) then
  return { 'versions', stale, gone }
end
local left = tonumber(ARGV[5])
if string.sub(ARGV[6], 6, 6) == TOMBSTONE and string.sub(head, 6, 6) == TOMBSTONE then
  left = math.max(left, redis.call('PTTL', KEYS[1]))
end
redis.call('SET', KEYS[1], numbered(ARGV[6], next_id), 'PX', string.format('%.0f', left))
redis.call('DEL', KEYS[2])
return { 'stored', stale, gone, next_id }
