-- wrk's script for the disk: as load.lua, but with the time of every single reply, and with an end
-- when so many requests are answered.
--
--   wrk -t N -c N -s timeline.lua URL -- FILE REQUESTS_A_THREAD LOG
--
-- Wants as many threads as connections: a thread has a state of its own, so the reply that comes is
-- the one to the request that went. LOG gets a line a reply: when it came and how long it took, in
-- microseconds; the clock is CLOCK_MONOTONIC.

local ffi = require("ffi")
ffi.cdef [[
    struct clock { long seconds, nanoseconds; };
    int clock_gettime(int clock, struct clock *now);
    int kill(int pid, int signal);
    int getpid(void);
]]
local MONOTONIC, SIGINT = 1, 2
local now = ffi.new("struct clock")
local threads = {}

local function microseconds()
    ffi.C.clock_gettime(MONOTONIC, now)
    return tonumber(now.seconds) * 1e6 + math.floor(tonumber(now.nanoseconds) / 1000)
end

function setup(thread)
    threads[#threads + 1] = thread
    thread:set("number", #threads)
end

function init(args)
    requests, times, latencies, answered = {}, {}, {}, 0
    quota, log_path = tonumber(args[2]), args[3]
    local file = assert(io.open(args[1], "rb"))
    while true do
        local length = file:read("*n")
        if not length then break end
        file:read(1)
        requests[#requests + 1] = file:read(length)
    end
    file:close()
    at = number % #requests
end

function request()
    at = at % #requests + 1
    begun = microseconds()
    return requests[at]
end

function response()
    local ended = microseconds()
    answered = answered + 1
    times[answered], latencies[answered] = ended, ended - begun
    if answered >= quota then
        -- wrk's main thread sleeps for as long as it was told to; this is how it is woken
        ffi.C.kill(ffi.C.getpid(), SIGINT)
        wrk.thread:stop()
    end
end

function done(summary, latency)
    local log = assert(io.open(threads[1]:get("log_path"), "w"))
    for _, thread in ipairs(threads) do
        local ended, took = thread:get("times"), thread:get("latencies")
        for n = 1, #ended do
            log:write(string.format("%.0f %.0f\n", ended[n], took[n]))
        end
    end
    log:close()
    local e = summary.errors
    io.write(string.format(
        '{"requests":%d,"seconds":%.6f,"bytes":%d,"connect":%d,"read":%d,"write":%d,' ..
        '"status":%d,"timeout":%d}\n', summary.requests, summary.duration / 1e6, summary.bytes,
        e.connect, e.read, e.write, e.status, e.timeout))
end
