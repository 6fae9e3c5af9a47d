"""Appends without pause, past what the page cache takes, beside fio writing one file.

Both write through the page cache and neither syncs, as the server does not unless it is told to.
What is on the disk at the end, after an fsync that is timed with the rest, is a figure of its own.
The server does it as it comes and with `-write-behind 2MiB`, alone and beside dd, see neighbour.py.
"""
import os
import shutil
import time

import figures
import fio
import generator
import ledger as protocol
import machine
import pages
import records
import usage
import users
from neighbour import Neighbour
from plan import GIB, MIB, progress
from process import Failure
from servers import Rochefort, values_of
from table import size_text
from wire import converse

CONNECTIONS = 8
VALUES = 4
SECONDS_MAX = 900
LEAST_BYTES, MOST_BYTES = 4 * GIB, 8 * GIB
PAST = 1.2  # times the limit
BESIDE_PART = 4  # of that is enough where somebody else gets the kernel to its limit
EARLY = ("-write-behind", "2MiB")
WRITERS = {"rochefort": (), " ".join(("rochefort",) + EARLY): EARLY, "fio": None}
ALONE, DD = "nobody", "dd"


def total_bytes(context):
    """How much each run writes: what was asked for, or enough to be past the kernel's limit."""
    free = shutil.disk_usage(context.directory).free
    if context.plan.write_bytes:
        wanted = context.plan.write_bytes
    else:
        wanted = min(max(LEAST_BYTES, int(machine.dirty_limit_bytes() * PAST)), MOST_BYTES)
    if wanted * 1.1 > free:
        raise Failure("%s has %s free, but %s will be written there at a time; --bytes says how "
                      "much, --directory where" % (context.directory, size_text(free),
                                                   size_text(wanted)))
    return wanted


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
    return [{"second": second, "mib": len(took) * value_bytes / MIB,
             "p999_us": percentile(sorted(took), 0.999)}
            for second, took in sorted(seconds.items())]


def summary(log, size, seconds, synced_seconds):
    took, total = sorted(us for _, us in log), len(log) * size / MIB
    return {"mib": total, "seconds": seconds, "mib_per_second": total / seconds,
            "mib_per_second_synced": total / synced_seconds,
            "p50_us": percentile(took, 0.5), "p99_us": percentile(took, 0.99),
            "p999_us": percentile(took, 0.999), "max_us": took[-1],
            "timeline": timeline(log, size)}


def append(context, size, total, flags, beside):
    """One bucket, hence one file and one disk thread, as fio has."""
    directory = context.fresh("write")
    server = Rochefort(context.rochefort, directory, "-buckets", "1", *flags)
    try:
        values = values_of(size)[:VALUES]
        converse(server.address, [users.filling_user([], "id", values[:1], None)])
        path, log_path = context.file("requests"), context.file("log")
        first = protocol.append("id", values[0])
        generator.write_requests(path, [protocol.append("id", value) for value in values],
                                 "%s:%d" % server.address)
        quota = max(1, total // (size + records.HEADER_BYTES) // CONNECTIONS)
        command = generator.wrk_command(server.address, path, CONNECTIONS, CONNECTIONS,
                                        SECONDS_MAX, "log", str(quota), log_path)
        neighbour = Neighbour(context, beside) if beside is not None else None
        before, begun = usage.snapshot(server.pid), time.monotonic()
        out, generator_cpu, wall = generator.timed(command, SECONDS_MAX)
        used = usage.between(before, usage.snapshot(server.pid), 1)
        result, log = generator.report(out, path, CONNECTIONS), read_log(log_path)
        server.wait_for_clients()
        pages.flush(server.root)
        synced = time.monotonic() - begun
        lasted = neighbour.stop() if neighbour else True
        least = max(len(log), result["requests"]) + 1  # the first one made the file
        server.check_stored(["default"], values, least, least + CONNECTIONS, first)
    finally:
        server.stop()
        shutil.rmtree(directory, ignore_errors=True)
    seconds = (log[-1][0] - log[0][0] + log[0][1]) / 1e6
    return {**summary(log, size, seconds, synced), "generator_cores": generator_cpu / wall,
            "server_cores": used["cpu_us"] / 1e6 / wall, "neighbour_lasted": float(lasted)}


def fio_write(context, size, total):
    directory = context.fresh("fio")
    try:
        begun = time.monotonic()
        seconds, log = fio.write(os.path.join(directory, "file"), size, total // size * size,
                                 context.file("log"))
        pages.flush(directory)
        return summary(log, size, seconds, time.monotonic() - begun)
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def order(sizes, writers):
    """Who runs when. What dd leaves behind, if it is more than we can wait for, is fio's."""
    return [(size, beside, who) for beside in (ALONE, DD) for size in sizes
            for who in (("fio",) if beside == ALONE else ()) + writers]


def run(context):
    rows, limit, total = [], machine.dirty_limit_bytes(), total_bytes(context)
    servers = tuple(who for who in WRITERS if who != "fio")
    lanes, other_lanes = (order(context.plan.write_sizes, writers)
                          for writers in (servers, servers[::-1]))
    rounds = {(size, beside, who): [] for size in context.plan.write_sizes
              for beside in (ALONE, DD) for who in WRITERS if (size, beside, who) in lanes}

    def run_one(lane, what):
        size, beside, who = lane
        part = total if beside == ALONE else total // BESIDE_PART
        pages.settle(context.plan.settle_seconds)  # not to wait for what the one before left
        progress("write: %s of %s, %s: %s, beside %s" % (size_text(part), size_text(size), what,
                                                         who, beside))
        if who == "fio":
            found = fio_write(context, size, part)
        else:
            found = append(context, size, part, WRITERS[who],
                           min(limit, total) if beside == DD else None)
        rounds[lane].append(found)
    context.rounds(lanes, run_one, other_lanes)
    for (size, beside, who), found in rounds.items():
        ours = rounds[size, beside, "rochefort"]
        rows.append({"server": who, "beside": beside, "size": size, **figures.summarise(found),
                     "ratio": figures.ratio(ours, found, "mib_per_second"),
                     "ratio_synced": figures.ratio(ours, found, "mib_per_second_synced"),
                     "rounds": found})
    reached = "past" if total > limit else "NOT past; --bytes raises it"
    short = sum(not found.get("neighbour_lasted", 1.0) for row in rows for found in row["rounds"])
    return {"rows": rows, "dirty_limit_bytes": limit, "note":
            "%s a run, %s beside dd, %d connections, one file; the kernel's limit for unwritten "
            "pages is about %s: %s%s" % (size_text(total), size_text(total // BESIDE_PART),
                                         CONNECTIONS, size_text(limit), reached,
                                         "; dd ended before %d of the runs did" % short
                                         if short else "")}
