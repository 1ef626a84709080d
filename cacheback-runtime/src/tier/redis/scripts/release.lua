-- ARGV[3] token, [4] the time of a back-off in ms (0: none), [5] its failures.
if token == ARGV[3] then
  if tonumber(ARGV[4]) > 0 then
    local marker = 'b' .. token .. struct.pack('<I8I8I4', lease_stale, lease_gone, tonumber(ARGV[5])) .. '\0'
    redis.call('SET', KEYS[2], marker, 'PX', ARGV[4])
  else
    redis.call('DEL', KEYS[2])
  end
end
return { 'released', stale, gone }
