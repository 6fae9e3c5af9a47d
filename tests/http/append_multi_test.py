"""appendMulti: many values in one request, all of them or none; and expect."""
import json
import random
import shlex
import struct
import subprocess
import threading
import unittest

import curl
import harness
import records
from protocol import join_multi

MIB = 1 << 20
VALUES_MAX = 1 << 20
OFFSETS = "application/octet-stream"


def unpack(body):
    return list(struct.unpack("<%dQ" % (len(body) // 8), body))


def places(begin, values):
    """Where values that follow each other begin."""
    offsets = []
    for value in values:
        offsets.append(begin)
        begin += records.HEADER_BYTES + len(value)
    return offsets


class Appender(threading.Thread):
    """Appends to the same id until it is stopped: `stored` is what it was answered."""

    def __init__(self, server):
        super().__init__()
        self.server, self.stored, self.stopping = server, {}, threading.Event()

    def run(self):
        with self.server.client() as client:
            while not self.stopping.is_set():
                value = b"single %d" % len(self.stored)
                self.stored[client.append("x", value)] = value

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.stopping.set()
        self.join()


class RoundTrip(curl.TestCase):
    """`curl appendMulti | curl getMulti` gives back the bytes that were sent."""

    def sets(self):
        random_source = random.Random(20)
        mixed = [random_source.randbytes(random_source.choice((1, 2, 100, 3000)))
                 for _ in range(997)]
        return {
            "one": [b"v"],
            "two": [b"first", b"s" * MIB],
            "1000": mixed + [bytes(MIB), b"e", b"x" * (MIB - 1)],
            "1048576": [bytes([i & 255 or 1]) * (1 + i % 7) for i in range(VALUES_MAX)],
        }

    def pipe(self, path, *arguments):
        """What comes out at the end, and the offsets that went through."""
        send = shlex.join([*curl.COMMAND, "-f", *arguments, "--data-binary", "@" + path,
                           self.url("/appendMulti?id=x")])
        fetch = shlex.join([*curl.COMMAND, "-f", "--data-binary", "@-",
                            self.url("/getMulti?id=x")])
        command = "set -o pipefail; %s | tee %s.offsets | %s" % (send, path, fetch)
        done = subprocess.run(["bash", "-c", command], stdout=subprocess.PIPE, check=True)
        with open(path + ".offsets", "rb") as file:
            return done.stdout, unpack(file.read())

    def test_every_set_comes_back(self):
        """With the body's length and chunked, in a fresh bucket and a used one, while others append
        to it."""
        with self.server.client() as client:
            used = False
            for name, values in self.sets().items():
                body = join_multi(values)
                path = self.write(name, body)
                for arguments in ((), ("-H", "Transfer-Encoding: chunked")):
                    with self.subTest(values=name, arguments=arguments):
                        got, offsets = self.pipe(path, *arguments)
                        self.assertTrue(got == body)
                        self.assertEqual(places(offsets[0], values), offsets)
                        self.assertEqual(used, offsets[0] > 0)
                        used = True
                        self.assertEqual(values[-1], client.get("x", offsets[-1]))

    def test_beside_others(self):
        stored = {}
        with Appender(self.server) as first, Appender(self.server) as second:
            for name, values in self.sets().items():
                got, offsets = self.pipe(self.write(name, join_multi(values)))
                self.assertTrue(got == join_multi(values))
                self.assertEqual(places(offsets[0], values), offsets)
                stored.update(zip(offsets, values))
        self.assertGreater(len(first.stored) + len(second.stored), 0)
        stored.update(first.stored)
        stored.update(second.stored)
        files = [self.server.bucket("default", number) for number in range(10)]
        found = {}
        for file in files:
            found.update(records.values(file))
        self.assertTrue(stored == found)


class Lists(unittest.TestCase):
    FLAGS = ("-buckets", "1", "-max-value", "1000", "-max-batch", "200000")

    def setUp(self):
        self.server = self.enterContext(harness.Server(*self.FLAGS))
        self.client = self.enterContext(self.server.client())

    def ask(self, body, path="/appendMulti", **parameters):
        return self.client.request("POST", path, body, id="x", **parameters)

    def refused(self, status, words, body, **parameters):
        got, headers, text = self.ask(body, **parameters)
        self.assertEqual((status, words + "\n"), (got, text.decode()))
        return headers

    def test_a_bad_list_writes_nothing_and_makes_nothing(self):
        """Short lists and long ones, which a disk thread looks at; the fault is in the last value,
        so all before it are good."""
        for before in (0, 1, 5, 700):
            good = join_multi([b"v" * 100] * before)
            index = "value %d, from 0, " % before
            for end, status, words in (
                    (b"\0\0\0\0", 400, index + "has length 0"),
                    (b"\0\0\0\0" + join_multi([b"good"]), 400, index + "has length 0"),
                    (b"\5", 400, index + "is cut short: 1 bytes of its length, which has 4"),
                    (b"\5\0\0", 400, index + "is cut short: 3 bytes of its length, which has 4"),
                    (b"\5\0\0\0", 400,
                     index + "is cut short: it has 0 bytes, and its length says 5"),
                    (b"\5\0\0\0four", 400,
                     index + "is cut short: it has 4 bytes, and its length says 5"),
                    (join_multi([b"v" * 1001]), 413,
                     index + "has 1001 bytes, the limit is 1000"),
                    (b"\xff\xff\xff\xff", 413,
                     index + "has 4294967295 bytes, the limit is 1000")):
                with self.subTest(before=before, end=end):
                    self.refused(status, words, good + end, storagePrefix="none")
        self.refused(400, "there is no value; send for each its length, 4 bytes little-endian, and "
                     "the value", b"", storagePrefix="none")
        self.assertEqual(404, self.client.request("GET", "/get", id="x", offset=0,
                                                  storagePrefix="none")[0])
        status, _, body = self.ask(join_multi([b"v" * 1000]))
        self.assertEqual((200, [0]), (status, unpack(body)))

    def test_a_body_over_the_limit(self):
        body = join_multi([b"v" * 996] * 200)
        self.assertEqual(200000, len(body))
        self.assertEqual(200, self.ask(body)[0])
        self.refused(413, "the body is too large, the limit is 200000 bytes",
                     body + join_multi([b"v"]))

    def test_the_reply_is_typed_and_has_a_length(self):
        status, headers, body = self.ask(join_multi([b"a", b"b"]))
        self.assertEqual((200, OFFSETS, "16", "no-store"),
                         (status, headers["Content-Type"], headers["Content-Length"],
                          headers["Cache-Control"]))
        self.assertEqual([0, 17], unpack(body))

    def test_forms_and_methods(self):
        self.assertEqual(400, self.client.request("POST", "/appendMulti", join_multi([b"v"]))[0])
        self.assertEqual(400, self.ask(join_multi([b"v"]), sync="2")[0])
        with self.server.connect() as sock:
            for method, target, headers, status, words in (
                    ("POST", "/appendMulti?id=x", ["Content-Type: multipart/form-data; boundary=b"],
                     415, "--data-binary @FILE"),
                    ("PUT", "/appendMulti?id=x", [], 405,
                     "/appendMulti takes POST; to send a file use -X POST -T FILE"),
                    ("OPTIONS", "/appendMulti", [], 204, "")):
                body = None if method == "OPTIONS" else join_multi([b"v"])
                sock.sendall(harness.request_bytes(method, target, body, headers))
                got, head, text = harness.receive_reply(sock)
                self.assertEqual(status, got)
                self.assertIn(words, text.decode())
                if status != 415:
                    self.assertEqual("POST, OPTIONS" if status == 204 else "POST", head["allow"])
        self.assertEqual(404, self.client.request("GET", "/get", id="x", offset=0)[0])

    def test_one_value_too_many(self):
        with harness.Server("-buckets", "1", "-max-batch", "8MiB") as server, \
                server.client() as client:
            body = join_multi([b"v"]) * VALUES_MAX
            status, _, text = client.request("POST", "/appendMulti", body + join_multi([b"v"]),
                                             id="x")
            self.assertEqual((413, b"more than 1048576 values, which is the limit\n"),
                             (status, text))
            status, _, reply = client.request("POST", "/appendMulti", body, id="x")
            self.assertEqual(200, status)
            self.assertTrue(list(range(0, 17 * VALUES_MAX, 17)) == unpack(reply))


class Expect(unittest.TestCase):
    def setUp(self):
        self.server = self.enterContext(harness.Server("-buckets", "1"))
        self.client = self.enterContext(self.server.client())

    def ask(self, body, path="/append", **parameters):
        return self.client.request("POST", path, body, id="x", **parameters)

    def other_end(self, end, expected, path="/append", body=b"value", prefix="default"):
        status, headers, text = self.ask(body, path, expect=expected, storagePrefix=prefix)
        self.assertEqual((412, str(end)), (status, headers["Rochefort-Tail"]))
        self.assertIn(b"the end is %d, not %d: " % (end, expected), text)

    def test_only_at_that_end(self):
        for path, body in (("/append", b"value"), ("/appendMulti", join_multi([b"value"]))):
            begin = 42 if path == "/appendMulti" else 0
            self.other_end(begin, begin + 1, path, body)
            self.assertEqual(200, self.ask(body, path, expect=begin)[0])
            self.other_end(begin + 21, begin, path, body)
            self.other_end(begin + 21, 2**63 - 1, path, body)
            self.assertEqual(200, self.ask(body, path, expect=begin + 21, sync=1)[0])
        self.assertEqual(4 * [b"value"],
                         list(records.values(self.server.bucket()).values()))

    def test_a_missing_prefix_ends_at_0(self):
        """And only an append that can succeed makes it."""
        self.other_end(0, 5, prefix="none")
        self.assertEqual(404, self.client.request("GET", "/get", id="x", offset=0,
                                                  storagePrefix="none")[0])
        self.assertEqual(200, self.ask(b"value", expect=0, storagePrefix="none")[0])

    def test_what_is_no_offset(self):
        for bad in ("", "-1", "+1", "1x", "0x1", "9223372036854775808", " 1"):
            status, _, text = self.ask(b"value", expect=bad)
            self.assertEqual(
                (400, b"expect must be a whole number from 0 to 9223372036854775807\n"),
                (status, text), bad)

    def test_one_of_those_that_expect_the_same_end(self):
        """16 clients append at the end that the last round left; one in four rounds is of lists,
        one in four synced."""
        clients = 16
        barrier = threading.Barrier(clients)
        ends, lock, failures = [0], threading.Lock(), []
        stored = {}

        def write(number):
            with self.server.client() as client:
                for round_number in range(60):
                    barrier.wait()
                    end = ends[round_number]
                    value = b"%d of round %d" % (number, round_number)
                    multi = round_number % 4 == 3
                    status, headers, body = client.request(
                        "POST", "/appendMulti" if multi else "/append",
                        join_multi([value]) if multi else value, id="x", expect=end,
                        sync=int(round_number % 4 == 2))
                    with lock:
                        if status == 200:
                            at = unpack(body)[0] if multi else json.loads(body)["offset"]
                            stored.setdefault(round_number, []).append((at, value))
                            ends.append(at + records.HEADER_BYTES + len(value))
                        else:
                            failures.append((round_number, status,
                                             int(headers["Rochefort-Tail"] or -1)))

        threads = [threading.Thread(target=write, args=(number,)) for number in range(clients)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual([1] * 60, [len(stored[number]) for number in range(60)])
        self.assertEqual(dict(pairs[0] for pairs in stored.values()),
                         records.values(self.server.bucket()))
        self.assertEqual(60 * (clients - 1), len(failures))
        for round_number, status, tail in failures:
            self.assertEqual((412, ends[round_number + 1]), (status, tail))


if __name__ == "__main__":
    unittest.main()
