"""Many values in one request: appendMulti beside fio, which writes a file in the same directory.

fio writes blocks of 1 MiB one after the other through the page cache, as one write of the server's;
neither syncs, but in the cases that say so. What is compared is bytes of values a second.
"""
import os
import shutil

import load
import protocol
from plan import KIB, MIB, SMALL
from servers import Rochefort, Workload, values_of
from speed import Case
from table import ratio, size_text, summarise

BATCH_BYTES = 64 * MIB  # the default of -max-batch
BATCH_VALUES = 1 << 20
LENGTH_BYTES = 4
# What one run writes at most, so that it can be counted in some seconds.
RUN_VALUES = 4 << 20
RUN_SECONDS_MAX = 60


def batch_of(size):
    """How many values of a size fit into one request."""
    return min(BATCH_BYTES // (size + LENGTH_BYTES), BATCH_VALUES)


def cases_of(plan):
    """(values a request, their size, connections, synced)."""
    return [(count, SMALL, n, synced) for count in plan.batches for n in plan.batch_connections
            for synced in (False, True)] + [(batch_of(KIB), KIB, 1, False)]


def workload_of(count, size, synced):
    known = values_of(size)
    values = [known[n % len(known)] for n in range(count)]
    request = protocol.append_multi("id0", values, "timed")
    if synced:
        request.target += "&sync=1"
    return Workload("appendMulti", size, [(request, None)], values=count, prefixes=("timed",),
                    known=known)


def fio_write(context):
    directory = context.fresh("fio")
    try:
        part, latencies = load.fio(
            RUN_SECONDS_MAX, "--filename=" + os.path.join(directory, "file"), "--rw=write",
            "--bs=1m", "--size=%d" % context.plan.batch_run_bytes, "--fallocate=none", "--refill_buffers=0")
        return {**latencies, "mib_per_second": part["io_bytes"] / MIB / (part["runtime"] / 1000)}
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def run(context):
    server = Rochefort(context.rochefort, context.fresh("batches"))
    cases = {"fio": None}
    rounds = {None: []}
    try:
        for key in cases_of(context.plan):
            count, size, n, synced = key
            name = "%d of %s, %d connections%s" % (count, size_text(size), n,
                                                   ", synced" if synced else "")
            cases[name] = key, Case(server, context, workload_of(count, size, synced))
            rounds[key] = []

        def measure(item):
            if item is None:
                rounds[None].append(fio_write(context))
                return
            (count, size, n, synced), case = item
            limit = max(2 * n, min(RUN_VALUES // count,
                                   context.plan.batch_run_bytes // (count * size)))
            found = case.run(n, context.plan.seconds, limit)
            found["mib_per_second"] = found["values_per_second"] * size / MIB
            found["cpu_ns_value"] = found["cpu_us"] * 1000 / count
            found["cpu_workers_ns_value"] = found["cpu_workers_us"] * 1000 / count
            rounds[item[0]].append(found)
        context.rounds("batches", cases, measure)
    finally:
        server.stop()
    fio = rounds.pop(None)
    rows = [{"server": "fio", "what": "sequential write", "connections": 1, **summarise(fio),
             "rounds": fio}]
    for (count, size, n, synced), found in rounds.items():
        rows.append({"server": "rochefort", "workload": "appendMulti", "size": size,
                     "count": count, "synced": synced, "connections": n,
                     "what": "%d x %s%s" % (count, size_text(size), ", synced" if synced else ""),
                     **summarise(found), "ratio": ratio(found, fio, "mib_per_second"),
                     "rounds": found})
    return {"rows": rows, "note": "one file, so one disk thread; fio wrote %s in the same "
            "directory, once a round" % size_text(context.plan.batch_run_bytes)}
