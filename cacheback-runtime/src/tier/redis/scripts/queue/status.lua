-- The state of a line. KEYS[1] its stream, [2] its counters, [3] its dead jobs, [4] its workers. ARGV[1] for how many ms a
-- worker lives after its heartbeat.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local length, pending, last = redis.call('XLEN', KEYS[1]), 0, '0-0'
local groups = redis.pcall('XINFO', 'GROUPS', KEYS[1])
if not groups.err then
  for _, group in ipairs(groups) do
    local about = {}
    for at = 1, #group, 2 do
      about[group[at]] = group[at + 1]
    end
    if about.name == 'workers' then
      pending, last = about.pending, about['last-delivered-id']
    end
  end
end
local first = redis.call('XRANGE', KEYS[1], '(' .. last, '+', 'COUNT', 1)
local oldest = first[1] and math.max(now - tonumber(string.match(first[1][1], '^%d+')), 0) or -1
local counters = redis.call('HMGET', KEYS[2], 'done', 'failed', 'dropped', 'minute', 'this', 'last')
for at = 1, 6 do
  counters[at] = tonumber(counters[at] or 0)
end
local minute, into = math.floor(time[1] / 60), time[1] % 60
local rate = 0
if counters[4] == minute then
  rate = counters[5] + math.floor(counters[6] * (60 - into) / 60)
elseif counters[4] == minute - 1 then
  rate = math.floor(counters[5] * (60 - into) / 60)
end
local workers = redis.call('ZCOUNT', KEYS[4], now - tonumber(ARGV[1]) + 1, '+inf')
local dead = redis.call('LRANGE', KEYS[3], 0, -1)
return { math.max(length - pending, 0), pending, oldest, workers, rate, counters[1], counters[2], counters[3], now, dead }
