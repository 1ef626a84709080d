-- ARGV[4] token, [5] the number that was there when the lease was given, [6] and [7] the versions then, [8] for how
-- many ms it is kept, [9] the envelope, [10] the message, [11] '1': others may have an older value though it is not
-- here, [12] and [13] the age of the value, and when it was sent.
local is_held = state and state ~= 'b' and token ~= ARGV[4]
local is_outdated = stale > tonumber(ARGV[6]) or gone > tonumber(ARGV[7])
local is_changed = id ~= 0 and id ~= tonumber(ARGV[5])
if is_held or is_outdated or is_changed then
  return { 'superseded', stale, gone }
end
if id == 0 and token ~= ARGV[4] then
  -- Every change ends the lease. There may have been one that was lost, with its tombstone.
  return { 'unfenced', stale, gone }
end
put(ARGV[9], next_id, left_of(ARGV[8], ARGV[12], ARGV[13]))
-- Its own lease, or the back-off of another process, which a success ends.
redis.call('DEL', KEYS[2])
-- Nobody else has an older value, or waits for this one: then nobody is told.
if id ~= 0 or ARGV[11] == '1' or state and string.sub(lease, 30, 30) == '\1' then
  publish(ARGV[10], next_id)
end
return { 'stored', stale, gone, next_id }
