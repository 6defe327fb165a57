-- What both loads have: a timetable, and a result that run.py reads.

-- At so many requests a second, LOAD; else as fast as they are answered. Each thread keeps a timetable of its own.
local ffi = require("ffi")
ffi.cdef("typedef struct { long s; long ns; } ts; int clock_gettime(int, ts *);")
local at, next_at = ffi.new("ts"), nil
local period = os.getenv("LOAD") and 2000 / tonumber(os.getenv("LOAD"))
if period then
  function delay()
    ffi.C.clock_gettime(1, at)
    local now = tonumber(at.s) * 1000 + tonumber(at.ns) / 1e6
    next_at = math.max((next_at or now) + period, now)
    return math.floor(next_at - now + math.random())
  end
end

function done(summary, latency)
  local errors = summary.errors
  io.write(string.format('RESULT {"requests":%d,"micros":%d,"bad":%d,"p50":%d,"p99":%d,"p999":%d}\n', summary.requests, summary.duration,
    errors.status + errors.connect + errors.read + errors.write + errors.timeout,
    latency:percentile(50), latency:percentile(99), latency:percentile(99.9)))
end
