"""Each larger allocation that a request needs fails once (see fail_heap.c): the client gets an
error, or its connection ends; other clients are served, and every reply is right."""
import ctypes
import errno
import json
import os
import re
import socket
import struct
import tempfile
import unittest

import harness
import records
import suite

PLAN = struct.Struct("<iii")
VALUE, LONG = b"a short value " * 70, bytes(range(256)) * 3000
KEEP = "keep"


class Server(harness.Server):
    """harness.Server with empty_heap()."""

    def __init__(self, *flags):
        self.plan = tempfile.NamedTemporaryFile(prefix="rochefort-heap-")
        self.plan.truncate(PLAN.size)
        super().__init__(*flags, env={"FAIL_HEAP": self.plan.name},
                         preload=[os.environ["FAIL_HEAP_LIBRARY"]])

    def __exit__(self, *arguments):
        self.heal()
        super().__exit__(*arguments)
        self.plan.close()

    def empty_heap(self, nth, exactly=0):
        """From now on the nth allocation fails, or the nth of exactly so many bytes; -n: the nth and
        all after it."""
        os.pwrite(self.plan.fileno(), PLAN.pack(nth, 0, exactly), 0)

    def heal(self):
        """True if an allocation has failed."""
        nth, seen, _ = PLAN.unpack(os.pread(self.plan.fileno(), PLAN.size, 0))
        os.pwrite(self.plan.fileno(), PLAN.pack(0, 0, 0), 0)
        return 0 < abs(nth) <= seen


def unchunked(data):
    """The content, None if it is incomplete or malformed: evhttp may leave a chunk size out."""
    whole = b""
    while True:
        size, found, data = data.partition(b"\r\n")
        if not found or not re.fullmatch(rb"[0-9a-f]{1,8}", size):
            return None
        bytes = int(size, 16)
        if data[bytes:bytes + 2] != b"\r\n":
            return None
        if bytes == 0:
            return whole
        whole, data = whole + data[:bytes], data[bytes + 2:]


def split(data):
    """(status, body) of the only reply, None if it is not complete: without memory for the status
    line evhttp sends a head without it, which no client accepts."""
    head, found, body = data.partition(b"\r\n\r\n")
    if not found or not head.startswith(b"HTTP/1."):
        return None
    for line in head.split(b"\r\n"):
        if line.lower().startswith(b"content-length: ") and len(body) < int(line[16:]):
            return None
    if b"chunked" in head.lower():
        body = unchunked(body)
    return None if body is None else (int(head.split()[1]), body)


@unittest.skipIf(harness.SANITIZE in ("address", "thread"), "sanitizers have a heap of their own")
class TestCase(unittest.TestCase):
    buckets = 1
    flags = ()
    ends = False  # the client says that it sends no more
    good = 200

    def setUp(self):
        self.server = self.enterContext(Server("-buckets", str(self.buckets), "-workers", "1",
                                                *self.flags))
        self.witness = self.enterContext(self.server.client())
        self.witnessed = 0
        self.offsets = [self.witness.append("x", value, KEEP) for value in (VALUE, LONG)]

    def exchange(self, raw, nth, exactly=0):
        with self.server.connect() as sock:
            self.server.empty_heap(nth, exactly)
            try:
                sock.sendall(raw)
                if self.ends:
                    sock.shutdown(socket.SHUT_WR)
                return split(harness.receive_all(sock))
            except OSError as error:  # also of a connection that the server has reset
                if not isinstance(error, ConnectionError) and error.errno != errno.ENOTCONN:
                    raise
                return None

    def check_others(self):
        """A client that was connected before, and a new one."""
        value = b"witness %d" % self.witnessed
        offset = self.witness.append("w", value, "witness")
        self.witnessed += 1
        with self.server.client() as client:
            self.assertEqual(value, client.get("w", offset, "witness"))

    def each(self, raw, right, prepare=lambda: None):
        """`right(body)` checks the body of a reply with status 200."""
        for sign in (1, -1):
            nth, failed = 0, True
            while failed:
                nth += 1
                prepare()
                reply = self.exchange(raw, sign * nth)
                failed = self.server.heal()
                self.assertIsNone(self.server.process.poll(), self.server.log())
                if reply is not None and reply[0] == self.good:
                    right(reply[1])
                elif reply is not None:
                    self.assertIn(reply[0], (400, 404, 500, 503), reply)
                self.check_others()
            self.assertEqual(self.good, reply and reply[0])
            self.assertGreater(nth, 2)

    def request(self, method, target, body=None):
        return harness.request_bytes(method, target, body, ["Connection: close"])


