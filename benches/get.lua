-- wrk: the same GET, with a token if there is one.
if os.getenv("TOKEN") then wrk.headers["Authorization"] = "Bearer " .. os.getenv("TOKEN") end
dofile(os.getenv("BENCHES") .. "/wrk.lua")
