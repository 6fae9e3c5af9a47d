"""Many values in one request: appendMulti, and scan, beside fio in the same directory.

fio writes and reads blocks of 1 MiB one after the other, as one write of the server's; neither
syncs, but in the cases that say so. What is compared is bytes of values a second.
"""
import os
import shutil
import tempfile

import protocol
import records
import writes
from conversation import Request
from plan import KIB, MIB, SMALL
from servers import Rochefort, Workload, values_of
from speed import Case
from table import ratio, size_text, summarise

BATCH_BYTES = 64 * MIB  # the default of -max-batch
BATCH_VALUES = 1 << 20
LENGTH_BYTES = 4
# What one run writes at most, so that it can be counted in some seconds.
RUN_VALUES = 4 << 20
ROUNDS_MAX = 3
SCAN_BYTES = 64 * MIB


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


def scan_workload(root, total):
    """All of a bucket of so many bytes, by requests of BLOCK_BYTES and the record that is over."""
    values = values_of(SMALL)
    offsets = records.write_bucket(root, "scanned", (
        values[n % len(values)] for n in range(total // (SMALL + records.HEADER_BYTES))))
    each = -(-MIB // (SMALL + records.HEADER_BYTES))
    with open(os.path.join(root, "scanned", "append.0.raw"), "rb") as file:
        requests = [(Request("GET", protocol.target(
            "/scan", storagePrefix="scanned", bucket=0, offset=offset, limit=MIB)),
            file.read(each * (SMALL + records.HEADER_BYTES))) for offset in offsets[::each]]
    return Workload("scan", SMALL, requests[:-1], values=each)  # the last is shorter


def run(context):
    """What is synced is on the disk, the rest on a tmpfs, as what fio writes."""
    plan, fio, started, cases = context.plan, [], [], {}
    memory = tempfile.mkdtemp(prefix="rochefort-bench-", dir=writes.MEMORY)
    try:
        for directory in (memory, context.fresh("batches")):
            started.append(Rochefort(context.rochefort, directory))
        for key in cases_of(plan):
            count, size, n, synced = key
            cases[key] = Case(started[synced], context, workload_of(count, size, synced))
        scans = {n: Case(started[0], context, scan_workload(started[0].root, SCAN_BYTES))
                 for n in plan.batch_connections}

        def measure(key):
            if key is None:
                fio.append(writes.fio(memory, MIB, plan.batch_run_bytes))
                return
            if isinstance(key, int):
                found = scans[key].run(key, plan.seconds)
                found["mib_per_second"] = found["values_per_second"] * SMALL / MIB
                found["cpu_ns_value"] = found["cpu_us"] * 1000 / scans[key].workload.values
                return
            count, size, n, _ = key
            limit = max(2 * n, min(RUN_VALUES // count, plan.batch_run_bytes // (count * size)))
            found = cases[key].run(n, plan.seconds, limit)
            found["mib_per_second"] = found["values_per_second"] * size / MIB
            found["cpu_ns_value"] = found["cpu_us"] * 1000 / count
            found["cpu_workers_ns_value"] = found["cpu_workers_us"] * 1000 / count
        context.rounds("batches", {"fio": None, **{
            "%d of %s, %d connections%s" % (key[0], size_text(key[1]), key[2],
                                            ", synced" * key[3]): key for key in cases},
            **{"scan, %d connections" % n: n for n in scans}}, measure,
            min(plan.rounds, ROUNDS_MAX))
    finally:
        for server in started:
            server.stop()
        shutil.rmtree(memory, ignore_errors=True)
    rows = [{"server": "fio", "what": "sequential write", "connections": 1, **summarise(fio),
             "rounds": fio}]
    for (count, size, n, synced), case in cases.items():
        rows.append({"server": "rochefort", "workload": "appendMulti", "size": size,
                     "count": count, "synced": synced, "connections": n,
                     "what": "%d x %s%s" % (count, size_text(size), ", synced" * synced),
                     **summarise(case.rounds), "rounds": case.rounds})
        if not synced:
            rows[-1]["ratio"] = ratio(case.rounds, fio, "mib_per_second")
    rows += [{"server": "rochefort", "workload": "scan", "size": SMALL, "connections": n,
              "what": "scan of %s, 1 MiB a request" % size_text(SMALL), **summarise(case.rounds),
              "ratio": ratio(case.rounds, fio, "mib_per_second"), "rounds": case.rounds}
             for n, case in scans.items()]
    return {"rows": rows, "note": "one file, so one disk thread; on a tmpfs, but on the disk where "
            "it is synced; fio wrote %s on that tmpfs, once a round" % size_text(plan.batch_run_bytes)}
