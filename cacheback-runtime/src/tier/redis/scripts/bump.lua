-- KEYS[1] the versions of a scope; ARGV[1] the deadline, [2] the versions that the caller knows, [3] the channel of messages, [4] which one grows,
-- [5] the message, [6] how long ago it was made, in us.
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
if now > tonumber(ARGV[1]) then
  return { 'late', now }
end
local stale, gone = struct.unpack('<I8I8', ARGV[2])
local versions = redis.call('GET', KEYS[1])
if versions and #versions == 16 then
  local stored_stale, stored_gone = struct.unpack('<I8I8', versions)
  stale, gone = math.max(stale, stored_stale), math.max(gone, stored_gone)
end
if ARGV[4] == 'gone' then
  gone = math.max(now - tonumber(ARGV[6]), gone + 1)
else
  stale = math.max(now - tonumber(ARGV[6]), stale + 1)
end
redis.call('SET', KEYS[1], struct.pack('<I8I8', stale, gone))
-- The message has the version that has grown.
local grown = struct.pack('<I8', ARGV[4] == 'gone' and gone or stale)
redis.pcall('PUBLISH', ARGV[3], string.sub(ARGV[5], 1, 10) .. grown .. string.sub(ARGV[5], 19))
return { 'bumped', stale, gone }
