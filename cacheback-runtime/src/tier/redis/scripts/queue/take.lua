-- Takes jobs that nobody has had, from one line after the other, so that none has two before the others have had one.
-- KEYS the streams of the lines. ARGV[1] the worker, [2] the most jobs, [3] and those that follow: the most of each
-- line. Returns for each job the number of its line, from 0 on, its id, and the entry. One that was given back after a
-- worker had ended with it is the last: it is not to have more beside it.
local most, left, taken = tonumber(ARGV[2]), {}, {}
for line = 1, #KEYS do
  left[line] = tonumber(ARGV[2 + line])
end
local has_taken = true
while has_taken do
  has_taken = false
  for line, stream in ipairs(KEYS) do
    if left[line] > 0 and #taken < most then
      -- Without a group there is no job: the next heartbeat makes it.
      local read = redis.pcall('XREADGROUP', 'GROUP', 'workers', ARGV[1], 'COUNT', 1, 'STREAMS', stream, '>')
      local entry = read and not read.err and read[1][2][1]
      if entry then
        table.insert(taken, { line - 1, entry[1], entry[2] })
        for at = 1, #entry[2], 2 do
          if entry[2][at] == 'ended' and entry[2][at + 1] ~= '0' then
            return taken
          end
        end
        left[line], has_taken = left[line] - 1, true
      else
        left[line] = 0
      end
    end
  end
end
return taken
