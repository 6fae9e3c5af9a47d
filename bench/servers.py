"""The servers that are measured: rochefort, and others that speak its protocol; see peers.py.

All that are started here listen on a free port of the loopback and keep their data in a fresh
directory.
"""
import dataclasses
import functools
import json
import os
import random
import shutil
import urllib.parse

import load
import programs
import protocol
import records
from conversation import ask, converse, expect
from plan import SMALL
from process import START_LINE, Failure, wait_for

FILL_BYTES = 32 << 20  # stored for the reads of one size, at most
FILL_RECORDS = 1000
IDS = 100
ESTABLISHED, CLOSE_WAIT = "01", "08"  # in /proc/net/tcp


@functools.lru_cache
def values_of(size):
    """The values of one size that are appended and read."""
    rng = random.Random(size)
    return [rng.randbytes(size) for _ in range(max(4, min(FILL_RECORDS, FILL_BYTES // size)))]


def open_connections(port):
    """How many connections of a server have not ended, by the kernel's table."""
    with open("/proc/net/tcp") as file:
        rows = [line.split() for line in file.readlines()[1:]]
    return sum(row[1].endswith(":%04X" % port) and row[3] in (ESTABLISHED, CLOSE_WAIT)
               for row in rows)


def appending_user(found, id, values, prefix):
    """For converse(): appends these; the offsets are added to `found`."""
    for value in values:
        request = protocol.append(id, value, prefix)
        reply = yield request
        expect(reply.status == 200, request, reply, "expected 200")
        found.append(json.loads(reply.body)["offset"])


@dataclasses.dataclass
class Workload:
    """What a server is sent in a run, and what it must have stored at the end."""

    kind: str  # append, appendMulti, get, getMulti or mixed: an append and a get in turn
    size: int  # of the values; for getMulti the number of offsets
    requests: list  # of (Request, the body that must come back, or None: not compared)
    values: int = 1  # a request
    prefixes: tuple = ()  # that are appended to
    known: tuple = ()  # every value in their files is one of these
    begin: int = 0  # the offset of the first record
    stored: int = None  # how many there are; None: the prefixes are made anew for each run


class Server:
    """One that is measured."""

    name = address = root = None
    pid = None  # None: it was not started here, and what it uses is not known

    def workload(self, kind, size, reference):
        """What to send, or None if it cannot do that. `reference` is the first Rochefort."""
        return None

    def prepare(self, workload):
        """Before each run; returns how many records there are."""
        return 0

    def run(self, path, workload, connections, seconds, limit):
        return load.wrk(self.address, path, connections, seconds, limit)

    def finish(self, workload, result, connections):
        """After each run."""

    def stop(self):
        pass


class Speaker(Server):
    """Speaks rochefort's protocol; runs elsewhere."""

    def __init__(self, name, url):
        try:
            parts = urllib.parse.urlsplit(url)
            host, port = parts.hostname, parts.port or 80
        except ValueError:
            host = None
        if not host or parts.scheme != "http" or parts.path not in ("", "/"):
            raise Failure("--peer %s: %s is not of the form http://host:port" % (name, url))
        self.name, self.address, self.filled = name, (host, port), {}

    def fill(self, prefix, values, ids):
        """[(id, offset, value)] of values stored for reads; once."""
        if prefix not in self.filled:
            found = {id: [] for id in ids}
            converse(self.address, [appending_user(found[id], id, values[n::len(ids)], prefix)
                                    for n, id in enumerate(ids)])
            self.filled[prefix] = [(id, *pair) for n, id in enumerate(ids)
                                   for pair in zip(found[id], values[n::len(ids)])]
        return self.filled[prefix]

    def workload(self, kind, size, reference):
        if kind == "getMulti":
            places, rng = self.fill("fillmulti", values_of(SMALL), ["multi"]), random.Random(size)

            def choose():
                """Some at random; of more than there are all, again and again, in their order."""
                return (rng.choices(places, k=size) if size <= len(places)
                        else (places * -(-size // len(places)))[:size])
            requests = [(protocol.get_multi("multi", [offset for _, offset, _ in chosen],
                                            "fillmulti"),
                         b"".join(SMALL.to_bytes(4, "little") + value for _, _, value in chosen))
                        for chosen in (choose() for _ in range(20))]
            return Workload(kind, size, requests, values=size)
        values, prefix = values_of(size), "fill%d" % size
        appends = [(protocol.append("id%d" % (n % IDS), value, "timed"), None)
                   for n, value in enumerate(values)]
        if kind == "append":
            return Workload(kind, size, appends, prefixes=("timed",), known=values)
        gets = [(protocol.get(id, offset, prefix), value) for id, offset, value in self.fill(
            prefix, values, ["id%d" % n for n in range(min(IDS, len(values)))])]
        if kind == "get":
            return Workload(kind, size, gets)
        return Workload(kind, size, [request for pair in zip(appends, gets) for request in pair],
                        prefixes=("timed",), known=values)

    def prepare(self, workload):
        """One append an id, so that the files are open when the run begins; returns how many
        records there are then."""
        if not workload.prefixes:
            return 0
        ids = ["id"] if workload.stored is not None else [
            "id%d" % n for n in range(min(IDS, len(workload.known)))]

        def user(id):
            for prefix in workload.prefixes:
                yield from appending_user([], id, workload.known[:1], prefix)
        return (workload.stored or 0) + converse(self.address, [user(id) for id in ids])

    def finish(self, workload, result, connections):
        """Closes what was appended to, which waits for appends in flight."""
        for prefix in workload.prefixes:
            request = protocol.close(prefix)
            reply = ask(self.address, request)
            expect(reply.status == 200, request, reply, "expected 200")


class Rochefort(Speaker):
    """Ours, started here with its data in `root`."""

    idle = 0  # connections that somebody holds open beside the runs

    def __init__(self, binary, directory, *flags, name="rochefort", wrapper=()):
        self.name, self.filled = name, {}
        os.makedirs(directory, exist_ok=True)
        self.root = os.path.join(directory, "root")
        self.program = programs.Program([*wrapper, binary, "-bind", "127.0.0.1:0", "-root",
                                         self.root, *flags], os.path.join(directory, "log"))
        self.pid = self.program.pid
        self.address = "127.0.0.1", int(self.program.wait_for_log(START_LINE).group(1))

    def stop(self):
        status = self.program.stop()
        if status != 0:
            raise Failure("%s ended with %s:\n%s" % (self.name, status, self.program.log()))

    def finish(self, workload, result, connections):
        """The files hold only what was sent, and as many records as were answered; those that were
        in flight at the end, one a connection, may have been stored or not."""
        # a request that is still in a socket would be stored after the close
        wait_for(lambda: open_connections(self.address[1]) <= self.idle, "connections to end")
        super().finish(workload, result, connections)
        if not workload.prefixes:
            return
        low = result["requests"] * workload.values
        high = low + connections * workload.values
        if workload.kind == "mixed":  # every other one is an append, whichever a thread begins with
            low, high = (low - connections) // 2, high // 2 + connections
        known = set(workload.known)
        found = sum(records.count_known(os.path.join(self.root, prefix), known, workload.begin)
                    for prefix in workload.prefixes)
        if not low <= found - result["before"] <= high:
            raise Failure("%d to %d records must have been stored, but %d were\n  request: %s" % (
                low, high, found - result["before"], workload.requests[0][0]))
        if workload.stored is not None:
            workload.stored = found
            return
        for prefix in workload.prefixes:
            shutil.rmtree(os.path.join(self.root, prefix))
