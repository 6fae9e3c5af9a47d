"""Appends without pause, past what the page cache takes, beside fio writing one file.

Both write through the page cache and neither syncs, as the server promises no more. What is on the
disk at the end, after an fsync that is timed with the rest, is a figure of its own.
"""
import os
import shutil
import time

import fio
import generator
import ledger as protocol
import machine
import pages
import records
import usage
import users
from plan import progress
from servers import Rochefort, values_of
from table import size_text
from wire import Failure, converse

CONNECTIONS = 8
VALUES = 4
SECONDS_MAX = 900


def percentile(ordered, share):
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def read_log(path):
    """[(when it came, how long it took)], in microseconds."""
    with open(path) as file:
        return sorted(tuple(int(word) for word in line.split()) for line in file)


def timeline(log, value_bytes):
    """Second by second: throughput, and what the slowest one in a thousand took."""
    begin, seconds = log[0][0], {}
    for when, took in log:
        seconds.setdefault((when - begin) // 1000000, []).append(took)
    return [{"second": second, "mib": len(took) * value_bytes / (1 << 20),
             "p999_us": percentile(sorted(took), 0.999)}
            for second, took in sorted(seconds.items())]


def flushed(directory, begun, total):
    """MiB/s when all of it is on the disk."""
    pages.flush(directory)
    return total / (time.monotonic() - begun) / (1 << 20)


def append(context, size):
    """One bucket, hence one file and one disk thread, as fio has."""
    directory = context.fresh("write")
    server = Rochefort(context.rochefort, directory, "-buckets", "1")
    try:
        values = values_of(size)[:VALUES]
        converse(server.address, [users.filling_user([], "id", values[:1], None)])
        path, log_path = context.path("requests-write"), context.path("write.log")
        generator.write_requests(path, [protocol.append("id", value) for value in values],
                                 "%s:%d" % server.address)
        quota = max(1, context.bytes // (size + records.HEADER.size) // CONNECTIONS)
        command = ["wrk", "-t%d" % CONNECTIONS, "-c%d" % CONNECTIONS, "-d%ds" % SECONDS_MAX,
                   "--timeout", "60s", "-s", os.path.join(generator.HERE, "timeline.lua"),
                   "http://%s:%d/" % server.address, "--", path, str(quota), log_path]
        before, begun = usage.snapshot(server.pid), time.monotonic()
        out, generator_cpu, wall = generator.timed(command, SECONDS_MAX)
        result = generator.report(out, path, CONNECTIONS)
        used = usage.between(before, usage.snapshot(server.pid), result["requests"])
        log = read_log(log_path)
        server.wait_for_clients()
        synced = flushed(server.root, begun, len(log) * size)
        found = records.count_known(os.path.join(server.root, "default"), values)
        found -= 1  # the first one made the file
        if not len(log) <= found <= len(log) + CONNECTIONS or result["requests"] > found:
            raise Failure("%d appends were answered, but the file holds %d records\n"
                                    "  request: %s" % (len(log), found,
                                                       protocol.append("id", values[0])))
    finally:
        server.stop()
        shutil.rmtree(directory, ignore_errors=True)
    took = sorted(us for _, us in log)
    seconds = (log[-1][0] - log[0][0] + log[0][1]) / 1e6
    return {"server": "rochefort", "size": size, "bytes": len(log) * size, "seconds": seconds,
            "mib_per_second": len(log) * size / seconds / (1 << 20),
            "generator_cores": generator_cpu / wall, **used,
            "server_cores": used["cpu_us"] * result["requests"] / 1e6 / wall,
            "mib_per_second_synced": synced, "max_us": took[-1],
            "p50_us": percentile(took, 0.5), "p99_us": percentile(took, 0.99),
            "p999_us": percentile(took, 0.999), "timeline": timeline(log, size)}


def fio_write(context, size):
    directory = context.fresh("fio")
    try:
        begun = time.monotonic()
        row = fio.write(os.path.join(directory, "file"), size, context.bytes // size * size)
        row.update(server="fio", size=size,
                   mib_per_second=row["bytes"] / row["seconds"] / (1 << 20),
                   mib_per_second_synced=flushed(directory, begun, row["bytes"]))
    finally:
        shutil.rmtree(directory, ignore_errors=True)
    return row


def run(context):
    rows, limit = [], machine.dirty_limit_bytes()
    for size in context.plan.write_sizes:
        for make in (append, fio_write):
            progress("write: %s of %s, %s" % (size_text(context.bytes), size_text(size),
                                              make.__name__))
            rows.append(make(context, size))
    reached = "past" if context.bytes > limit else "NOT past; --bytes raises it"
    return {"rows": rows, "dirty_limit_bytes": limit, "note":
            "%d connections, one file; the kernel's limit for unwritten pages is about %s: %s"
            % (CONNECTIONS, size_text(limit), reached)}
