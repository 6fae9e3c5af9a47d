"""The timed runs: each workload on all servers that can do it, and how cost grows.

In a round all servers take turns, so that a slow minute of the machine affects all of them; ratios
are taken within a round.
"""
import os
import random

import load
import peers
import programs
import protocol
import records
import servers
from conversation import converse, expect
from plan import KIB, SMALL, progress
from process import Failure
from servers import Rochefort, Workload, appending_user, values_of
from table import ratio, size_text, summarise

SECONDS_MAX = 60
COMPARED = 2000
KINDS = ("append", "get", "getMulti", "mixed")
GROWTH_CONNECTIONS = 64
SPARE_DESCRIPTORS = 64
FILLERS = 16


def name_of(kind, size):
    if kind == "getMulti":
        return "getMulti of %d x %s" % (size, size_text(SMALL))
    return "%s of %s" % (kind, size_text(size))


class Case:
    """A server with a workload. Each reply whose body is known is compared once before the runs, up
    to COMPARED of them."""

    def __init__(self, server, context, workload):
        self.server, self.workload, self.rounds = server, workload, []
        self.path, self.reply_bytes = context.file("requests"), None
        requests = [request for request, _ in workload.requests]
        if requests:
            load.write_requests(self.path, requests, "%s:%d" % server.address)
            self.compare()

    def compare(self):
        lengths = set()

        def user():
            for request, wanted in self.workload.requests[:COMPARED]:
                if wanted is None:
                    lengths.add(None)
                    continue
                reply = yield request
                expect((reply.status, reply.body) == (200, wanted), request, reply,
                       "this is not what was stored")
                lengths.add(None if "transfer-encoding" in reply.headers
                            else reply.head_bytes + len(reply.body))
        converse(self.server.address, [user()])
        if len(lengths) == 1:
            (self.reply_bytes,) = lengths

    def run(self, connections, seconds, limit=None):
        """One round; once more and longer if nothing was answered in its time."""
        result = self.attempt(connections, seconds, limit)
        while not result["requests"]:
            seconds *= 2
            if seconds > SECONDS_MAX:
                raise Failure("%s answered nothing in %d s" % (self.server.name, seconds / 2))
            result = self.attempt(connections, seconds, limit)
        self.rounds.append(result)
        return result

    def attempt(self, connections, seconds, limit):
        made = self.server.prepare(self.workload)
        pid = self.server.pid
        if pid:
            programs.reset_peak(pid)
            before = programs.usage(pid)
        result = self.load(connections, seconds, limit)
        if pid:
            count = max(1, result.pop("counted", result["requests"]))
            result.update(programs.used(before, programs.usage(pid), count))
            result["peak_rss_bytes"] = programs.memory_bytes(pid, "VmHWM")
        if self.reply_bytes is not None:
            load.check_bytes(result, self.reply_bytes, connections, self.workload.requests[0][0])
        result["before"] = made
        result["values_per_second"] = result["per_second"] * self.workload.values
        self.server.finish(self.workload, result, connections)
        return result

    def load(self, connections, seconds, limit):
        return self.server.run(self.path, self.workload, connections, seconds, limit)

    def take_rounds(self):
        rounds, self.rounds = self.rounds, []
        return rounds

    def done(self):
        if os.path.exists(self.path):
            os.unlink(self.path)


def start_all(context, everybody):
    """Adds them to the list, ours first: the others are compared with it."""
    directory = context.fresh("speed")
    everybody.append(Rochefort(context.rochefort, os.path.join(directory, "rochefort")))
    everybody += [servers.Speaker(name, url) for name, url in context.peers]
    everybody += [peers.Ceiling(context.ceiling, directory, "own"),
                  peers.Ceiling(context.ceiling, directory, "plain", (SMALL,))]
    nginx = peers.NginxFile(context.fresh("nginx"))
    everybody += [nginx, peers.NginxPut(nginx)]
    for name, append_only in (("redis", False), ("redis-aof", True)):
        everybody.append(peers.Redis(os.path.join(directory, name), append_only))


def cells(plan, kinds):
    """All workloads: (kind, size or number of offsets)."""
    return [(kind, size) for kind in kinds for size in (
        (SMALL,) if kind == "mixed" else plan.offsets if kind == "getMulti" else plan.sizes)]


def measure(context, everybody, kind, size):
    """Rows: one for each number of connections and server. The first server must be ours."""
    cases = {}
    for server in everybody:
        workload = server.workload(kind, size, everybody[0])
        if workload is not None:
            cases[server.name] = Case(server, context, workload)
    rows = []
    for connections in context.plan.connections:
        seconds = context.plan.seconds_of(kind, size, connections)
        context.rounds("%s, %d connections" % (name_of(kind, size), connections), cases,
                       lambda case: case.run(connections, seconds))
        found = {name: case.take_rounds() for name, case in cases.items()}
        ours = found[everybody[0].name]
        rows += [{"what": name_of(kind, size), "workload": kind, "size": size,
                  "connections": connections, "server": name, **summarise(rounds),
                  "ratio": ratio(ours, rounds, "values_per_second"),
                  "ratio_p50": ratio(ours, rounds, "p50_us"), "rounds": rounds}
                 for name, rounds in found.items()]
    for case in cases.values():
        case.done()
    return rows


def run(context, kinds=KINDS):
    everybody, rows = [], []
    try:
        start_all(context, everybody)
        for kind, size in cells(context.plan, kinds):
            rows += measure(context, everybody, kind, size)
    finally:
        for server in everybody:
            server.stop()
    return {"rows": rows, "note": "ours/its counts values; nginx sends one a request"}


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


# name: what grows; the server's flags, with N for how much; connections (0: N); the workloads
SWEEPS = {
    "connections": ("connections", ("-max-connections", "N"), 0, simple(("get", "append"), SMALL)),
    "prefixes": ("open prefixes", ("-buckets", "1"), GROWTH_CONNECTIONS, many_prefixes),
    "file": ("bytes before the records, a hole", ("-buckets", "1"), GROWTH_CONNECTIONS, long_file),
    "offsets": ("offsets in a getMulti", (), 8, simple(("getMulti",), None)),
    "workers": ("disk threads, values of 1 KiB", ("-workers", "N"), GROWTH_CONNECTIONS,
                simple(("get", "append"), KIB)),
}


def grow(context, name):
    """One server for each point; a round goes through all points."""
    what, flags, connections, workloads = SWEEPS[name]
    most = context.descriptors - SPARE_DESCRIPTORS - GROWTH_CONNECTIONS
    wanted = context.plan.growth[name]
    points = [at for at in wanted if at <= most or name == "file"]
    # thousands of connections take time to open
    seconds = context.plan.seconds if name == "connections" else context.plan.long_seconds
    cases, started = {}, []
    try:
        progress("%s: starting the servers" % name)
        for at in points:
            server = Rochefort(context.rochefort, context.fresh("growth"),
                               *[str(at) if flag == "N" else flag for flag in flags])
            started.append(server)
            for workload in workloads(server, at):
                cases[at, workload.kind] = Case(server, context, workload)
        rows = []
        context.rounds(name, {key: (key, case) for key, case in cases.items()},
                       lambda item: item[1].run(connections or item[0][0], seconds))
        for (at, kind), case in cases.items():
            rows.append({"at": at, "workload": kind, **summarise(case.rounds),
                         "rounds": case.rounds})
    finally:
        for server in started:
            server.stop()
    left_out = len(wanted) - len(points)
    return {"rows": rows, "what": what, "note": "%d points need more than %d descriptors" % (
        left_out, context.descriptors) if left_out else ""}
