-- ARGV[4] the least time to live of a tombstone in ms, [5] the envelope of a tombstone, [6] the message, [7] to
-- [10] how late it is.
local standing = order(ARGV[7], ARGV[8], ARGV[9], ARGV[10])
if standing == 'before' then
  return { 'yielded', stale, gone, id }
end
local left = redis.call('PTTL', KEYS[1])
if is_value then
  local lifetime, retention = struct.unpack('<I8I8', string.sub(head, 41, 56))
  local age = retention - left
  if left < 0 or age < 0 then
    age = 0
  end
  redis.call('SETRANGE', KEYS[1], 5, INVALIDATED)
  redis.call('SETRANGE', KEYS[1], 8, struct.pack('<I8', next_id))
  redis.call('SETRANGE', KEYS[1], 40, struct.pack('<I8', math.min(lifetime, age)))
else
  put(ARGV[5], next_id, math.max(left, tonumber(ARGV[4])))
end
if state and state ~= 'b' then
  redis.call('DEL', KEYS[2])
end
publish(ARGV[6], next_id, standing)
return { standing == 'unsure' and 'unsure' or 'stored', stale, gone, next_id }
