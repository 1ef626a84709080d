-- KEYS[1] the envelope, KEYS[2] the versions of its scope (but in a cluster); ARGV[1] the number of the value that the caller has ('0': none).
--
-- A script, because a server without memory serves no transaction.
local time = redis.call('TIME')
local left = redis.call('PTTL', KEYS[1])
local head = redis.call('GETRANGE', KEYS[1], 0, 83)
local versions = KEYS[2] and redis.call('GET', KEYS[2]) or false
local is_known = #head == 84 and struct.unpack('<I8', string.sub(head, 9, 16)) == tonumber(ARGV[1])
-- Its bytes are not sent again.
return { left, is_known and head or redis.call('GET', KEYS[1]), versions, time[1] * 1000000 + time[2] }
