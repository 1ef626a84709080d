-- KEYS leases; ARGV[1] the time of a lease in ms, and then the token of each.
for at = 1, #KEYS do
  local lease = redis.call('GETRANGE', KEYS[at], 0, 8)
  if string.sub(lease, 1, 1) ~= 'b' and string.sub(lease, 2) == ARGV[at + 1] then
    if string.sub(lease, 1, 1) ~= 'w' then
      redis.call('PEXPIRE', KEYS[at], ARGV[1])
    elseif redis.call('PTTL', KEYS[at]) > REMEMBERED then
      redis.call('PEXPIRE', KEYS[at], ARGV[1] + REMEMBERED)
    end
  end
end
return 'extended'
