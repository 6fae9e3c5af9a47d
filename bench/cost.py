"""What a request costs besides time: system calls, instructions, allocations, and memory.

System calls are counted by strace, thread by thread, instructions and allocations by valgrind's
callgrind. Both slow the server down, so they have runs of their own. A slower server finds more
work at each wake-up; what is paid once a burst looks cheaper, and 1 connection shows it in full.
"""
import os
import re
import signal
import socket
import threading

import peers
import programs
import protocol
from conversation import Parser, Request, ask, converse, expect
from plan import MIB, SMALL, SMALL_OFFSETS, progress
from process import Failure, wait_for
from servers import Rochefort, appending_user
from speed import SPARE_DESCRIPTORS, Case, name_of
from table import summarise

LONG_CONNECTIONS = 8
SECONDS = 1
FIRST_CONNECTIONS = 50  # these pay for what is allocated once
BUSY = (("mixed", SMALL, 256), ("get", MIB, 64))
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


def count_calls(context, server, kind, size, connections):
    """Rows: the loop, and the workers together if there are any."""
    progress("calls: %s, %d connections, %s" % (name_of(kind, size), connections, server.name))
    case = TracedCase(server, context, server.workload(kind, size, None))
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
    rows, server = [], Rochefort(context.rochefort, context.fresh("calls"))
    try:
        for kind in ("append", "get"):
            for connections in context.plan.calls_connections:
                rows += count_calls(context, server, kind, SMALL, connections)
            rows += count_calls(context, server, kind, MIB, LONG_CONNECTIONS)
        rows += count_calls(context, server, "getMulti", SMALL_OFFSETS, LONG_CONNECTIONS)
    finally:
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


class BudgetCase(Case):
    """Looks at what the server has reserved for requests and replies while it is under load."""

    SECONDS = 0.02
    GAUGE = re.compile(rb"^rochefort_buffered_bytes (\d+)", re.M)

    def load(self, connections, seconds, limit):
        self.most, ended = 0, threading.Event()

        def watch():
            while not ended.wait(self.SECONDS):
                page = ask(self.server.address, Request("GET", "/metrics")).body
                self.most = max(self.most, int(self.GAUGE.search(page).group(1)))
        watcher = threading.Thread(target=watch)
        watcher.start()
        try:
            return super().load(connections, seconds, limit)
        finally:
            ended.set()
            watcher.join()


def busy(server, context, kind, size, connections):
    """The peak of resident memory, and by how much it is over what was reserved and a fresh start."""
    fresh = programs.memory_bytes(server.pid, "VmRSS")
    case = BudgetCase(server, context, server.workload(kind, size, None))
    peak = case.run(connections, context.plan.seconds_of(size, connections))["peak_rss_bytes"]
    case.done()
    return {"peak_rss_bytes": peak, "reserved_bytes": case.most,
            "beyond_bytes": peak - fresh - case.most}


def memory(context):
    """Rows: idle connections, on all; and ours with busy ones. A fresh server for each run."""
    count = min(context.plan.memory_connections,
                context.descriptors - SPARE_DESCRIPTORS - FIRST_CONNECTIONS)
    starts = {"rochefort": lambda directory: Rochefort(context.rochefort, directory),
              **{name: lambda directory, mode=mode: peers.Ceiling(context.ceiling, directory, mode)
                 for mode, name in peers.Ceiling.NAMES.items()}, "nginx": peers.NginxFile}
    cases = {(name, "idle", 0, count): [] for name in starts}
    cases.update({("rochefort", *load): [] for load in BUSY})

    def run(case):
        name, kind, size, connections = case
        server = starts[name](context.fresh("memory"))
        try:
            cases[case].append(idle(server, count) if kind == "idle" else
                               busy(server, context, kind, size, connections))
        finally:
            server.stop()
    context.rounds("memory", {"%s, %s" % case[:2]: case for case in cases}, run)
    return {"rows": [{"server": name, "what": name_of(kind, size) if size else kind,
                      "workload": kind, "size": size, "connections": connections,
                      **summarise(found), "rounds": found}
                     for (name, kind, size, connections), found in cases.items()]}
