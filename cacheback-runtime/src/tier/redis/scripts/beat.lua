#!lua flags=allow-oom
-- Tells the time. Flagged as a script that may write, which a replica refuses, and as one that a server without memory runs.
return redis.call('TIME')
