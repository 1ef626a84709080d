-- KEYS[1] the stream of a line, [2] its workers. ARGV[1] for how many ms a worker lives after its heartbeat, [2] the most
-- jobs that wait, [3] the job ('': none, the facts are asked for).
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local last = redis.call('ZRANGE', KEYS[2], -1, -1, 'WITHSCORES')
local seen = last[2] and math.max(now - tonumber(last[2]), 0) or -1
local length = redis.call('XLEN', KEYS[1])
local pending = redis.pcall('XPENDING', KEYS[1], 'workers')
if not pending.err then
  -- Jobs under way wait no more.
  length = math.max(length - pending[1], 0)
end
if ARGV[3] ~= '' and seen >= 0 and seen < tonumber(ARGV[1]) and length < tonumber(ARGV[2]) then
  redis.call('XADD', KEYS[1], '*', 'job', ARGV[3], 'ended', '0')
end
return { seen, length }
