"""What a request costs besides time: system calls, instructions, allocations, and memory.

System calls are counted by strace, thread by thread, instructions and allocations by valgrind's
callgrind. Both slow the server down, so they have runs of their own. A slower server finds more
work at each wake-up; what is paid once a burst looks cheaper, and 1 connection shows it in full.
"""
import os
import re
import signal
import socket

import peers
import programs
import protocol
from conversation import Parser, converse, expect
from plan import MIB, SMALL, SMALL_OFFSETS, progress
from process import Failure, wait_for
from servers import Rochefort, appending_user
from speed import SPARE_DESCRIPTORS, Case, name_of
from table import summarise

LONG_CONNECTIONS = 8
SECONDS = 1
FIRST_CONNECTIONS = 50  # these pay for what is allocated once
BUSY_CONNECTIONS = 256
CONNECT_SECONDS = 20
CALL = re.compile(r"^\s*[\d.]+\s+[\d.]+\s+\d+\s+(\d+)(?:\s+\d+)?\s+(\w+)$", re.M)
ALLOCATIONS = ("malloc", "calloc", "realloc", "reallocarray", "aligned_alloc", "posix_memalign")


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
            counts = {name: int(calls) for calls, name in CALL.findall(file.read())}
        counts.pop("total", None)
        return counts


class TracedCase(Case):
    """Its runs are traced; self.counts has the calls of each thread."""

    def load(self, connections, seconds, limit):
        straces = []
        try:
            for member in programs.family(self.server.pid):
                for tid in programs.threads(member):
                    straces.append(Strace(tid, "%s-%d" % (self.path, tid)))
            return super().load(connections, seconds, limit)
        finally:
            self.counts = [strace.stop() for strace in straces]


def count_calls(context, server, kind, size, connections, reference):
    """Rows: the loop, and the workers together if there are any."""
    progress("calls: %s, %d connections, %s" % (name_of(kind, size), connections, server.name))
    case = TracedCase(server, context, server.workload(kind, size, reference))
    requests = case.run(connections, SECONDS)["requests"]
    case.done()
    rows = []
    for thread, counts in (("loop", case.counts[:1]), ("workers", case.counts[1:])):
        calls = {}
        for call, number in (pair for one in counts for pair in one.items()):
            calls[call] = calls.get(call, 0) + number / requests
        if counts:
            row = {"server": server.name, "what": name_of(kind, size), "workload": kind,
                   "size": size, "connections": connections, "thread": thread,
                   "per_request": sum(calls.values()),
                   "calls": dict(sorted(calls.items(), key=lambda item: -item[1]))}
            if kind != "getMulti" and size > SMALL:
                row["per_mib"] = row["per_request"] * MIB / size
            rows.append(row)
    return rows


def calls(context):
    plan, rows, directory = context.plan, [], context.fresh("calls")
    everybody = [Rochefort(context.rochefort, directory)]
    try:
        everybody += [peers.Ceiling(context.ceiling, directory, mode)
                      for mode in peers.Ceiling.NAMES]
        ours = everybody[0]
        for kind in ("append", "get"):
            for connections in plan.calls_connections:
                rows += count_calls(context, ours, kind, SMALL, connections, ours)
        rows += count_calls(context, ours, "getMulti", SMALL_OFFSETS, LONG_CONNECTIONS, ours)
        for size in plan.calls_sizes:
            for server in everybody:
                rows += count_calls(context, server, "append", size, LONG_CONNECTIONS, ours)
    finally:
        for server in everybody:
            server.stop()
    return {"rows": rows}


