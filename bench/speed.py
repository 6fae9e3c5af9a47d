"""The timed runs: each workload on all servers that can do it.

In a round all servers take turns, so that a slow minute of the machine affects all of them; ratios
are taken within a round.
"""
import os

import load
import peers
import programs
import servers
from conversation import converse, expect
from plan import SMALL
from process import Failure
from servers import Rochefort
from table import ratio, size_text, summarise

SECONDS_MAX = 60
COMPARED = 2000
KINDS = ("append", "get", "getMulti")
SPARE_DESCRIPTORS = 64


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
                  peers.Ceiling(context.ceiling, directory, "plain")]
    nginx = peers.NginxFile(context.fresh("nginx"))
    everybody += [nginx, peers.NginxPut(nginx)]
    if os.cpu_count() > 1:
        everybody.append(peers.NginxFile(context.fresh("nginx"), os.cpu_count()))
    for name, append_only in (("redis", False), ("redis-aof", True)):
        everybody.append(peers.Redis(os.path.join(directory, name), append_only))


def cells(plan, kinds):
    """All workloads: (kind, size or number of offsets, numbers of connections)."""
    sizes = {"append": ((SMALL,), ()), "get": ((SMALL,), plan.long_sizes),
             "getMulti": ((), plan.offsets)}
    return [(kind, size, connections) for kind in kinds
            for of_kind, connections in zip(sizes[kind], (plan.connections,
                                                          plan.long_connections))
            for size in of_kind]


def measure(context, everybody, kind, size, numbers):
    """Rows: one for each number of connections and server. The first server must be ours."""
    cases = {}
    for server in everybody:
        workload = server.workload(kind, size, everybody[0])
        if workload is not None:
            cases[server.name] = Case(server, context, workload)
    rows = []
    for connections in numbers:
        seconds = context.plan.seconds_of(size if kind != "getMulti" else SMALL, connections)
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


def run(context):
    everybody, rows = [], []
    try:
        start_all(context, everybody)
        for cell in cells(context.plan, KINDS):
            rows += measure(context, everybody, *cell)
    finally:
        for server in everybody:
            server.stop()
    return {"rows": rows, "note": "ours/its counts values; nginx sends one a request"}
