"""The load generators: wrk, redis-benchmark and fio.

wrk and redis-benchmark wait for a reply before they send the next request on a connection. wrk
corrects its latencies for the requests that it did not send while a server stood still; the two
others do not, so their tails look better than they are.
"""
import json
import os
import re
import resource
import socket
import time

import programs
from process import Failure

HERE = os.path.dirname(os.path.abspath(__file__))
GRACE_SECONDS = 120
THREADS = max(1, (os.cpu_count() or 2) // 2)
ERRORS = ("connect", "read", "write", "status", "timeout")
REDIS_TRIAL = 2000
REDIS_BYTES_MAX = 1 << 30  # of one run, as they are all kept


def write_requests(path, requests, host):
    """The file that load.lua reads; the requests are made here, before the run."""
    with open(path, "wb") as file:
        for request in requests:
            data = request.render_bare(host)
            file.write(b"%d\n" % len(data) + data)


def timed(command, seconds):
    """Runs it; returns its output, the CPU seconds that it took and the wall seconds."""
    before, begun = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    out = programs.run(command, seconds + GRACE_SECONDS).decode()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return out, cpu, time.monotonic() - begun


def wrk(address, path, connections, seconds, limit=None):
    """One run of wrk, for a time or until about `limit` requests were sent."""
    threads = min(THREADS, connections)
    out, cpu, wall = timed(
        ["wrk", "-t%d" % threads, "-c%d" % connections, "-d%ds" % seconds, "--timeout", "20s", "-s",
         os.path.join(HERE, "load.lua"), "http://%s:%d/" % address, "--", path, str(threads)]
        + ([] if limit is None else [str(limit)]), seconds)
    result = report(out, path, connections)
    result["generator_cores"] = cpu / wall
    result["generator_share"] = cpu / wall / threads  # 1: it could not send more
    return result


def report(out, path, connections):
    """What load.lua wrote at the end of a run; a Failure if one reply was lost or is an error."""
    try:
        result = json.loads(out.strip().splitlines()[-1])
    except (ValueError, IndexError) as error:
        raise Failure("wrk did not report:\n" + out) from error
    result["per_second"] = result["requests"] / result["seconds"]
    errors = {kind: result.pop(kind) for kind in ERRORS}
    if any(errors.values()):
        with open(path, "rb") as file:
            first = file.read(300).split(b"\n", 1)[1].split(b"\r\n", 1)[0].decode()
        raise Failure("errors at %d connections: %s, of %d\n  request: %s, and others like it" % (
            connections, ", ".join("%s %d" % pair for pair in errors.items()),
            result["requests"], first))
    return result


def check_bytes(result, reply_bytes, connections, request):
    """As many bytes as whole replies of this length have; the last of each may be cut short."""
    low = result["requests"] * reply_bytes
    high = low + connections * reply_bytes
    if not low <= result["bytes"] <= high:
        raise Failure("%d replies have %d bytes, expected %d to %d\n  request: %s, and others like "
                      "it" % (result["requests"], result["bytes"], low, high, request))


def redis_fill(address, values):
    """Stores the keys that redis-benchmark asks for."""
    with socket.create_connection(address, 20) as sock, sock.makefile("rb") as replies:
        for n, value in enumerate(values):
            key = b"key:%012d" % n
            sock.sendall(b"*3\r\n$3\r\nSET\r\n$%d\r\n%s\r\n$%d\r\n%s\r\n"
                         % (len(key), key, len(value), value))
            if replies.readline() != b"+OK\r\n":
                raise Failure("redis refused a SET of %d bytes" % len(value))


def redis_benchmark(address, command, size, connections, keys, seconds):
    """One run, not pipelined. It takes a number of requests; a short trial says how many fill the
    time. CPU time per request is over both."""
    def once(requests):
        out, cpu, wall = timed(
            ["redis-benchmark", "-h", address[0], "-p", str(address[1]), "-c", str(connections),
             "-n", str(requests), "-d", str(size), "-r", str(keys), "-t", command, "--precision",
             "3"], seconds)
        out = out.replace("\r", "\n")
        steps = [(float(percent), float(ms)) for percent, ms in
                 re.findall(r"^([\d.]+)% <= ([\d.]+) milliseconds \(cumulative", out, re.M)]
        rate = re.search(r"throughput summary: ([\d.]+) requests", out)
        if not (steps and rate):
            raise Failure("redis-benchmark did not report:\n" + out)

        def percentile(wanted):
            return next((ms for percent, ms in steps if percent >= wanted), steps[-1][1]) * 1000
        return {"requests": requests, "per_second": float(rate.group(1)), "p50_us": percentile(50),
                "p99_us": percentile(99), "p999_us": percentile(99.9),
                "generator_share": cpu / wall}
    most = max(200, REDIS_BYTES_MAX // size)
    trial = min(REDIS_TRIAL, max(200, most // 20))
    count = max(trial, min(most, int(once(trial)["per_second"] * seconds)))
    return {**once(count), "counted": count + trial}


def fio(seconds, *arguments, enter=None):
    """A job of fio; returns its report and the latencies in microseconds. `enter` gets its id."""
    out = programs.run(["fio", "--name=bench", "--output-format=json", "--ioengine=psync",
                        "--thread", "--group_reporting", *arguments],
                       seconds + GRACE_SECONDS, enter=enter).decode()
    try:
        job = json.loads(out[out.index("{"):])["jobs"][0]
        part = max(job["read"], job["write"], key=lambda part: part["io_bytes"])
        steps = part["clat_ns"]["percentile"]
    except (ValueError, KeyError, IndexError) as error:
        raise Failure("fio did not report:\n" + out) from error
    return part, {name: steps[key] / 1000 for name, key in (
        ("p50_us", "50.000000"), ("p99_us", "99.000000"), ("p999_us", "99.900000"))}
