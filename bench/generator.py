"""The load generators, wrk and redis-benchmark: how they are run and what they report.

Both wait for a reply before they send the next request on a connection. wrk makes up for the
requests that it did not send while a server stood still: to a reply that took a hundred times as
long as the mean it adds the ninety-nine that would have waited with it. redis-benchmark does not,
so its tails look better than they are.
"""
import json
import os
import re
import resource
import time

import programs
from process import Failure

HERE = os.path.dirname(os.path.abspath(__file__))
GRACE_SECONDS = 60
THREADS = max(1, (os.cpu_count() or 2) // 2)
ERRORS = ("connect", "read", "write", "status", "timeout")


def write_requests(path, requests, host):
    """The file that load.lua reads."""
    with open(path, "wb") as file:
        for request in requests:
            data = request.render_bare(host)
            file.write(b"%d\n" % len(data) + data)


def timed(command, seconds):
    """Runs it; answers its output, the CPU seconds that it took and the wall seconds."""
    before, begun = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    out = programs.run(command, seconds + GRACE_SECONDS).decode()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return out, cpu, time.monotonic() - begun


def wrk_command(address, requests_path, threads, connections, seconds, *mode):
    """See load.lua for the modes."""
    return ["wrk", "-t%d" % threads, "-c%d" % connections, "-d%ds" % seconds, "--timeout", "20s",
            "-s", os.path.join(HERE, "load.lua"), "http://%s:%d/" % address, "--", requests_path,
            str(threads), *mode]


def wrk(address, requests_path, connections, seconds, *mode):
    """One run of wrk. Any error that it counts fails the run: not one reply may be lost."""
    threads = min(THREADS, connections)
    out, cpu, wall = timed(wrk_command(address, requests_path, threads, connections, seconds,
                                       *mode), seconds)
    result = report(out, requests_path, connections)
    result["generator_cpu"] = cpu / wall / threads  # 1: the generator could not do more
    return result


def report(out, requests_path, connections):
    """What load.lua wrote at the end of a run; a Failure if there was any error."""
    try:
        result = json.loads(out.strip().splitlines()[-1])
    except (ValueError, IndexError) as error:
        raise Failure("wrk did not report:\n" + out) from error
    result["per_second"] = result["requests"] / result["seconds"]
    if any(result[kind] for kind in ERRORS):
        with open(requests_path, "rb") as file:
            first = file.read(300).split(b"\n", 1)[1].split(b"\r\n", 1)[0].decode()
        raise Failure("errors at %d connections: %s, of %d\n  request: %s, and others like it" % (
            connections, ", ".join("%s %d" % (k, result[k]) for k in ERRORS), result["requests"],
            first))
    for kind in ERRORS:
        del result[kind]
    return result


def check_bytes(result, reply_bytes, connections, request):
    """As many bytes as whole replies of this length have; the last of each may be cut short."""
    low = result["requests"] * reply_bytes
    high = low + connections * reply_bytes
    if not low <= result["bytes"] <= high:
        raise Failure("%d replies have %d bytes, expected %d to %d\n  request: %s, and others like "
                      "it" % (result["requests"], result["bytes"], low, high, request))


def redis_benchmark(address, command, size, connections, requests, keys):
    """One run of redis-benchmark, not pipelined."""
    line = ["redis-benchmark", "-h", address[0], "-p", str(address[1]), "-c", str(connections),
            "-n", str(requests), "-d", str(size), "-r", str(keys), "-t", command,
            "--precision", "3"]
    out, cpu, wall = timed(line, 120)
    out = out.replace("\r", "\n")
    seconds = re.search(r"requests completed in ([\d.]+) seconds", out)
    steps = [(float(percent), float(ms)) for percent, ms in
             re.findall(r"^([\d.]+)% <= ([\d.]+) milliseconds \(cumulative", out, re.M)]
    rate = re.search(r"throughput summary: ([\d.]+) requests", out)
    if not (seconds and steps and rate):
        raise Failure("redis-benchmark did not report:\n" + out)

    def percentile(wanted):
        return next((ms for percent, ms in steps if percent >= wanted), steps[-1][1]) * 1000
    return {"requests": requests, "seconds": float(seconds.group(1)),
            "per_second": float(rate.group(1)), "p50_us": percentile(50),
            "p99_us": percentile(99), "p999_us": percentile(99.9), "max_us": steps[-1][1] * 1000,
            "generator_cpu": cpu / wall}
