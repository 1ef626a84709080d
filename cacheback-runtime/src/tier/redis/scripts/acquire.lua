-- ARGV[3] token, [4] the number that the caller has seen, [5] '1': a caller waits, [6] the time of a lease in ms,
-- [7] its state.
if is_value and id > tonumber(ARGV[4]) then
  return { 'newer', stale, gone, redis.call('PTTL', KEYS[1]), redis.call('GET', KEYS[1]) }
end
if state and token ~= ARGV[3] then
  local is_void = lease_stale < stale or lease_gone < gone
  local gives_way = ARGV[5] == '1' and state ~= 'r'
  if not is_void and not gives_way then
    redis.call('SETRANGE', KEYS[2], 29, '\1')
    return { 'theirs', stale, gone, redis.call('PTTL', KEYS[2]), state == 'b' and 1 or 0 }
  end
end
local granted = ARGV[7] .. ARGV[3] .. struct.pack('<I8I8I4', stale, gone, failures or 0) .. '\0'
redis.call('SET', KEYS[2], granted, 'PX', ARGV[6])
return { 'ours', stale, gone, id }
