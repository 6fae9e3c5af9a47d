"""The timed runs: each workload, on all that can do it, round by round.

A round is one run of each contestant, one after the other, so that what else the machine does
meets all of them alike; ratios are taken within a round.
"""
import os

import figures
import generator
import peers
import usage
from plan import SMALL, progress
from process import Failure
from servers import Rochefort, Speaker, WithoutDisk

REDIS_TRIAL = 2000
REDIS_BYTES_MAX = 1 << 30  # of one run, of the append-only file
SECONDS_MAX = 60
KINDS = ("append", "get", "getMulti", "mixed")


def start_all(context, everybody):
    """Adds them to the list, ours first: the others are held against it."""
    directory = context.fresh("speed")
    everybody.append(Rochefort(context.rochefort, os.path.join(directory, "rochefort")))
    everybody += [Speaker(name, url) for name, url in context.strangers]
    everybody.append(WithoutDisk(context.rochefort, context.no_disk,
                                 os.path.join(directory, "no-disk")))
    everybody += [peers.Ceiling(context.ceiling, directory, "own"),
                  # what our sockets are worth for long values is told in calls.py
                  peers.Ceiling(context.ceiling, directory, "plain", (SMALL,))]
    nginx = peers.Nginx(context.fresh("nginx"))
    everybody += [peers.NginxFile(nginx), peers.NginxPut(nginx)]
    for name, append_only in (("redis", False), ("redis-aof", True)):
        everybody.append(peers.Redis(os.path.join(directory, name), append_only))


class Lane:
    """A contestant, ready for one workload."""

    def __init__(self, contestant, context, kind, size, requests):
        self.contestant, self.kind, self.size, self.rounds = contestant, kind, size, []
        self.values = contestant.values(kind, size)
        self.is_redis = isinstance(contestant, peers.Redis)
        if self.is_redis:
            if kind == "get":
                contestant.fill(size)
            return
        self.path = context.file("requests")
        generator.write_requests(self.path, requests, "%s:%d" % contestant.address)
        self.first = requests[0]
        is_get = self.first.method == "GET"
        self.reply_bytes = contestant.reply_bytes("get" if is_get else kind, self.first)

    def run(self, connections, seconds, *mode):
        """One round; once more and longer if not one request was answered in its time."""
        result = self.attempt(connections, seconds, mode)
        while not result["requests"]:
            seconds *= 2
            if seconds > SECONDS_MAX:
                raise Failure("nothing was answered in %d s\n  request: %s" % (seconds / 2,
                                                                               self.first))
            result = self.attempt(connections, seconds, mode)
        self.rounds.append(result)
        return result

    def attempt(self, connections, seconds, mode):
        made = self.contestant.before(self.kind, self.size)
        pid = self.contestant.pid
        if pid:
            usage.reset_peak(pid)
        before = usage.snapshot(pid) if pid else {}
        if self.is_redis:
            result = self.load_redis(connections, seconds)
        else:
            result = self.load(connections, seconds, mode)
        if pid:
            counted = result["requests"] + result.pop("trial", 0)
            result.update(usage.between(before, usage.snapshot(pid), counted))
            result["peak_rss_bytes"] = usage.peak_rss_bytes(pid)
        result["before"] = made
        result["values_per_second"] = result["per_second"] * self.values
        self.contestant.after(self.kind, self.size, result, connections)
        return result

    def load(self, connections, seconds, mode):
        result = generator.wrk(self.contestant.address, self.path, connections, seconds, *mode)
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
            yield kind, SMALL
        else:
            for size in plan.offsets if kind == "getMulti" else plan.sizes:
                yield kind, size


def measure(context, everybody, kind, size, connections):
    """One row a contestant."""
    seconds = context.plan.seconds_of(kind, size, connections)
    asked = [(contestant, contestant.requests(kind, size)) for contestant in everybody]
    lanes = [Lane(contestant, context, kind, size, requests) for contestant, requests in asked
             if requests is not None]

    def run(lane, what):
        progress("%s %d, %d connections, %s: %s" % (kind, size, connections, what,
                                                    lane.contestant.name))
        lane.run(connections, seconds)
    context.rounds(lanes, run)
    rows = []
    for lane in lanes:
        rows.append({"workload": kind, "size": size, "connections": connections,
                     "server": lane.contestant.name, **figures.summarise(lane.rounds),
                     "ratio": figures.ratio(lanes[0].rounds, lane.rounds, "values_per_second"),
                     "ratio_p50": figures.ratio(lanes[0].rounds, lane.rounds, "p50_us"),
                     "rounds": lane.rounds})
        lane.done()
    return rows


def run(context, kinds=KINDS):
    everybody, rows = [], []
    try:
        start_all(context, everybody)
        for kind, size in cells(context.plan, kinds):
            for connections in context.plan.connections:
                rows += measure(context, everybody, kind, size, connections)
    finally:
        for contestant in everybody:
            contestant.stop()
    return rows
