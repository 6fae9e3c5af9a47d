"""Whether tails stay flat beside a writer that fills the disk: p99.9 of each second of appends of
100 B, by -sync and with sync=1, and of gets of cached values, before dd begins and beside it.
"""
import os
import shutil
import statistics

import programs
from plan import MIB, SMALL, progress
from process import Failure, wait_for
from servers import Rochefort
from speed import Case
from table import spread

CONNECTIONS = 8
DD_BYTES = 24 << 30
DD_SECONDS = 60
# name: the server's flags, what is sent, what is added to its targets
SERIES = {"get, cached": ((), "get", ""), "append, -sync never": ((), "append", ""),
          "append, -sync interval:100": (("-sync", "interval:100"), "append", ""),
          "append, sync=1": ((), "append", "&sync=1")}


def start_dd(context):
    """Waits until it has begun to write; returns it and its file."""
    path = os.path.join(context.fresh("dd"), "zeros")
    most = min(DD_BYTES, shutil.disk_usage(context.directory).free // 2)
    program = programs.Program(["dd", "if=/dev/zero", "of=" + path, "bs=1M",
                                "count=%d" % (most // MIB)], path + ".log")
    wait_for(lambda: program.popen.poll() is not None or
             (os.path.exists(path) and os.path.getsize(path) > 0), "dd to write", DD_SECONDS)
    return program, path


def measure(context, name):
    """[p99.9 of each second in microseconds], the quiet ones first."""
    flags, kind, more = SERIES[name]
    plan, found = context.plan, []
    server, dd, path = Rochefort(context.rochefort, context.fresh("tails"), *flags), None, None
    try:
        workload = server.workload(kind, SMALL, None)
        for request, _ in workload.requests:
            request.target += more
        case = Case(server, context, workload)
        for second in range(plan.tail_quiet_seconds + plan.tail_seconds):
            progress("tails: %s, second %d" % (name, second + 1))
            if second == plan.tail_quiet_seconds:
                dd, path = start_dd(context)
            elif dd and dd.popen.poll() is not None:  # as much as there is room for
                os.unlink(path)
                dd, path = start_dd(context)
            found.append(case.run(CONNECTIONS, 1))
        case.done()
    finally:
        if dd:
            dd.stop()
            os.unlink(path)
        server.stop()
    return found


def run(context):
    rows, quiet = [], context.plan.tail_quiet_seconds
    for name in SERIES:
        rounds = measure(context, name)
        if len(rounds) <= quiet:
            raise Failure("no second of %s was measured beside dd" % name)
        before, beside = ([one["p999_us"] for one in part] for part in (rounds[:quiet],
                                                                        rounds[quiet:]))
        rows.append({"what": name, "connections": CONNECTIONS, "quiet": spread(before),
                     "beside": spread(beside), "ratio": spread([statistics.median(beside) /
                                                                statistics.median(before)]),
                     "rounds": rounds})
    return {"rows": rows, "quiet_seconds": quiet,
            "note": "the ratio is that of the medians of p99.9 of each second"}
