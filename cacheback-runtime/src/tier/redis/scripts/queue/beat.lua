-- A worker lives. KEYS[1] the stream of a line, [2] its workers, [3] its counters, [4] its dead jobs. ARGV[1] the worker,
-- [2] for how many ms it lives afterwards, [3] after how many ms without a word a consumer that has nothing under way is
-- forgotten, [4] after how many ms without a worker all of it is.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', now - tonumber(ARGV[2]))
redis.call('ZADD', KEYS[2], now, ARGV[1])
redis.pcall('XGROUP', 'CREATE', KEYS[1], 'workers', '0', 'MKSTREAM')
for _, consumer in ipairs(redis.call('XINFO', 'CONSUMERS', KEYS[1], 'workers')) do
  local about = {}
  for at = 1, #consumer, 2 do
    about[consumer[at]] = consumer[at + 1]
  end
  -- With something pending it stays: its jobs would be lost with it (redis #11567).
  if about.pending == 0 and about.idle > tonumber(ARGV[3]) and about.name ~= ARGV[1] then
    redis.call('XGROUP', 'DELCONSUMER', KEYS[1], 'workers', about.name)
  end
end
for _, key in ipairs(KEYS) do
  redis.call('PEXPIRE', key, ARGV[4])
end
return 'beaten'
