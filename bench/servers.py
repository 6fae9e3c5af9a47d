"""Servers that speak the protocol: rochefort, started here, and any other, given as a URL.

Whoever is measured is a Contestant; those that speak something else are in peers.py.
"""
import functools
import os
import random
import shutil
import urllib.parse

import ledger as protocol
import programs
import users
from plan import SMALL
from process import START_LINE, Failure, wait_for
from wire import ask, converse, expect

FILL_BYTES = 32 << 20  # so much is stored for the reads of one size
FILL_RECORDS = 1000
IDS = 100


@functools.lru_cache
def values_of(size):
    """The values that a workload of this size appends, and later reads."""
    rng = random.Random(size)
    count = max(4, min(FILL_RECORDS, FILL_BYTES // size))
    return [rng.randbytes(size) for _ in range(count)]


class Contestant:
    """Somebody at `address` who can be measured."""

    name = address = None
    pid = None  # None: runs elsewhere, and what it uses cannot be seen

    def stop(self):
        """Ends what was started here."""

    def requests(self, kind, size):
        """What to send for a workload, or None if that is not possible. `size` is that of the
        values; for getMulti it is the number of offsets."""
        return None

    def values(self, kind, size):
        """How many values a request of the workload is about."""
        return 1

    def reply_bytes(self, kind, request):
        """How long each reply is, where all are equally long."""
        if kind not in ("get", "getMulti"):
            return None
        reply = ask(self.address, request)
        expect(reply.status == 200, request, reply, "expected 200")
        if "transfer-encoding" in reply.headers:
            return None  # in pieces, and these are as they come
        return reply.head_bytes + len(reply.body)

    def before(self, kind, size):
        """Before each round. Answers how many appends it made."""
        return 0

    def after(self, kind, size, result, connections):
        """After each round: checks what was stored, and lets go of it."""


class Speaker(Contestant):
    """A server that speaks the protocol; perhaps not ours."""

    def __init__(self, name, url):
        try:
            parts = urllib.parse.urlsplit(url)
            host, port = parts.hostname, parts.port or 80
        except ValueError:
            host = None
        if not host or parts.scheme != "http" or parts.path not in ("", "/"):
            raise Failure("--peer %s: %s is not of the form http://host:port" % (name, url))
        self.name, self.address = name, (host, port)
        self.filled = {}

    def fill(self, size):
        """[(id, offset)] of what is stored for reads of this size; once."""
        if size not in self.filled:
            values, prefix = values_of(size), "fill%d" % size
            ids = ["id%d" % n for n in range(min(IDS, len(values)))]
            found = [[] for _ in ids]
            converse(self.address, [
                users.filling_user(found[n], id, values[n::len(ids)], prefix)
                for n, id in enumerate(ids)])
            self.filled[size] = [place for places in found for place in places]
        return self.filled[size]

    def multi_offsets(self):
        """Those of the values for getMulti: all under one id."""
        if "multi" not in self.filled:
            found = []
            converse(self.address,
                     [users.filling_user(found, "multi", values_of(SMALL), "fillmulti")])
            self.filled["multi"] = [offset for _, offset in found]
        return self.filled["multi"]

    def requests(self, kind, size):
        if kind == "get":
            return [protocol.get(id, offset, "fill%d" % size) for id, offset in self.fill(size)]
        if kind == "append":
            return [protocol.append("id%d" % (n % IDS), value, "timed")
                    for n, value in enumerate(values_of(size))]
        if kind == "mixed":
            pairs = zip(self.requests("append", size), self.requests("get", size))
            return [request for pair in pairs for request in pair]
        if kind == "getMulti":
            offsets, rng = self.multi_offsets(), random.Random(size)
            return [protocol.get_multi("multi", rng.choices(offsets, k=size), "fillmulti")
                    for _ in range(20)]
        return None

    def values(self, kind, size):
        return size if kind == "getMulti" else 1

    def before(self, kind, size):
        """One append an id, so that the files are made and open when the round begins."""
        if kind not in ("append", "mixed"):
            return 0
        values = values_of(size)
        return converse(self.address, [users.filling_user([], "id%d" % n, values[:1], "timed")
                                       for n in range(min(IDS, len(values)))])

    def after(self, kind, size, result, connections):
        if kind in ("append", "mixed"):
            ask(self.address, protocol.close("timed"))


class Rochefort(Speaker):
    """Ours, started here; its data is in `root`."""

    name = "rochefort"

    def __init__(self, binary, directory, *flags, env=None):
        self.filled = {}
        os.makedirs(directory, exist_ok=True)
        self.root = os.path.join(directory, "root")
        self.program = programs.Program(
            [binary, "-bind", "127.0.0.1:0", "-root", self.root, *flags],
            os.path.join(directory, "log"), env)
        self.pid = self.program.pid
        self.address = "127.0.0.1", int(self.program.wait_for_log(START_LINE).group(1))
        self.listening_sockets = self.program.sockets()

    def wait_for_clients(self):
        """What was under way when a generator broke off may still be going into a file."""
        wait_for(lambda: self.program.sockets() <= self.listening_sockets, "clients to be let go")

    def stop(self):
        status = self.program.stop()
        if status != 0:
            raise Failure("rochefort ended with %s:\n%s" % (status, self.program.log()))

    def drop(self, prefix):
        """Closes a prefix and deletes it."""
        request = protocol.close(prefix)
        reply = ask(self.address, request)
        expect((reply.status, reply.body) == (200, b'{"success":true}'), request, reply,
               'expected 200 and {"success":true}')
        shutil.rmtree(os.path.join(self.root, prefix))

    def after(self, kind, size, result, connections):
        """The files must hold what was sent, and as many records as were answered."""
        if kind not in ("append", "mixed"):
            return
        low, high = result["requests"], result["requests"] + connections
        if kind == "mixed":  # every second one is an append, whichever a thread begins with
            low, high = (low - connections) // 2, high // 2 + connections
        self.check_stored(["timed"], values_of(size), result["before"] + low,
                          result["before"] + high, self.requests(kind, size)[0])
        self.drop("timed")

    def check_stored(self, prefixes, values, low, high, request, begin=0):
        """That the files of these prefixes hold so many records, all of these values; answers the
        number. `begin` is where the first record is."""
        self.wait_for_clients()
        known = set(values)
        found = sum(protocol.count_known(os.path.join(self.root, prefix), known, begin)
                    for prefix in prefixes)
        if not low <= found <= high:
            raise Failure("after what was answered the files must hold %d to %d records, but hold "
                          "%d\n  request: %s" % (low, high, found, request))
        return found


class WithoutDisk(Rochefort):
    """Ours, with a disk that costs nothing: what is left is HTTP and the way to a disk thread and
    back. What it answers to a get is not what was stored; see no_disk.c."""

    name = "rochefort, no disk"

    def __init__(self, binary, library, directory):
        super().__init__(binary, directory, env={
            **os.environ, "LD_PRELOAD": library, "NO_DISK_BYTES": str(SMALL)})

    def requests(self, kind, size):
        if kind == "getMulti" or size != SMALL:
            return None
        return super().requests(kind, size)

    def after(self, kind, size, result, connections):
        if kind in ("append", "mixed"):
            self.wait_for_clients()
            self.drop("timed")
