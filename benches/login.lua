-- wrk: logins of PEOPLE people, each with a code that nobody has sent before.
local people = tonumber(os.getenv("PEOPLE") or "10000")
local prefix = os.getenv("PREFIX") or "p"
local first = os.getenv("FIRST") == "1"
local threads = 0
function setup(thread)
  thread:set("id", threads)
  threads = threads + 1
end
function init()
  math.randomseed(id * 7919 + os.time())
  run, n = os.time() .. "x" .. id, 0
  wrk.method, wrk.path, wrk.headers["Content-Type"] = "POST", "/v1/login", "application/json"
end
function request()
  n = n + 1
  local who = first and (prefix .. run .. "x" .. n) or (prefix .. math.random(0, people - 1))
  return wrk.format(nil, nil, nil, '{"code":"' .. who .. "-" .. run .. "x" .. n .. '"}')
end
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
