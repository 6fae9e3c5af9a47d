"""Many clients at once, every reply compared byte for byte with a ledger, and the files at the end.

64 connections share 40 ids, so that most replies depend on what the others did. Each record that
was answered for is read once more at the end, and the files must hold exactly these records. Once
on a quiet server, and once while wrk appends and reads on 64 connections more.
"""
import json
import os
import random
import shutil
import signal
import subprocess
import tempfile
import unittest

import harness
import protocol
import records
import suite
from conversation import converse, expect
from ledger import Ledger

FIRST, SECOND = b"some text", b"some other data in same identifier"
USERS = 64
IDS = 40
ROUNDS = 60 if harness.SANITIZE == "none" else 30
SIZED_USERS = 16
SIZES = (1, 99, 100, 101, 1 << 10, 4 << 10, 64 << 10, 1 << 20, 3 << 20)
COUNTS = (0, 1, 10, 100, 1000, 10000)  # of offsets in a getMulti
LOAD_SCRIPT = os.path.join(os.environ["SOURCE_DIR"], "bench", "load.lua")
LOAD_SECONDS_MAX = 250
LOAD_BYTES = 100


def mixed_user(ledger, number, rounds, rng, ids):
    """
    Append, append, get, getMulti of the second, the first and the second, appendMulti and getMulti
    of what it was answered, an append with storagePrefix, close, a get in the middle of a record, and a get of any record of the ledger.
    Ids are shared by all users; the prefix is the user's own.
    """
    mine = "mine%d" % number
    for count in range(rounds):
        id = "some_identifier%d" % rng.randrange(ids)
        mark = b" %d.%d" % (number, count)
        first, second = FIRST + mark, SECOND + mark + b"!" * rng.randrange(200)
        request = protocol.append(id, first)
        first_at = ledger.appended(request, (yield request), None, id, first)
        request = protocol.append(id, second)
        second_at = ledger.appended(request, (yield request), None, id, second)
        request = protocol.get(id, second_at)
        ledger.got(request, (yield request), second)
        request = protocol.get_multi(id, [second_at, first_at, second_at])
        ledger.got_multi(request, (yield request), [second, first, second])
        values = [b"%d of many" % i + mark for i in range(3)]
        request = protocol.append_multi(id, values)
        offsets = ledger.appended_multi(request, (yield request), None, id, values)
        request = protocol.get_multi(id, offsets)
        ledger.got_multi(request, (yield request), values)
        request = protocol.append(id, b"kept apart" + mark, mine)
        apart_at = ledger.appended(request, (yield request), mine, id, b"kept apart" + mark,
                                   single_writer=True)
        if rng.randrange(4) == 0:
            request = protocol.close(mine)
            reply = yield request
            expect((reply.status, reply.body) == (200, b'{"success":true}'), request, reply,
                   'expected 200 and {"success":true}')
        request = protocol.get(id, apart_at, mine)
        ledger.got(request, (yield request), b"kept apart" + mark)
        request = protocol.get(id, first_at + 7)
        reply = yield request
        line = "no record starts there: offset %d of %s; use an offset with the id and " \
            "storagePrefix it was answered for\n" % (first_at + 7, ledger.places[None, id])
        expect((reply.status, reply.body) == (404, line.encode()), request, reply,
               "expected 404 and %r" % line)
        prefix, id, offset, value = rng.choice(ledger.entries)
        request = protocol.get(id, offset, prefix)
        ledger.got(request, (yield request), value)


def sized_user(ledger, number, rng, prefix):
    """Appends values of all sizes, of random bytes, and reads each back, twice."""
    id, offsets, values = "sized%d" % number, [], []
    for size in rng.sample(SIZES, len(SIZES)):
        value = rng.randbytes(size)
        request = protocol.append(id, value, prefix)
        offsets.append(ledger.appended(request, (yield request), prefix, id, value,
                                       single_writer=True))
        values.append(value)
        request = protocol.get(id, offsets[-1], prefix)
        ledger.got(request, (yield request), value)
    request = protocol.get_multi(id, offsets, prefix)
    ledger.got_multi(request, (yield request), values)
    request = protocol.append_multi(id, values, prefix)
    request = protocol.get_multi(
        id, ledger.appended_multi(request, (yield request), prefix, id, values), prefix)
    ledger.got_multi(request, (yield request), values)