def callgrind(context, binary, name, kind, size, connections, requests):
    """Instructions and allocations of a request, all threads, from `requests` of them."""
    directory = context.fresh("callgrind")
    out = os.path.join(directory, "out")
    server = Rochefort(binary, directory, name=name, wrapper=(
        "valgrind", "-q", "--tool=callgrind", "--callgrind-out-file=" + out))
    try:
        case = Case(server, context, server.workload(kind, size, None))
        server.prepare(case.workload)
        programs.run(["callgrind_control", "-z", str(server.pid)], SECONDS)
        result = case.load(connections, CONNECT_SECONDS, requests)
        programs.run(["callgrind_control", "-d", str(server.pid)], SECONDS)
    finally:
        server.program.stop()
    with open(out + ".1") as file:
        text = file.read()
    names = dict(re.findall(r"^c?fn=\((\d+)\) (\S+)$", text, re.M))  # only where it is first used
    calls = re.findall(r"^cfn=\((\d+)\).*\ncalls=(\d+) ", text, re.M)
    allocations = sum(int(n) for function, n in calls if names.get(function) in ALLOCATIONS)
    instructions = int(re.search(r"^totals: (\d+)", text, re.M).group(1))
    return {"server": name, "what": name_of(kind, size), "connections": connections,
            "instructions": instructions / result["requests"],
            "allocations": allocations / result["requests"]}


def connect(address, request, sockets, count):
    """Opens that many connections more, each with one request served."""
    data = request.render("%s:%d" % address)
    for _ in range(count):
        sock = socket.create_connection(address, CONNECT_SECONDS)
        sockets.append(sock)
        sock.sendall(data)
        parser, reply = Parser(), None
        while reply is None:
            part = sock.recv(1 << 16)
            if not part:
                raise Failure("a reply is lost\n  request: %s" % request)
            reply = parser.feed(part)
        expect(reply.status == 200, request, reply, "expected 200")


def idle(server, count):
    """Resident memory that each idle connection adds."""
    request, sockets = protocol.get("id", 0), []
    if isinstance(server, Rochefort):
        converse(server.address, [appending_user([], "id", [bytes(SMALL)], None)])
    try:
        connect(server.address, request, sockets, FIRST_CONNECTIONS)
        before = programs.memory_bytes(server.pid, "VmRSS")
        connect(server.address, request, sockets, count)
        after = programs.memory_bytes(server.pid, "VmRSS")
    finally:
        for sock in sockets:
            sock.close()
    return {"bytes_per_connection": (after - before) / count, "peak_rss_bytes": after}


def memory(context):
    """Rows: idle connections, on all; and ours with busy ones. A fresh server for each run."""
    count = min(context.plan.memory_connections,
                context.descriptors - SPARE_DESCRIPTORS - FIRST_CONNECTIONS)
    starts = [lambda directory: Rochefort(context.rochefort, directory),
              lambda directory: peers.Ceiling(context.ceiling, directory, "own"),
              lambda directory: peers.Ceiling(context.ceiling, directory, "plain"),
              peers.NginxFile]
    busy = [("mixed", SMALL)] + [(kind, size) for size in context.plan.memory_sizes
                                 for kind in ("append", "get")]
    rounds = {}

    def run(case):
        start, kind, size = case
        server = start(context.fresh("memory"))
        try:
            if kind is None:
                found, key = idle(server, count), (server.name, "idle", kind, size, count)
            else:
                loaded = Case(server, context, server.workload(kind, size, None))
                seconds = context.plan.seconds_of(kind, size, BUSY_CONNECTIONS)
                peak = loaded.run(BUSY_CONNECTIONS, seconds)["peak_rss_bytes"]
                loaded.done()
                found = {"peak_rss_bytes": peak}
                key = (server.name, name_of(kind, size), kind, size, BUSY_CONNECTIONS)
        finally:
            server.stop()
        rounds.setdefault(key, []).append(found)
    cases = {"idle %d" % n: (start, None, None) for n, start in enumerate(starts, 1)}
    cases.update((name_of(*cell), (starts[0], *cell)) for cell in busy)
    context.rounds("memory", cases, run)
    return {"rows": [{"server": name, "what": what, "workload": kind or "idle", "size": size or 0,
                      "connections": connections, **summarise(found), "rounds": found}
                     for (name, what, kind, size, connections), found in rounds.items()]}
