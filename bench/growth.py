"""How cost grows: with connections, prefixes, the length of a file, offsets, and disk threads.

Each point is a server of its own kind of load; rounds go through all points, so that a slow minute
of the machine does not fall on one of them.
"""
import os
import random

import figures
import ledger as protocol
import records
import speed
import users
from plan import KIB, SMALL, progress
from servers import Rochefort, values_of
from wire import converse

CONNECTIONS = 64
SPARE_DESCRIPTORS = 64
FILLERS = 16


class Point:
    """One value of what grows: a server, and the kinds and sizes of its workloads."""

    def __init__(self, context, at, flags=(), connections=CONNECTIONS, kinds=("get", "append"),
                 size=SMALL):
        self.at, self.connections, self.kinds, self.size = at, connections, kinds, size
        self.directory = context.fresh("growth")
        self.prepare()
        self.server = Rochefort(context.rochefort, self.directory, *flags)

    def prepare(self):
        """Before the server starts."""

    def lanes(self, context):
        return [speed.Lane(self.server, context, kind, self.size,
                           self.server.requests(kind, self.size)) for kind in self.kinds]


class AppendLane(speed.Lane):
    """Appends to files that are there and stay; checked like the others, from `begin` on."""

    def __init__(self, server, context, requests, prefixes, values, begin=0):
        super().__init__(server, context, "append to these", SMALL, requests)
        self.prefixes, self.known, self.begin = prefixes, values, begin
        self.stored = len(requests)

    def run(self, connections, seconds, *mode):
        result = super().run(connections, seconds, *mode)
        low = self.stored + result["requests"]
        self.stored = self.contestant.check_stored(self.prefixes, self.known, low,
                                                   low + connections, self.first, self.begin)
        return result


class LongFile(Point):
    """A file with a hole of so many bytes and records behind it."""

    def prepare(self):
        self.values = values_of(SMALL)[:100]
        self.offsets = records.write_bucket(os.path.join(self.directory, "root"), "default",
                                            self.values, hole_bytes=self.at)

    def lanes(self, context):
        gets = [protocol.get("id", offset) for offset in self.offsets]
        appends = [protocol.append("id", value) for value in self.values]
        return [speed.Lane(self.server, context, "get", SMALL, gets),
                AppendLane(self.server, context, appends, ["default"], self.values, self.at)]


class Prefixes(Point):
    """So many prefixes, all open, asked in turn."""

    def lanes(self, context):
        value = values_of(SMALL)[0]
        found = {"p%d" % n: [] for n in range(self.at)}
        converse(self.server.address, [self.filler(list(found)[n::FILLERS], found, value)
                                       for n in range(FILLERS)])
        gets = [protocol.get("id", places[0][1], prefix) for prefix, places in found.items()]
        appends = [protocol.append("id", value, prefix) for prefix in found]
        random.Random(self.at).shuffle(gets)
        return [speed.Lane(self.server, context, "get", SMALL, gets),
                AppendLane(self.server, context, appends, list(found), [value])]

    @staticmethod
    def filler(prefixes, found, value):
        for prefix in prefixes:
            yield from users.filling_user(found[prefix], "id", [value], prefix)


def connections_points(context):
    """As many as descriptors allow, for the generator and for the server."""
    most = context.descriptors - SPARE_DESCRIPTORS
    return [Point(context, n, ("-max-connections", str(most)), n)
            for n in context.plan.growth_connections if n <= most]


def prefixes_points(context):
    return [Prefixes(context, n, ("-buckets", "1"))
            for n in context.plan.growth_prefixes
            if n <= context.descriptors - SPARE_DESCRIPTORS - CONNECTIONS]


def file_points(context):
    return [LongFile(context, n, ("-buckets", "1")) for n in context.plan.growth_file_bytes]


def offsets_points(context):
    return [Point(context, n, connections=8, kinds=("getMulti",), size=n)
            for n in context.plan.growth_offsets]


def workers_points(context):
    return [Point(context, n, ("-workers", str(n)), size=KIB)
            for n in context.plan.growth_workers]


SWEEPS = {
    "connections": (connections_points, {"plan": "growth_connections", "what": "connections"}),
    "prefixes": (prefixes_points, {"plan": "growth_prefixes", "what": "open prefixes"}),
    "file": (file_points, {"plan": "growth_file_bytes", "what": "bytes in the file", "bytes": True,
                           "note": "sparse: a hole, then the records that are read"}),
    "offsets": (offsets_points, {"plan": "growth_offsets", "what": "offsets in a getMulti",
                                 "unit": "offset",
                                 "note": "CPU is that of a request, 8 connections; the plot "
                                         "divides it by the offsets"}),
    "workers": (workers_points, {"plan": "growth_workers", "what": "disk threads",
                                 "note": "values of 1 KiB"}),
}


def run(context, name):
    make, sweep = SWEEPS[name]
    sweep, lanes, points = dict(sweep), [], []
    try:
        progress("%s: starting the servers" % name)
        points = make(context)
        for point in points:
            lanes += [(point, lane) for lane in point.lanes(context)]

        def run_one(item, what):
            point, lane = item
            progress("%s %s: %s, %s" % (name, point.at, lane.kind, what))
            # thousands of connections take a while to come
            lane.run(point.connections, context.plan.seconds if name == "connections"
                     else context.plan.long_seconds)
        context.rounds(lanes, run_one)
    finally:
        for point in points:
            point.server.stop()
    sweep["rows"] = [{"at": point.at, "workload": lane.kind.split()[0], "rounds": lane.rounds,
                      **figures.summarise(lane.rounds)} for point, lane in lanes]
    if len(points) < len(getattr(context.plan, sweep.pop("plan"))):
        sweep["note"] = "the rest is left out: the limit of descriptors is %d" % context.descriptors
    return sweep
