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
dofile(os.getenv("BENCHES") .. "/wrk.lua")
