-- ARGV[4] and [5] the versions in the envelope, [6] for how many ms it is kept, [7] the envelope: a value, or a tombstone,
-- [8] the number that an earlier try has left ('': this is the first), [9] the message, [10] to [13] how late it is,
-- [14] and [15] the age of a value, and when it was sent.
if ARGV[8] ~= '' and id ~= tonumber(ARGV[8]) then
  -- Somebody else has written since, and that stands.
  return { 'yielded', stale, gone, id }
end
local standing = order(ARGV[10], ARGV[11], ARGV[12], ARGV[13])
if standing == 'before' then
  return { 'yielded', stale, gone, id }
end
if standing == 'unsure' and is_value and string.sub(redis.call('GET', KEYS[1]), 85) == string.sub(ARGV[7], 85) then
  -- It was told before, and nobody has heard the answer.
  return { 'yielded', stale, gone, id }
end
local is_tombstone = string.sub(ARGV[7], 6, 6) == TOMBSTONE
local left = is_tombstone and tonumber(ARGV[6]) or left_of(ARGV[6], ARGV[14], ARGV[15])
if is_tombstone and string.sub(head, 6, 6) == TOMBSTONE then
  left = math.max(left, redis.call('PTTL', KEYS[1]))
end
local is_outdated = stale ~= tonumber(ARGV[4]) or gone ~= tonumber(ARGV[5])
if not is_tombstone and (is_outdated or standing == 'unsure') then
  -- The envelope would count as outdated. The older value is gone at once, as its writer may not come back. (The sum of
  -- this envelope is wrong, so it reads as nothing that has a number.) Or nobody knows which of two values is the newer
  -- one.
  local nothing = string.sub(ARGV[7], 1, 5) .. TOMBSTONE .. string.sub(ARGV[7], 7, 84)
  put(nothing, next_id, left)
  redis.call('DEL', KEYS[2])
  publish(ARGV[9], next_id, standing)
  return { standing == 'unsure' and 'unsure' or 'versions', stale, gone, next_id }
end
put(ARGV[7], next_id, left)
redis.call('DEL', KEYS[2])
publish(ARGV[9], next_id, standing)
return { standing == 'unsure' and 'unsure' or 'stored', stale, gone, next_id }
