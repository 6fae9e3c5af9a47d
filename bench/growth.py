"""How cost grows: over connections, prefixes, disk threads, bytes in a file, offsets and values in a
request. One server for each point; a round goes through all points.
"""
import random

import batches
import cost
import protocol
import records
from conversation import converse
from plan import KIB, SMALL, progress
from servers import Rochefort, Workload, appending_user, values_of
from speed import SPARE_DESCRIPTORS, Case
from table import spread, summarise

CONNECTIONS = 64
FILLERS = 16
FIELDS = {"offsets": "cpu_value_us", "batch": "cpu_value_us"}  # the others: a request


def simple(kinds, size):
    """Workloads of the usual kind."""
    return lambda server, at: [server.workload(kind, size or at, None) for kind in kinds]


def long_file(server, at):
    """Reads and appends behind a hole of so many bytes, which takes no space on the disk."""
    values = values_of(SMALL)[:100]
    offsets = records.write_bucket(server.root, "long", values, hole_bytes=at)
    return [Workload("get", SMALL, [(protocol.get("id", offset, "long"), value)
                                    for offset, value in zip(offsets, values)]),
            Workload("append", SMALL, [(protocol.append("id", value, "long"), None)
                                       for value in values],
                     prefixes=("long",), known=values, begin=at, stored=len(values))]


def many_prefixes(server, at):
    """Reads and appends to so many open prefixes in turn."""
    value, found = values_of(SMALL)[0], {"p%d" % n: [] for n in range(at)}

    def filler(prefixes):
        for prefix in prefixes:
            yield from appending_user(found[prefix], "id", [value], prefix)
    converse(server.address, [filler(list(found)[n::FILLERS]) for n in range(FILLERS)])
    gets = [(protocol.get("id", offset, prefix), value) for prefix, (offset,) in found.items()]
    random.Random(at).shuffle(gets)
    return [Workload("get", SMALL, gets),
            Workload("append", SMALL, [(protocol.append("id", value, prefix), None)
                                       for prefix in found],
                     prefixes=tuple(found), known=(value,), stored=at)]


def batch(server, at):
    return [batches.workload_of(at, SMALL, False)]


BOTH = ("get", "append")
# name: what grows; the server's flags, with N for how much; connections (0: N); the workloads
SWEEPS = {
    "busy": ("connections, all of them busy", ("-max-connections", "N"), 0, simple(BOTH, SMALL)),
    "idle": ("idle connections beside %d busy ones" % CONNECTIONS, ("-max-connections", "20000"),
             CONNECTIONS, simple(BOTH, SMALL)),
    "prefixes": ("open prefixes", ("-buckets", "1"), CONNECTIONS, many_prefixes),
    "workers": ("disk threads, values of 1 KiB", ("-workers", "N"), CONNECTIONS, simple(BOTH, KIB)),
    "file": ("bytes before the records, a hole", ("-buckets", "1"), CONNECTIONS, long_file),
    "offsets": ("offsets in a getMulti, up to 1000 at random, then in order", (), 8, simple(("getMulti",), None)),
    "batch": ("values in an appendMulti", (), 8, batch),
}


def run_point(case, at, name, connections, seconds):
    """One round, with idle connections open beside it if they are what grows."""
    sockets = []
    try:
        if name == "idle":
            request, _ = case.server.workload("get", SMALL, None).requests[0]
            cost.connect(case.server.address, request, sockets, at)
            case.server.idle = at
        found = case.run(connections, seconds)
    finally:
        for sock in sockets:
            sock.close()
    found["cpu_value_us"] = found["cpu_us"] / case.workload.values


def grow(context, name):
    what, flags, connections, workloads = SWEEPS[name]
    most = context.descriptors - SPARE_DESCRIPTORS - CONNECTIONS
    points = [at for at in context.plan.growth[name] if name not in ("busy", "idle") or at <= most]
    left_out = len(context.plan.growth[name]) - len(points)
    cases, started, rows = {}, [], []
    try:
        progress("%s: starting the servers" % name)
        for at in points:
            server = Rochefort(context.rochefort, context.fresh("growth"),
                               *[str(at) if flag == "N" else flag for flag in flags])
            started.append(server)
            for workload in workloads(server, at):
                cases[at, workload.kind] = Case(server, context, workload)
        context.rounds(name, {key: (key[0], case) for key, case in cases.items()},
                       lambda item: run_point(item[1], item[0], name, connections or item[0],
                                              context.plan.seconds), context.plan.growth_rounds)
        for (at, kind), case in cases.items():
            rows.append({"at": at, "workload": kind, **summarise(case.rounds),
                         "rounds": case.rounds})
            case.done()
    finally:
        for server in started:
            server.stop()
    return {"rows": rows, "what": what, "growth": growth(rows, FIELDS.get(name, "cpu_us")),
            "note": "%d points need more than %d descriptors" % (
                left_out, context.descriptors) if left_out else ""}


def growth(rows, field):
    """{workload: the largest cost over the smallest}, of medians."""
    costs = {}
    for row in rows:
        costs.setdefault(row["workload"], []).append(row[field]["median"])
    return {kind: spread([max(found) / min(found)]) for kind, found in costs.items()}
