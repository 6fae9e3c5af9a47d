"""System calls per request, thread by thread, counted by strace.

In runs of their own: strace stops a thread at each call, so nothing else is to be learnt from
them. What matters is the number, and that is the better the busier the server is: one wake-up
serves all that has come. Hence 64 connections, and 1 for the other end of the scale.
"""
import os
import re
import signal
import subprocess

import generator
import process
import usage
from plan import KIB, progress
from servers import Rochefort
from wire import Failure

CONNECTIONS = (64, 1)
SECONDS = 1
STOP_SECONDS = 20
LINE = re.compile(r"^\s*[\d.]+\s+[\d.]+\s+\d+\s+(\d+)(?:\s+\d+)?\s+(\w+)$", re.M)


class Strace:
    """Counts the calls of one thread until it is stopped."""

    def __init__(self, tid, path):
        self.path, self.log_path = path, path + ".log"
        with open(self.log_path, "wb") as log:
            self.process = subprocess.Popen(
                ["strace", "-c", "-U", "time-percent,total-time,avg-time,calls,errors,name",
                 "-o", path, "-p", str(tid)], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                preexec_fn=process.die_with_parent)
        process.wait_for(self.attached, "strace to attach (does the kernel allow it?)")

    def attached(self):
        with open(self.log_path) as log:
            text = log.read()
        if self.process.poll() is not None:
            raise Failure("strace did not attach:\n" + text)
        return "attached" in text

    def stop(self):
        """{call: count}"""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
        try:
            self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(STOP_SECONDS)
        with open(self.path) as file:
            counts = {name: int(calls) for calls, name in LINE.findall(file.read())}
        counts.pop("total", None)
        return counts


def count(server, kind, size, connections, context):
    """Rows: the loop, and the workers together."""
    path = context.path("requests-calls")
    generator.write_requests(path, server.requests(kind, size), "%s:%d" % server.address)
    server.before(kind, size)  # making and opening files is not what a request costs
    tids, straces = usage.threads(server.pid), []
    try:
        for tid in tids:
            # without -f, which would take the other threads along: so each has its own count
            straces.append(Strace(tid, context.path("strace-%d" % tid)))
        result = generator.wrk(server.address, path, connections, SECONDS)
    finally:
        found = [strace.stop() for strace in straces]
    rows = []
    for name, counts in (("loop", found[:1]), ("workers", found[1:])):
        total = {}
        for one in counts:
            for call, number in one.items():
                total[call] = total.get(call, 0) + number / result["requests"]
        rows.append({"workload": "%s %d, %d conns" % (kind, size, connections), "thread": name,
                     "requests": result["requests"], "per_request": sum(total.values()),
                     "calls": dict(sorted(total.items(), key=lambda item: -item[1]))})
    os.unlink(path)
    return rows


def run(context):
    quick = len(context.plan.sizes) == 1
    workloads = [("append", 100), ("get", 100), ("getMulti", 100)]
    if not quick:
        workloads += [("append", 64 * KIB), ("get", 64 * KIB)]
    rows = []
    server = Rochefort(context.rochefort, context.fresh("calls"))
    try:
        for kind, size in workloads:
            for connections in CONNECTIONS[:1] if quick else CONNECTIONS:
                progress("calls: %s %d, %d connections" % (kind, size, connections))
                rows += count(server, kind, size, connections, context)
    finally:
        server.stop()
    return rows
