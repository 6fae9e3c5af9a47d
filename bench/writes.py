"""Long values appended to one file, beside fio, which writes one of the same size in blocks of the
same size through the page cache. Neither syncs. On a tmpfs, where no disk is in it, and on the disk.
"""
import os
import shutil
import tempfile

import load
import protocol
from plan import MIB
from servers import Rochefort, Workload, values_of
from speed import Case, name_of
from table import ratio, summarise

MEMORY = "/dev/shm"
SECONDS_MAX = 120
VALUES = 4


def fio(directory, block, total):
    folder = tempfile.mkdtemp(dir=directory)
    try:
        part, latencies = load.fio(
            SECONDS_MAX, "--filename=" + os.path.join(folder, "file"), "--rw=write",
            "--bs=%d" % block, "--size=%d" % total, "--fallocate=none", "--refill_buffers=0")
        return {**latencies, "mib_per_second": part["io_bytes"] / MIB / (part["runtime"] / 1000)}
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def append(server, context, size, connections, total):
    values = values_of(size)[:VALUES]
    case = Case(server, context, Workload(
        "append", size, [(protocol.append("id", value, "timed"), None) for value in values],
        prefixes=("timed",), known=values))
    found = case.run(connections, SECONDS_MAX, total // size)
    case.done()
    return {**found, "mib_per_second": found["per_second"] * size / MIB}


def run(context):
    plan, rows = context.plan, []
    for place, parent in (("tmpfs", MEMORY), ("disk", context.directory)):
        directory = tempfile.mkdtemp(prefix="rochefort-bench-", dir=parent)
        server = Rochefort(context.rochefort, directory, "-buckets", "1")
        cases = {(size, n): [] for size in plan.write_sizes for n in (0,) + plan.write_connections}

        def measure(case):
            size, n = case
            cases[case].append(append(server, context, size, n, plan.write_bytes) if n else
                               fio(directory, size, plan.write_bytes))
        try:
            context.rounds("writes, " + place, {"%s, %d connections" % (name_of("append", size), n)
                                                if n else "fio %d" % size: (size, n)
                                                for size, n in cases}, measure)
        finally:
            server.stop()
            shutil.rmtree(directory, ignore_errors=True)
        rows += [{"server": "rochefort" if n else "fio", "what": "%s, %s" % (
                      name_of("append", size), place), "place": place, "size": size,
                  "connections": n or 1, **summarise(found),
                  "ratio": ratio(found, cases[size, 0], "mib_per_second"), "rounds": found}
                 for (size, n), found in cases.items()]
    return {"rows": rows}
