-- ARGV[4] token, [5] the time of a back-off in ms (0: none), [6] its failures.
if token == ARGV[4] then
  if tonumber(ARGV[5]) > 0 then
    local marker = 'b' .. token .. struct.pack('<I8I8I4', lease_stale, lease_gone, tonumber(ARGV[6])) .. '\0\0'
    -- A server without memory makes no marker, and frees the key all the same.
    if redis.pcall('SET', KEYS[2], marker, 'PX', ARGV[5]).err then
      redis.call('DEL', KEYS[2])
    end
  else
    redis.call('DEL', KEYS[2])
  end
end
return { 'released', stale, gone }
