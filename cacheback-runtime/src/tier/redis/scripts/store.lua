-- ARGV[3] token, [4] the number that was there when the lease was given, [5] and [6] the versions then, [7] the time to
-- live in ms, [8] the envelope.
local is_held = (state == 'r' or state == 'q') and token ~= ARGV[3]
local is_outdated = stale > tonumber(ARGV[5]) or gone > tonumber(ARGV[6])
local is_changed = id ~= 0 and id ~= tonumber(ARGV[4])
if is_held or is_outdated or is_changed then
  return { 'superseded', stale, gone }
end
if id == 0 and token ~= ARGV[3] then
  -- Every change ends the lease. There may have been one that was lost, with its tombstone.
  return { 'unfenced', stale, gone }
end
put(ARGV[8], next_id, ARGV[7])
-- Its own lease, or the back-off of another process, which a success ends.
redis.call('DEL', KEYS[2])
return { 'stored', stale, gone, next_id }
