-- A worker ends. KEYS[1] the stream of a line, [2] its workers. ARGV[1] the worker.
redis.call('ZREM', KEYS[2], ARGV[1])
local pending = redis.pcall('XPENDING', KEYS[1], 'workers', '-', '+', 1, ARGV[1])
if not pending.err and #pending == 0 then
  redis.pcall('XGROUP', 'DELCONSUMER', KEYS[1], 'workers', ARGV[1])
end
return 'left'
