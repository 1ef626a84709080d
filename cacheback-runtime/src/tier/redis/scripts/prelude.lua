-- Shared by all scripts that concern one key.
--
-- KEYS[1] the envelope, KEYS[2] the lease, KEYS[3] the versions of the scope: but in a cluster, where they lie elsewhere.
-- ARGV[1] the deadline in server time (us): a script that was delivered later changes nothing.
-- ARGV[2] the versions that the caller knows, which may have been lost here.
-- ARGV[3] the channel of messages.
--
-- A lease: state (r running, w running as a job of a worker, q queued, b back-off) | token 8 | stale 8 | gone 8 |
-- failures 4 | wanted 1 | workers that have ended with it 1.

local TOMBSTONE, INVALIDATED = '\51', '\85'

local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
if now > tonumber(ARGV[1]) then
  return { 'late', now }
end

-- The versions of the scope: the higher ones of those here and those that the caller knows.
local known_stale, known_gone = struct.unpack('<I8I8', ARGV[2])
local stale, gone = 0, 0
local versions = KEYS[3] and redis.call('GET', KEYS[3])
if versions and #versions == 16 then
  stale, gone = struct.unpack('<I8I8', versions)
end
if stale < known_stale or gone < known_gone then
  stale, gone = math.max(stale, known_stale), math.max(gone, known_gone)
  if KEYS[3] then
    redis.call('SET', KEYS[3], struct.pack('<I8I8', stale, gone))
  end
end

-- The envelope: its number (0: there is none), and whether it holds a value that is not gone.
local id, is_value = 0, false
local head = redis.call('GETRANGE', KEYS[1], 0, 83)
if #head == 84 and string.sub(head, 1, 3) == 'CBK' then
  id = struct.unpack('<I8', string.sub(head, 9, 16))
  is_value = string.sub(head, 6, 6) ~= TOMBSTONE and struct.unpack('<I8', string.sub(head, 65, 72)) >= gone
end
local next_id = math.max(now, id + 1)

local state, token, lease_stale, lease_gone, lease_left, failures
local deaths = 0
local lease = redis.call('GET', KEYS[2])
if lease and #lease == 31 then
  state, token = string.sub(lease, 1, 1), string.sub(lease, 2, 9)
  lease_stale, lease_gone, failures = struct.unpack('<I8I8I4', string.sub(lease, 10, 29))
  deaths = string.byte(lease, 31)
  if state == 'w' then
    lease_left = redis.call('PTTL', KEYS[2]) - REMEMBERED
    if lease_left <= 0 then
      state, token, failures, deaths = nil, nil, 0, math.min(deaths + 1, 255)
    end
  end
end

-- A change that is made late may have been made since this moment. 0: it is made now.
local since = 0

-- How a change that is made late stands to what is there, as `tier/late.rs` has it: 'before' or 'after' it, or 'unsure'.
-- `age` us ago ('': it is made now), and perhaps `doubt` us earlier; with this number it was `known` before, and what is
-- there with a number up to `over` is no later change.
local function order(age, doubt, known, over)
  if age == '' then
    return 'after'
  end
  -- All values may have been changed since.
  local least = now - tonumber(age) - tonumber(doubt)
  since = least
  local after = math.max(stale, gone) >= least and math.max(stale, gone) > 0 and 'unsure' or 'after'
  if id == 0 then
    -- What was told before is lost, and perhaps a later change with it.
    return known ~= '' and 'unsure' or after
  end
  if known ~= '' and id == tonumber(known) then
    return 'before'
  end
  if over ~= '' and id <= tonumber(over) then
    return after
  end
  if id > now then
    -- The server's clock was set back since.
    return 'unsure'
  end
  local made, began = now - tonumber(age), id
  if is_value then
    -- What was read from the origin before the change is from before it, whenever it was stored.
    local retention = struct.unpack('<I8', string.sub(head, 49, 56))
    began = now - (retention - redis.call('PTTL', KEYS[1])) * 1000
  elseif string.sub(head, 6, 6) == TOMBSTONE then
    -- Of a change that was made late itself: what its process has fetched for itself since then, it does not doubt.
    local own = struct.unpack('<I8', string.sub(head, 41, 48))
    began = own > 0 and own or id
  end
  if began > made then
    return 'before'
  end
  -- It may have been made stale after the change.
  return (id >= least or began >= least) and 'unsure' or after
end

-- What is left of a value that is kept for so many ms from its birth on, and was `age` us old as it was sent, at `sent` by
-- the server's clock as its process knows it. Rounded, a value is older than it is, and never younger.
local function left_of(kept, age, sent)
  local old = tonumber(age) + math.max(now - tonumber(sent), 0)
  return math.max(tonumber(kept) - math.ceil(old / 1000), 1)
end

-- Puts an envelope, with a number in it. It is patched in there, as each string that is made here is a copy of the value.
local function put(envelope, number, left)
  redis.call('SET', KEYS[1], envelope, 'PX', string.format('%.0f', left))
  redis.call('SETRANGE', KEYS[1], 8, struct.pack('<I8', number))
  if string.sub(envelope, 6, 6) == TOMBSTONE then
    redis.call('SETRANGE', KEYS[1], 40, struct.pack('<I8', since))
  end
end

-- Tells all processes of a change. A user without the right to the channel changes the key all the same. `standing`: if
-- nobody can tell whether it is the last change, it is one of no process, so that its own doubts what it has as well.
local function publish(message, number, standing)
  local head = standing == 'unsure' and string.sub(message, 1, 2) .. string.rep('\0', 8) or string.sub(message, 1, 10)
  redis.pcall('PUBLISH', ARGV[3], head .. struct.pack('<I8', number) .. string.sub(message, 19))
end
