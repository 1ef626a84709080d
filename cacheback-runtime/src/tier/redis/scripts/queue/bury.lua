-- A job is not run any more. KEYS[1] the stream of a line, [2] its counters, [3] its dead jobs. ARGV[1] the job's id,
-- [2] how many are kept, [3] how often it was delivered, [4] why, [5] for how many ms all of it is kept.
if redis.call('XACK', KEYS[1], 'workers', ARGV[1]) == 1 then
  redis.call('XDEL', KEYS[1], ARGV[1])
  local time = redis.call('TIME')
  local now, minute = time[1] * 1000 + math.floor(time[2] / 1000), math.floor(time[1] / 60)
  local counted = tonumber(redis.call('HGET', KEYS[2], 'minute') or 0)
  if counted ~= minute then
    local last = counted == minute - 1 and redis.call('HGET', KEYS[2], 'this') or 0
    redis.call('HSET', KEYS[2], 'minute', minute, 'last', last or 0, 'this', 0)
  end
  redis.call('HINCRBY', KEYS[2], 'this', 1)
  redis.call('HINCRBY', KEYS[2], 'dropped', 1)
  redis.call('RPUSH', KEYS[3], string.format('%d %d ', now, ARGV[3]) .. ARGV[4])
  redis.call('LTRIM', KEYS[3], -tonumber(ARGV[2]), -1)
  redis.call('PEXPIRE', KEYS[2], ARGV[5])
  redis.call('PEXPIRE', KEYS[3], ARGV[5])
  return 1
end
return 0
