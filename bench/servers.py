"""Servers that speak the protocol: rochefort, started here, and any other, given as a URL.

A contestant says by requests() what to send it for a workload, or None if it cannot do that; so do
those of peers.py.
"""
import os
import random
import shutil
import urllib.parse

import ledger as protocol
import process
import records
import users
from wire import Failure, ask, converse

FILL_BYTES = 32 << 20  # so much is stored for the reads of one size
FILL_RECORDS = 1000
IDS = 100
MULTI_BYTES = 100


def values_of(size, seed=1):
    """The values that a workload of this size appends, and later reads."""
    rng = random.Random(seed * 1000003 + size)
    count = max(4, min(FILL_RECORDS, FILL_BYTES // size))
    return [rng.randbytes(size) for _ in range(count)]


class Speaker:
    """A server that speaks the protocol, at an address; perhaps not ours."""

    pid = root = None

    def __init__(self, name, url):
        parts = urllib.parse.urlsplit(url)
        if parts.scheme != "http" or not parts.hostname or parts.path not in ("", "/"):
            raise Failure("--peer %s: not of the form http://host:port" % name)
        self.name, self.address = name, (parts.hostname, parts.port or 80)
        self.filled = {}

    def stop(self):
        pass

    def fill(self, size, count=None):
        """[(id, offset, value)] of what is stored for reads of this size; once."""
        key = size, count
        if key not in self.filled:
            values = values_of(size) if count is None else values_of(size)[:count]
            ids = ["id%d" % n for n in range(min(IDS, len(values)))]
            prefix, found, givers = "fill%d" % size, [], []
            for n, id in enumerate(ids):
                mine = []
                found.append((mine, values[n::len(ids)]))
                givers.append(users.filling_user(mine, id, values[n::len(ids)], prefix))
            converse(self.address, givers)
            self.filled[key] = [(id, offset, value) for mine, sent in found
                                for (id, offset), value in zip(mine, sent)]
        return self.filled[key]

    def multi_places(self):
        """(id, [offset]) of the values for getMulti: all under one id."""
        if "multi" not in self.filled:
            found = []
            converse(self.address,
                     [users.filling_user(found, "multi", values_of(MULTI_BYTES), "fillmulti")])
            self.filled["multi"] = [offset for _, offset in found]
        return "multi", self.filled["multi"]

    def requests(self, kind, size):
        """The requests of a workload; `size` is the number of offsets for getMulti."""
        prefix = "fill%d" % size
        if kind == "get":
            return [protocol.get(id, offset, prefix) for id, offset, _ in self.fill(size)]
        if kind == "append":
            return [protocol.append("id%d" % (n % IDS), value, "timed")
                    for n, value in enumerate(values_of(size))]
        if kind == "mixed":
            pairs = zip(self.requests("append", size), self.requests("get", size))
            return [request for pair in pairs for request in pair]
        if kind == "getMulti":
            id, offsets = self.multi_places()
            rng = random.Random(size)
            return [protocol.get_multi(id, rng.choices(offsets, k=size), "fillmulti")
                    for _ in range(20)]
        return None

    def reply_bytes(self, kind, request):
        """How long each reply is, where all are equally long."""
        if kind not in ("get", "getMulti"):
            return None
        reply = ask(self.address, request)
        if "transfer-encoding" in reply.headers:
            return None  # in pieces, and these are as they come
        return reply.head_bytes + len(reply.body)

    def before(self, kind, size):
        """
        Before each round: one append an id, so that the files are made and open when it begins.
        Answers how many.
        """
        if kind not in ("append", "mixed"):
            return 0
        values = values_of(size)
        ids = ["id%d" % n for n in range(min(IDS, len(values)))]
        return converse(self.address, [users.filling_user([], id, values[:1], "timed")
                                       for id in ids])

    def after(self, kind, size, result, connections):
        """After each round: checks what was stored, and lets go of it."""
        if kind in ("append", "mixed"):
            ask(self.address, protocol.close("timed"))


class Rochefort(Speaker):
    """Ours, started here."""

    def __init__(self, binary, directory, *flags, name="rochefort"):
        self.name, self.filled = name, {}
        os.makedirs(directory, exist_ok=True)
        self.root = os.path.join(directory, "root")
        command = [binary, "-bind", "127.0.0.1:0", "-root", self.root, *flags]
        self.process = process.Process(command, os.path.join(directory, "log"))
        self.pid = self.process.pid
        match = self.process.wait_for_log(r"starting http server on 127\.0\.0\.1:(\d+)\n")
        self.address = "127.0.0.1", int(match.group(1))
        self.listening_sockets = self.sockets()

    def sockets(self):
        """How many sockets it has open."""
        base, count = "/proc/%d/fd" % self.pid, 0
        for fd in os.listdir(base):
            try:
                count += os.readlink(os.path.join(base, fd)).startswith("socket:")
            except FileNotFoundError:
                continue
        return count

    def wait_for_clients(self):
        """What was under way when a generator broke off may still be going into a file."""
        process.wait_for(lambda: self.sockets() <= self.listening_sockets, "clients to be let go")

    def stop(self):
        status = self.process.stop()
        if status != 0:
            raise Failure("rochefort ended with %s:\n%s" % (status, self.process.log()))

    def drop(self, prefix):
        """Closes a prefix and deletes it."""
        request = protocol.close(prefix)
        reply = ask(self.address, request)
        if (reply.status, reply.body) != (200, b'{"success":true}'):
            raise Failure("cannot close: %s" % reply)
        shutil.rmtree(os.path.join(self.root, prefix))

    def after(self, kind, size, result, connections):
        """The files must hold what was sent, and as many records as were answered."""
        if kind not in ("append", "mixed"):
            return
        self.wait_for_clients()
        found = records.count_known(os.path.join(self.root, "timed"), values_of(size))
        low, high = result["requests"], result["requests"] + connections
        if kind == "mixed":  # every second one is an append, whichever a thread begins with
            low, high = (low - connections) // 2, high // 2 + connections
        before = result.get("before", 0)
        if not before + low <= found <= before + high:
            raise Failure("%d requests were answered, but the files hold %d records\n  request: %s"
                          % (before + result["requests"], found, self.requests(kind, size)[0]))
        self.drop("timed")
