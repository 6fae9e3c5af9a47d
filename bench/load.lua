-- wrk's script: sends requests that are ready in a file, one after the other, from the beginning
-- again when all are sent; at the end writes one line of JSON.
--
--   wrk -s load.lua URL -- FILE
--
-- The file is a sequence of "<length>\n<bytes of a request>". There is no response(): it would
-- make wrk build a string of every reply, and the generator the bottleneck.

local threads = 0

function setup(thread)
    threads = threads + 1
    thread:set("number", threads)
end

function init(args)
    requests = {}
    local file = assert(io.open(args[1], "rb"))
    while true do
        local length = file:read("*n")
        if not length then break end
        file:read(1)
        requests[#requests + 1] = file:read(length)
    end
    file:close()
    -- each thread begins somewhere else
    at = math.floor((number - 1) * #requests / 4) % #requests
end

function request()
    at = at % #requests + 1
    return requests[at]
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
