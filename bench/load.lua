-- wrk's script: sends requests that were made before the run; at its end writes one line of JSON.
--
--   wrk -s load.lua URL -- FILE THREADS [LIMIT]
--
-- FILE is a sequence of "<length>\n<bytes of a request>". Each thread reads it once, in init(), and
-- begins in a part of its own; request() only picks the next. With LIMIT each thread sends its
-- share of so many requests, and the run ends when one has. There is no response(): with it wrk
-- would copy every reply into a Lua string.

local ffi = require("ffi")
ffi.cdef [[
    int kill(int pid, int signal);
    int getpid(void);
]]
local SIGINT = 2
local threads = 0

function setup(thread)
    threads = threads + 1
    thread:set("number", threads)
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

-- The first and the last item of this thread's part of `count`.
local function part(count, threads)
    return math.floor((number - 1) * count / threads), math.floor(number * count / threads)
end

-- wrk's main thread sleeps until the time is up; a signal wakes it.
local function finish()
    ffi.C.kill(ffi.C.getpid(), SIGINT)
    wrk.thread:stop()
end

function init(args)
    local requests, threads, limit = read_requests(args[1]), tonumber(args[2]), tonumber(args[3])
    local count, at = #requests, part(#requests, threads)

    function request()
        at = at % count + 1
        return requests[at]
    end

    if limit then
        local sent, last = part(limit, threads)
        function request()
            if sent >= last then finish() end
            sent = sent + 1
            at = at % count + 1
            return requests[at]
        end
    end
end

function done(summary, latency)
    local e = summary.errors
    io.write(string.format(
        '{"requests":%d,"seconds":%.6f,"bytes":%d,"connect":%d,"read":%d,"write":%d,' ..
        '"status":%d,"timeout":%d,"p50_us":%d,"p99_us":%d,"p999_us":%d,"max_us":%d}\n',
        summary.requests, summary.duration / 1e6, summary.bytes, e.connect, e.read, e.write,
        e.status, e.timeout, latency:percentile(50), latency:percentile(99),
        latency:percentile(99.9), latency.max))
end
