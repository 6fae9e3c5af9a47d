"""Each larger allocation that a request needs fails once (see fail_heap.c): the client gets an
error, or its connection ends; other clients are served, and every reply is right."""
import json
import os
import re
import struct
import tempfile
import unittest

import harness
import records
import suite

PLAN = struct.Struct("<ii")
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

    def empty_heap(self, nth):
        """From now on the nth allocation fails; -n: the nth and all after it."""
        os.pwrite(self.plan.fileno(), PLAN.pack(nth, 0), 0)

    def heal(self):
        """True if an allocation has failed."""
        nth, seen = PLAN.unpack(os.pread(self.plan.fileno(), PLAN.size, 0))
        os.pwrite(self.plan.fileno(), PLAN.pack(0, 0), 0)
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
class NoMemory(unittest.TestCase):
    def setUp(self):
        self.server = self.enterContext(Server("-buckets", "1", "-workers", "1"))
        self.witness = self.enterContext(self.server.client())
        self.witnessed = 0
        self.offsets = [self.witness.append("x", value, KEEP) for value in (VALUE, LONG)]

    def exchange(self, raw, nth):
        with self.server.connect() as sock:
            self.server.empty_heap(nth)
            try:
                sock.sendall(raw)
                return split(harness.receive_all(sock))
            except ConnectionError:
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
                if reply is not None and reply[0] == 200:
                    right(reply[1])
                elif reply is not None:
                    self.assertIn(reply[0], (400, 404, 500, 503), reply)
                self.check_others()
            self.assertEqual(200, reply and reply[0])
            self.assertGreater(nth, 2)

    def request(self, method, target, body=None):
        return harness.request_bytes(method, target, body, ["Connection: close"])

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


if __name__ == "__main__":
    suite.main()
