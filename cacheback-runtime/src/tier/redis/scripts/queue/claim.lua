-- Jobs that their workers have abandoned. KEYS[1] the stream of a line. ARGV[1] the worker, [2] after how many ms under way
-- a job is abandoned, [3] the most jobs. Returns id, job, how often it was given back, how often it was delivered.
local claimed = redis.pcall('XAUTOCLAIM', KEYS[1], 'workers', ARGV[1], ARGV[2], '0-0', 'COUNT', ARGV[3])
local jobs = {}
if claimed.err then
  return jobs
end
for _, entry in ipairs(claimed[2]) do
  local id, fields = entry[1], entry[2]
  local pending = redis.call('XPENDING', KEYS[1], 'workers', id, id, 1)
  local deliveries = pending[1] and pending[1][4] or 1
  table.insert(jobs, { id, fields, deliveries })
end
return jobs
