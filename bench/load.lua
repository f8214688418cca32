-- Sends each line of a file in turn: one that starts with a slash as the path of a GET,
-- others as the body of a POST. Prints a report in JSON.
-- Arguments: the file; the number of requests per second, 0 for no limit.

local ffi = require("ffi")
ffi.cdef("struct moment { long s; long us; }; int gettimeofday(struct moment *, void *);")

local function now()
    local moment = ffi.new("struct moment")
    ffi.C.gettimeofday(moment, nil)
    return tonumber(moment.s) * 1000000 + tonumber(moment.us)
end

local threads = {}
local requests = {}
bodies_used = 0

function setup(thread)
    table.insert(threads, thread)
end

function init(args)
    wrk.headers["Content-Type"] = "application/json"
    for line in io.lines(args[1]) do
        if line:sub(1, 1) == "/" then
            requests[#requests + 1] = wrk.format("GET", line)
        else
            requests[#requests + 1] = wrk.format("POST", nil, nil, line)
        end
    end
    local rate = tonumber(args[2])
    if rate > 0 then
        -- All connections share one schedule: a slow response delays no other request.
        local due = now()
        function delay()
            due = due + 1000000 / rate
            return math.max(0, (due - now()) / 1000)
        end
    end
end

function request()
    bodies_used = bodies_used + 1
    return requests[(bodies_used - 1) % #requests + 1]
end

function done(summary, latency)
    local total = 0
    for _, thread in ipairs(threads) do
        total = total + thread:get("bodies_used")
    end
    local errors = summary.errors
    io.write(string.format(
        'report: {"bodies_used": %d, "requests": %d, "microseconds": %d, "bytes": %.0f, '
        .. '"connect": %d, "read": %d, "write": %d, "status": %d, "timeout": %d, '
        .. '"mean": %.1f, "p50": %.1f, "p99": %.1f}\n',
        total, summary.requests, summary.duration, summary.bytes,
        errors.connect, errors.read, errors.write, errors.status, errors.timeout,
        latency.mean, latency:percentile(50), latency:percentile(99)))
end
