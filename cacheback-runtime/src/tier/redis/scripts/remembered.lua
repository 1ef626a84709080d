-- For so many ms it is remembered that a worker has ended with a lease: the key of such a lease lasts so much longer.
local REMEMBERED = 600000

