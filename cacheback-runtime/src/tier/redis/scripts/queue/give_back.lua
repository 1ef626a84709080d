-- A job was not run. KEYS[1] the stream of a line. ARGV[1] the job's id, [2] the job, [3] how many workers it has ended.
if redis.call('XACK', KEYS[1], 'workers', ARGV[1]) == 1 then
  redis.call('XDEL', KEYS[1], ARGV[1])
  redis.call('XADD', KEYS[1], '*', 'job', ARGV[2], 'ended', ARGV[3])
  return 1
end
return 0
