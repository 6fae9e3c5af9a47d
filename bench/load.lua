-- wrk's script: sends requests that are ready in a file; at the end writes one line of JSON.
--
--   wrk -s load.lua URL -- FILE THREADS        one after the other, over and over
--   ... -- FILE THREADS once                   each of them once, then the run ends
--   ... -- FILE THREADS log QUOTA LOG          as the first, until a thread has QUOTA replies
--
-- FILE is a sequence of "<length>\n<bytes of a request>". Each of the THREADS has a part of it to
-- begin with. There is no response() unless there must be: it would make wrk build a string of
-- every reply, and the generator the bottleneck.
--
-- With "log" LOG gets a line a reply: when it came and how long it took, in microseconds of
-- CLOCK_MONOTONIC. That wants as many threads as connections: a thread has a state of its own, so
-- the reply that comes is the one to the request that went.

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

-- wrk's main thread sleeps for as long as it was told to; a signal wakes it.
local function finish()
    ffi.C.kill(ffi.C.getpid(), SIGINT)
    wrk.thread:stop()
end

function setup(thread)
    threads[#threads + 1] = thread
    thread:set("number", #threads)
end

local function read_requests(path)
    local found, file = {}, assert(io.open(path, "rb"))
    while true do
        local length = file:read("*n")
        if not length then break end
        file:read(1)
        found[#found + 1] = file:read(length)
    end
    file:close()
    return found
end

local function keep_times(quota, path)
    times, latencies, log_path = {}, {}, path
    local answered, begun, plain = 0, 0, request

    function request()
        begun = microseconds()
        return plain()
    end

    function response()
        local ended = microseconds()
        answered = answered + 1
        times[answered], latencies[answered] = ended, ended - begun
        if answered >= quota then finish() end
    end
end

function init(args)
    local requests, share = read_requests(args[1]), tonumber(args[2])
    local at = math.floor((number - 1) * #requests / share)
    local last = math.floor(number * #requests / share)

    function request()
        at = at % #requests + 1
        return requests[at]
    end

    if args[3] == "once" then
        function request()
            if at >= last then
                finish()
            else
                at = at + 1
            end
            return requests[at]
        end
    elseif args[3] == "log" then
        keep_times(tonumber(args[4]), args[5])
    end
end

local function write_log(path)
    local log = assert(io.open(path, "w"))
    for _, thread in ipairs(threads) do
        local ended, took = thread:get("times"), thread:get("latencies")
        for n = 1, #ended do
            log:write(string.format("%.0f %.0f\n", ended[n], took[n]))
        end
    end
    log:close()
end

function done(summary, latency)
    local path = threads[1]:get("log_path")
    if path then write_log(path) end
    local e = summary.errors
    io.write(string.format(
        '{"requests":%d,"seconds":%.6f,"bytes":%d,"connect":%d,"read":%d,"write":%d,' ..
        '"status":%d,"timeout":%d,"p50_us":%d,"p99_us":%d,"p999_us":%d,"max_us":%d}\n',
        summary.requests, summary.duration / 1e6, summary.bytes, e.connect, e.read, e.write,
        e.status, e.timeout, latency:percentile(50), latency:percentile(99),
        latency:percentile(99.9), latency.max))
end
