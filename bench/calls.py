"""System calls per request, thread by thread, counted by strace.

In runs of their own: strace stops a thread at each call, so nothing else is to be learnt from
them. What matters is the number, and that is the better the busier the server is: one wake-up
serves all that has come. Hence 64 connections, and 1 for the other end of the scale. For long
values the number per MiB tells how large the pieces are that the loop takes from a socket; evhttp
as it comes is beside it.
"""
import re
import signal

import peers
import programs
import speed
import usage
from peers import SMALL_OFFSETS
from plan import MIB, SMALL, progress
from process import Failure, wait_for
from servers import Rochefort

LONG_CONNECTIONS = 8
SECONDS = 1
LINE = re.compile(r"^\s*[\d.]+\s+[\d.]+\s+\d+\s+(\d+)(?:\s+\d+)?\s+(\w+)$", re.M)


class Strace:
    """Counts the calls of one thread until it is stopped."""

    def __init__(self, tid, path):
        self.path = path
        self.program = programs.Program(
            ["strace", "-c", "-U", "time-percent,total-time,avg-time,calls,errors,name", "-o", path,
             "-p", str(tid)], path + ".log")
        wait_for(self.attached, "strace to attach (does the kernel allow it?)")

    def attached(self):
        ended = self.program.popen.poll() is not None
        if ended:
            raise Failure("strace did not attach:\n" + self.program.log())
        return "attached" in self.program.log()

    def stop(self):
        """{call: count}"""
        self.program.stop(signal.SIGINT)
        with open(self.path) as file:
            counts = {name: int(calls) for calls, name in LINE.findall(file.read())}
        counts.pop("total", None)
        return counts


class TracedLane(speed.Lane):
    """A lane whose runs are traced; each leaves what was counted in self.counts, a thread each."""

    def __init__(self, contestant, context, kind, size):
        super().__init__(contestant, context, kind, size, contestant.requests(kind, size))
        self.context, self.counts = context, []

    def load(self, connections, seconds, mode):
        straces = []
        try:
            for tid in usage.threads(self.contestant.pid):
                # without -f, which would take the other threads along: so each has its own count
                straces.append(Strace(tid, self.context.file("strace")))
            return super().load(connections, seconds, mode)
        finally:
            self.counts = [strace.stop() for strace in straces]


def count(contestant, kind, size, connections, context):
    """Rows: the loop, and the workers together if there are any."""
    progress("calls: %s %d, %d connections, %s" % (kind, size, connections, contestant.name))
    lane = TracedLane(contestant, context, kind, size)
    requests = lane.run(connections, SECONDS)["requests"]
    lane.done()
    rows = []
    for thread, counts in (("loop", lane.counts[:1]), ("workers", lane.counts[1:])):
        calls = {}
        for one in counts:
            for call, number in one.items():
                calls[call] = calls.get(call, 0) + number / requests
        if not counts:
            continue
        row = {"server": contestant.name, "workload": kind, "size": size,
               "connections": connections, "thread": thread, "requests": requests,
               "per_request": sum(calls.values()),
               "calls": dict(sorted(calls.items(), key=lambda item: -item[1]))}
        if kind != "getMulti" and size > SMALL:
            row["per_mib"] = row["per_request"] * MIB / size
        rows.append(row)
    return rows


def run(context):
    plan, rows = context.plan, []
    directory = context.fresh("calls")
    everybody = [Rochefort(context.rochefort, directory)]
    try:
        for mode in ("own", "plain"):
            everybody.append(peers.Ceiling(context.ceiling, directory, mode))
        for kind in ("append", "get"):
            for connections in plan.calls_small:
                rows += count(everybody[0], kind, SMALL, connections, context)
        rows += count(everybody[0], "getMulti", SMALL_OFFSETS, LONG_CONNECTIONS, context)
        for size in plan.calls_sizes:
            for contestant in everybody:
                rows += count(contestant, "append", size, LONG_CONNECTIONS, context)
    finally:
        for contestant in everybody:
            contestant.stop()
    return rows
