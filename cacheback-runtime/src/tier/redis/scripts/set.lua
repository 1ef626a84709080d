-- ARGV[4] and [5] the versions in the envelope, [6] the time to live in ms, [7] the envelope: a value, or a tombstone,
-- [8] the number that an earlier try has left ('': this is the first), [9] the message.
if ARGV[8] ~= '' and id ~= tonumber(ARGV[8]) then
  -- Somebody else has written since, and that stands.
  return { 'stored', stale, gone, id }
end
local is_tombstone = string.sub(ARGV[7], 6, 6) == TOMBSTONE
local left = tonumber(ARGV[6])
if is_tombstone and string.sub(head, 6, 6) == TOMBSTONE then
  left = math.max(left, redis.call('PTTL', KEYS[1]))
end
left = string.format('%.0f', left)
if not is_tombstone and (stale ~= tonumber(ARGV[4]) or gone ~= tonumber(ARGV[5])) then
  -- The envelope would count as outdated. The older value is gone at once, as its writer may not come back. (The sum of
  -- this envelope is wrong, so it reads as nothing that has a number.)
  local nothing = string.sub(ARGV[7], 1, 5) .. TOMBSTONE .. string.sub(ARGV[7], 7, 84)
  put(nothing, next_id, left)
  redis.call('DEL', KEYS[2])
  publish(ARGV[9], next_id)
  return { 'versions', stale, gone, next_id }
end
put(ARGV[7], next_id, left)
redis.call('DEL', KEYS[2])
publish(ARGV[9], next_id)
return { 'stored', stale, gone, next_id }
