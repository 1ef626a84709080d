-- KEYS[1] the versions of a scope; ARGV[1] the versions that the caller knows, which may have been lost here.
--
-- For a cluster, in whose scripts the versions are out of reach.
local stale, gone = struct.unpack('<I8I8', ARGV[1])
local stored_stale, stored_gone = 0, 0
local versions = redis.call('GET', KEYS[1])
if versions and #versions == 16 then
  stored_stale, stored_gone = struct.unpack('<I8I8', versions)
end
if stored_stale < stale or stored_gone < gone then
  stale, gone = math.max(stale, stored_stale), math.max(gone, stored_gone)
  -- A server without memory tells what it has.
  redis.pcall('SET', KEYS[1], struct.pack('<I8I8', stale, gone))
else
  stale, gone = stored_stale, stored_gone
end
return { 'versions', stale, gone }
