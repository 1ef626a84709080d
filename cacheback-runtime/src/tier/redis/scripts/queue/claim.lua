-- A job that its worker has abandoned. KEYS[1] the stream of a line. ARGV[1] the worker, [2] after how many ms under way a
-- job is abandoned. Returns nothing, or the id of one, its entry, and how often it was delivered since that was made.
local from = '0-0'
repeat
  -- It looks at a few entries at a time, however many of them are abandoned.
  local claimed = redis.pcall('XAUTOCLAIM', KEYS[1], 'workers', ARGV[1], ARGV[2], from, 'COUNT', 1)
  if claimed.err then
    return {}
  end
  local entry = claimed[2][1]
  if entry then
    local pending = redis.call('XPENDING', KEYS[1], 'workers', entry[1], entry[1], 1)
    return { entry[1], entry[2], pending[1] and pending[1][4] or 1 }
  end
  from = claimed[1]
until from == '0-0'
return {}
