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
from plan import KIB, progress
from servers import Rochefort, values_of
from wire import converse

CONNECTIONS = 64
SPARE_DESCRIPTORS = 64
SMALL = 100
VALUE = KIB


class Point:
    """One value of what grows: a server, and the requests of its workloads."""

    def __init__(self, context, at, name, flags=(), connections=CONNECTIONS, **marks):
        self.at, self.connections = at, connections
        self.directory = context.fresh(name)
        self.prepare(**marks)
        self.server = Rochefort(context.rochefort, self.directory, *flags)

    def prepare(self):
        """Before the server starts."""

    def workloads(self):
        """{name: (kind, size, requests)}"""
        return {kind: (kind, SMALL, self.server.requests(kind, SMALL))
                for kind in ("get", "append")}


class LongFile(Point):
    """A file with a hole of so many bytes and a record behind it."""

    def prepare(self):
        root = os.path.join(self.directory, "root")
        self.values = values_of(SMALL)[:100]
        self.offsets = records.write_bucket(root, "default", 0, self.values, self.at)

    def workloads(self):
        # to another prefix there would be another file
        return {"get": ("get", SMALL, [protocol.get("id", offset) for offset in self.offsets]),
                "append": ("append at the end", SMALL,
                           [protocol.append("id", value) for value in self.values])}


class Prefixes(Point):
    """So many prefixes, all open, asked in turn."""

    def workloads(self):
        appends, gets, found = [], [], {}
        value = values_of(SMALL)[0]
        for n in range(self.at):
            found["p%d" % n] = []
        converse(self.server.address, [self.giver(list(found)[n::16], found, value)
                                       for n in range(16)])
        for prefix, places in found.items():
            appends.append(protocol.append("id", value, prefix))
            gets += [protocol.get("id", offset, prefix) for _, offset in places]
        random.Random(self.at).shuffle(gets)
        return {"get": ("get", SMALL, gets), "append": ("append to many", SMALL, appends)}

    @staticmethod
    def giver(prefixes, found, value):
        for prefix in prefixes:
            yield from users.filling_user(found[prefix], "id", [value], prefix)


class Offsets(Point):
    def workloads(self):
        return {"getMulti": ("getMulti", self.at, self.server.requests("getMulti", self.at))}


class Workers(Point):
    def workloads(self):
        return {kind: (kind, VALUE, self.server.requests(kind, VALUE))
                for kind in ("get", "append")}


def connections_points(context):
    """As many as descriptors allow, for the generator and for the server."""
    most = context.descriptors - SPARE_DESCRIPTORS
    flags = ("-max-connections", str(most))
    return [Point(context, n, "connections", flags, n)
            for n in context.plan.growth_connections if n <= most]


def prefixes_points(context):
    return [Prefixes(context, n, "prefixes", ("-buckets", "1"))
            for n in context.plan.growth_prefixes if n <= context.descriptors - 200]


def file_points(context):
    return [LongFile(context, n, "file", ("-buckets", "1"))
            for n in context.plan.growth_file_bytes]


def offsets_points(context):
    return [Offsets(context, n, "offsets", connections=8) for n in context.plan.growth_offsets]


def workers_points(context):
    return [Workers(context, n, "workers", ("-workers", str(n)))
            for n in context.plan.growth_workers]


SWEEPS = {
    "connections": (connections_points, {"what": "connections"}),
    "prefixes": (prefixes_points, {"what": "open prefixes"}),
    "file": (file_points, {"what": "bytes in the file", "bytes": True,
                           "note": "sparse: a hole, then the records that are read"}),
    "offsets": (offsets_points, {"what": "offsets in a getMulti", "unit": "offset",
                                 "note": "CPU is that of a request, 8 connections; the plot "
                                         "divides it by the offsets"}),
    "workers": (workers_points, {"what": "disk threads"}),
}


def run(context, name):
    make, sweep = SWEEPS[name]
    lanes, points = [], []
    try:
        points = make(context)
        for point in points:
            for workload, (kind, size, requests) in point.workloads().items():
                lanes.append((point, workload,
                              speed.Lane(point.server, context, kind, size, requests)))
        for number in range(context.plan.rounds):
            for point, workload, lane in lanes:
                progress("%s %s: %s, round %d of %d" % (name, point.at, workload, number + 1,
                                                        context.plan.rounds))
                lane.run(point.connections, context.plan.growth_seconds)
    finally:
        for point in points:
            point.server.stop()
    rows = [{"at": point.at, "workload": workload, "rounds": lane.rounds,
             **figures.summarise(lane.rounds)} for point, workload, lane in lanes]
    return dict(sweep, rows=rows)
