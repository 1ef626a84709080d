-- A job has ended. KEYS[1] the stream of a line, [2] its counters. ARGV[1] the job, [2] how it has ended,
-- [3] for how many ms the counters are kept.
if redis.call('XACK', KEYS[1], 'workers', ARGV[1]) == 1 then
  redis.call('XDEL', KEYS[1], ARGV[1])
  local minute = math.floor(redis.call('TIME')[1] / 60)
  local counted = tonumber(redis.call('HGET', KEYS[2], 'minute') or 0)
  if counted ~= minute then
    local last = counted == minute - 1 and redis.call('HGET', KEYS[2], 'this') or 0
    redis.call('HSET', KEYS[2], 'minute', minute, 'last', last or 0, 'this', 0)
  end
  redis.call('HINCRBY', KEYS[2], 'this', 1)
  redis.call('HINCRBY', KEYS[2], ARGV[2], 1)
  redis.call('PEXPIRE', KEYS[2], ARGV[3])
  return 1
end
return 0
