-- ARGV[4] token, [5] the number that the caller has seen, [6] '1': a caller waits, [7] the time of a lease in ms,
-- [8] its state, [9] a value that is fresh for longer than so many ms is returned though it was seen ('': it is not),
-- [10] the token of a queued lease that the caller is to run ('': none), [11] the time of a queued lease in ms.
local is_fresh = false
-- One that was invalidated is not, even if the server's clock was set back since.
if is_value and string.sub(head, 6, 6) ~= INVALIDATED and ARGV[9] ~= '' then
  local lifetime, retention, value_stale = struct.unpack('<I8I8I8', string.sub(head, 41, 64))
  local left = redis.call('PTTL', KEYS[1])
  local age = retention - left
  local ahead = tonumber(ARGV[9])
  if ahead >= lifetime then
    ahead = lifetime / 2
  end
  is_fresh = left > 0 and age >= 0 and value_stale >= stale and age + ahead < lifetime
end
if is_value and (id > tonumber(ARGV[5]) or is_fresh) then
  return { 'newer', stale, gone, redis.call('PTTL', KEYS[1]), redis.call('GET', KEYS[1]) }
end
local is_job = ARGV[10] ~= ''
-- A back-off keeps the token of the job that has failed, and is no lease for it.
if state and (token ~= ARGV[4] or is_job and state == 'b') then
  local left = lease_left or redis.call('PTTL', KEYS[2])
  -- With more time left than a lease has it is one from before the server's clock was set back.
  local longest = 2 * tonumber(state == 'q' and ARGV[11] or ARGV[7])
  local is_void = lease_stale < stale or lease_gone < gone or state ~= 'b' and left > longest
  local gives_way
  if is_job then
    -- A void one is no job any more, for a later reader enqueues another.
    gives_way = state == 'q' and token == ARGV[10] and not is_void
  else
    gives_way = is_void or ARGV[6] == '1' and (state == 'q' or state == 'b')
  end
  if not gives_way then
    redis.call('SETRANGE', KEYS[2], 29, '\1')
    return { 'theirs', stale, gone, left, state == 'b' and 1 or 0, state == 'q' and token or '' }
  end
  if is_job and ARGV[8] == 'q' then
    -- No job waits any more: a worker may have ended with it before it began.
    deaths = math.min(deaths + 1, 255)
  end
elseif is_job and not state and id ~= tonumber(ARGV[5]) then
  -- The key was changed since the job was enqueued.
  return { 'theirs', stale, gone, 0, 0, '' }
end
local lasts = ARGV[8] == 'q' and ARGV[11] or ARGV[8] == 'w' and ARGV[7] + REMEMBERED or ARGV[7]
local granted = struct.pack('<I8I8I4', stale, gone, failures or 0) .. '\0' .. string.char(deaths)
redis.call('SET', KEYS[2], ARGV[8] .. ARGV[4] .. granted, 'PX', lasts)
return { 'ours', stale, gone, id, deaths }
