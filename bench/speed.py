"""The timed runs: each workload, on all that can do it, round by round.

A round is one run of each contestant, one after the other, so that what else the machine does
meets all of them alike; ratios are taken within a round.
"""
import os

import figures
import generator
import peers
import usage
from plan import progress
from servers import Rochefort, Speaker

REDIS_TRIAL = 2000
REDIS_BYTES_MAX = 2 << 30  # of one run, of the append-only file
KINDS = ("append", "get", "getMulti", "mixed")


def start_all(context):
    """Ours first: the others are held against it."""
    directory = context.fresh("speed")
    everybody = [Rochefort(context.rochefort, os.path.join(directory, "rochefort"))]
    everybody += [Speaker(name, url) for name, url in context.strangers]
    everybody += [peers.Ceiling(context.ceiling, directory, "own"),
                  peers.Ceiling(context.ceiling, directory, "plain"),
                  peers.Nginx(context.fresh("nginx")),
                  peers.Redis(os.path.join(directory, "redis"), False),
                  peers.Redis(os.path.join(directory, "redis-aof"), True)]
    return everybody


class Lane:
    """A contestant, ready for one workload."""

    def __init__(self, contestant, context, kind, size, requests):
        self.contestant, self.kind, self.size, self.rounds = contestant, kind, size, []
        self.is_redis = isinstance(contestant, peers.Redis)
        if self.is_redis:
            if kind == "get":
                contestant.fill(size)
            return
        self.path = os.path.join(context.directory, "requests-%d" % id(self))
        generator.write_requests(self.path, requests, "%s:%d" % contestant.address)
        self.first = requests[0]
        self.reply_bytes = contestant.reply_bytes(kind, requests[0])

    def run(self, connections, seconds):
        """One round."""
        made = self.contestant.before(self.kind, self.size)
        pid = self.contestant.pid
        if pid:
            usage.reset_peak(pid)
        before = usage.snapshot(pid) if pid else {}
        result = self.load(connections, seconds)
        result["before"] = made
        if pid:
            counted = result["requests"] + result.pop("trial", 0)
            result.update(usage.between(before, usage.snapshot(pid), counted))
            result["peak_rss_bytes"] = usage.peak_rss_bytes(pid)
        self.contestant.after(self.kind, self.size, result, connections)
        self.rounds.append(result)

    def load(self, connections, seconds):
        if self.is_redis:
            return self.load_redis(connections, seconds)
        result = generator.wrk(self.contestant.address, self.path, connections, seconds)
        if self.reply_bytes is not None:
            generator.check_bytes(result, self.reply_bytes, connections, self.first)
        return result

    def load_redis(self, connections, seconds):
        """redis-benchmark takes a number of requests; a short trial says how many fill the time."""
        command = {"append": "set", "get": "get"}[self.kind]
        keys = len(peers.values_of(self.size))
        most = max(200, REDIS_BYTES_MAX // self.size)
        trial = min(REDIS_TRIAL, max(200, most // 20))
        rate = generator.redis_benchmark(self.contestant.address, command, self.size, connections,
                                         trial, keys)["per_second"]
        count = max(trial, min(most, int(rate * seconds)))
        result = generator.redis_benchmark(self.contestant.address, command, self.size,
                                           connections, count, keys)
        result["trial"] = trial
        return result

    def done(self):
        if not self.is_redis:
            os.unlink(self.path)


def cells(plan, kinds):
    """All workloads: (kind, size or number of offsets)."""
    for kind in kinds:
        if kind == "mixed":
            yield kind, plan.sizes[0]
        else:
            for size in plan.offsets if kind == "getMulti" else plan.sizes:
                yield kind, size


def measure(context, everybody, kind, size):
    """One row a contestant and number of connections."""
    rows = []
    for connections in context.plan.connections:
        lanes = []
        for contestant in everybody:
            requests = contestant.requests(kind, size)
            if requests is not None:
                lanes.append(Lane(contestant, context, kind, size, requests))
        for number in range(context.plan.rounds):
            for lane in lanes:
                progress("%s %d, %d connections, round %d of %d: %s" % (
                    kind, size, connections, number + 1, context.plan.rounds,
                    lane.contestant.name))
                lane.run(connections, context.plan.seconds)
        for lane in lanes:
            row = {"workload": kind, "size": size, "connections": connections,
                   "server": lane.contestant.name, "rounds": lane.rounds}
            row.update(figures.summarise(lane.rounds))
            row["ratio"] = figures.ratio(lanes[0].rounds, lane.rounds)
            rows.append(row)
            lane.done()
    return rows


def run(context, kinds=KINDS):
    everybody, rows = [], []
    try:
        everybody = start_all(context)
        for kind, size in cells(context.plan, kinds):
            rows += measure(context, everybody, kind, size)
    finally:
        for contestant in everybody:
            contestant.stop()
    return rows