def multi_user(ledger, number, rng, count, prefix):
    """A getMulti of `count` offsets, in random order."""
    id, places = "multi%d" % number, []
    for _ in range(min(count, 200)):
        value = rng.randbytes(LOAD_BYTES)
        request = protocol.append(id, value, prefix)
        places.append((ledger.appended(request, (yield request), prefix, id, value), value))
    chosen = rng.choices(places, k=count)
    request = protocol.get_multi(id, [offset for offset, _ in chosen], prefix)
    ledger.got_multi(request, (yield request), [value for _, value in chosen])


def reading_user(ledger, entries):
    for prefix, id, offset, value in entries:
        request = protocol.get(id, offset, prefix)
        ledger.got(request, (yield request), value)


class Load:
    """wrk, which appends and reads values of LOAD_BYTES on `connections`, as fast as it can."""

    PREFIX = "load"

    def __init__(self, server, rng, connections):
        self.server, self.connections = server, connections
        self.values = [rng.randbytes(LOAD_BYTES) for _ in range(1000)]
        requests = []
        with server.client() as client:
            for number, value in enumerate(self.values):
                id = "id%d" % (number % 100)
                offset = client.append(id, value, self.PREFIX)
                requests += [protocol.append(id, value, self.PREFIX),
                             protocol.get(id, offset, self.PREFIX)]
        with tempfile.NamedTemporaryFile("wb", prefix="rochefort-load-") as file:
            for data in (request.render_bare("test") for request in requests):
                file.write(b"%d\n" % len(data) + data)
            file.flush()
            self.process = subprocess.Popen(
                ["wrk", "-t1", "-c%d" % connections, "-d%ds" % LOAD_SECONDS_MAX, "--timeout", "60s",
                 "-s", LOAD_SCRIPT, "http://127.0.0.1:%d/" % server.port, "--", file.name, "1"],
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
            # wrk has opened its connections after it has read the file
            harness.wait_for(lambda: server.sockets() > connections, "wrk to connect")

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate()

    def finish(self, test):
        """Ends it. It has met no error, and the files hold what it appended."""
        test.assertIsNone(self.process.poll(), "wrk has ended by itself")
        self.process.send_signal(signal.SIGINT)  # it reports then
        out, _ = self.process.communicate(timeout=harness.TIMEOUT_SECONDS)
        result = json.loads(out.strip().splitlines()[-1])
        errors = {key: result[key] for key in ("connect", "read", "write", "status", "timeout")}
        test.assertEqual(dict.fromkeys(errors, 0), errors)
        test.assertGreater(result["requests"], self.connections)
        # What was under way at its end may or may not have been stored.
        harness.wait_for(lambda: self.server.sockets() <= self.connections, "wrk's connections")
        stored = records.count_known(os.path.join(self.server.root, self.PREFIX),
                                     set(self.values)) - len(self.values)
        test.assertLessEqual(abs(stored - result["requests"] / 2), self.connections)
        print("under load: %d requests" % result["requests"])


class LedgerTest(unittest.TestCase):
    def setUp(self):
        seed = random.randrange(1 << 32)
        print("seed", seed)
        self.random = random.Random(seed)
        self.server = self.enterContext(harness.Server("-buckets", "10"))
        self.address = "127.0.0.1", self.server.port
        self.ledger = Ledger(self.server.root)

    def mix(self):
        return converse(self.address, [
            mixed_user(self.ledger, number, ROUNDS, random.Random(self.random.random()), IDS)
            for number in range(USERS)])

    def check_all(self, replies):
        """Reads every record that was ever answered for, then the files without the server."""
        entries = list(self.ledger.entries)
        replies += converse(self.address, [reading_user(self.ledger, entries[number::USERS])
                                           for number in range(USERS)])
        self.ledger.check_files()
        print("%d replies, %d bytes, %d records" % (replies, self.ledger.bytes, len(entries)))
        self.assertGreater(replies, 2 * len(entries))

    def test_many_clients(self):
        self.check_all(self.mix())
        self.assertEqual(6 * ROUNDS * USERS, len(self.ledger.entries))

    def test_all_sizes(self):
        replies = converse(self.address, [sized_user(self.ledger, number, self.random, "sized")
                                          for number in range(SIZED_USERS)])
        replies += converse(self.address, [
            multi_user(self.ledger, number, self.random, count, "sized")
            for number, count in enumerate(COUNTS)])
        self.check_all(replies)

    @unittest.skipUnless(shutil.which("wrk"), "wrk is not installed")
    def test_many_clients_under_load(self):
        with Load(self.server, self.random, 64) as load:
            self.check_all(self.mix())
            load.finish(self)


if __name__ == "__main__":
    suite.main()