@unittest.skipIf(harness.SANITIZE in ("address", "thread"), "sanitizers have a heap of their own")
class NoMemory(TestCase):
    def test_append(self):
        stored = {}

        def right(body):
            stored[json.loads(body)["offset"]] = VALUE
        self.each(self.request("POST", "/append?id=x&storagePrefix=fresh", VALUE), right,
                  lambda: self.witness.close("fresh"))
        file = self.server.bucket("fresh")
        found = records.values(file)
        for offset, value in stored.items():
            self.assertEqual(value, found[offset])
        self.assertEqual({VALUE}, set(found.values()))

    def test_get(self):
        for offset, value in zip(self.offsets, (VALUE, LONG)):
            target = "/get?id=x&offset=%d&storagePrefix=%s" % (offset, KEEP)
            self.each(self.request("GET", target), lambda body: self.assertEqual(value, body),
                      lambda: self.witness.close(KEEP))

    def test_get_multi(self):
        for offsets in ([*self.offsets, 7], [7]):
            good = [VALUE, LONG][:len(offsets) - 1]

            def right(body):
                values, error = harness.split_multi(body)
                self.assertEqual(good[:len(values)], values)
                self.assertIsNotNone(error)
            packed = struct.pack("<%dQ" % len(offsets), *offsets)
            self.each(self.request("POST", "/getMulti?id=x&storagePrefix=" + KEEP, packed), right)

    def test_close(self):
        self.each(self.request("POST", "/close?storagePrefix=" + KEEP),
                  lambda body: self.assertEqual(b'{"success":true}', body))


@unittest.skipIf(harness.SANITIZE in ("address", "thread"), "sanitizers have a heap of their own")
class Waiting(TestCase):
    """A scan that waits at the end of its bucket: 204 when its client ends, at once."""
    buckets = 128  # so many that their lists are large
    ends = True
    good = 204
    SCAN = "/scan?bucket=0&offset=0&wait=60&storagePrefix=empty"

    def setUp(self):
        super().setUp()
        self.witness.append("x", VALUE, "empty")
        self.bucket = next(n for n in range(self.buckets)
                           if not os.path.getsize(self.server.bucket("empty", n)))
        self.scan = self.request("GET", self.SCAN.replace("=0", "=%d" % self.bucket, 1))

    def test_each_allocation(self):
        self.each(self.scan, lambda body: self.assertEqual(b"", body),
                  lambda: self.witness.close("empty"))

    def refused(self, exactly):
        """The replies while the nth allocation of that size fails, until none does."""
        replies, nth, failed = [], 0, True
        while failed:
            nth += 1
            self.witness.close("empty")
            replies.append(self.exchange(self.scan, nth, exactly))
            failed = self.server.heal()
            self.check_others()
        self.assertEqual(204, replies.pop()[0])
        return replies

    def test_its_lists(self):
        pointer = struct.calcsize("P")
        (status, body), = self.refused(2 * self.buckets * pointer)
        self.assertEqual((503, True), (status, body.startswith(b"out of memory: ")), body)

    def test_its_timer(self):
        libevent = ctypes.CDLL("libevent_core-2.1.so.7")
        libevent.event_get_struct_event_size.restype = ctypes.c_size_t
        replies = self.refused(libevent.event_get_struct_event_size())
        self.assertIn(503, [reply and reply[0] for reply in replies])

    def test_slots_of_its_prefix(self):
        (status, _), = self.refused(64 * self.buckets)
        self.assertEqual(503, status)


@unittest.skipIf(harness.SANITIZE in ("address", "thread"), "sanitizers have a heap of their own")
class AccessLog(TestCase):
    """Each request has an id of its own; all are in the one bucket."""
    LINE = re.compile(r'"[A-Z]+ /\w+\?id=number(\d+)&\S* HTTP/1\.1" (\d+) ')
    UNREAD = '"-" 503 '  # there was no memory to look at the request

    def setUp(self):
        directory = self.enterContext(tempfile.TemporaryDirectory(prefix="rochefort-test-"))
        self.path = os.path.join(directory, "access.log")
        self.flags = ("-access-log", self.path)
        super().setUp()

    def replies(self, requests):
        """While the nth allocation, or that and all after it, fails, until none does."""
        replies = []
        for method, target, body in requests:
            for sign in (1, -1):
                nth, failed = 0, True
                while failed:
                    nth += 1
                    self.witness.close("fresh")
                    self.witness.close(KEEP)
                    raw = self.request(method, target % len(replies), body)
                    replies.append(self.exchange(raw, sign * nth))
                    failed = self.server.heal()
        return replies

    def test_each_reply_without_memory_has_its_line(self):
        """And no request has two."""
        replies = self.replies((
            ("POST", "/append?id=number%d&storagePrefix=fresh", VALUE),
            ("GET", "/get?id=number%%d&offset=%d&storagePrefix=%s" % (self.offsets[1], KEEP), None),
            ("POST", "/getMulti?id=number%d&storagePrefix=" + KEEP,
             struct.pack("<2Q", *self.offsets))))
        self.assertEqual(0, self.server.stop())
        with open(self.path, encoding="ascii") as file:
            text = file.read()
        lines, unread = self.LINE.findall(text), text.count(self.UNREAD)
        statuses = {int(number): int(status) for number, status in lines}
        self.assertEqual(len(statuses), len(lines), text)
        self.assertLessEqual(len(lines) + unread, len(replies), text)
        without = []
        for number, reply in enumerate(replies):
            if number in statuses:
                self.assertIn(reply and reply[0], (None, statuses[number]), text)
            elif reply is not None:
                without.append(reply[0])
        self.assertEqual({503}, set(without))
        self.assertLessEqual(len(without), unread, text)
        self.assertIn(503, statuses.values())


if __name__ == "__main__":
    suite.main()
