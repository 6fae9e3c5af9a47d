"""Long replies: every value right, in bounded memory, however slowly the client reads."""
import http.client
import random
import struct
import time
import unittest

import harness
import records

MIB = 1 << 20
GROWTH_BYTES_MAX = 8 * MIB
PIECE_BYTES = 256 * 1024  # about as much of a reply as is in memory at a time


class Reader:
    """Reads one reply, through http.client, and watches the server's memory meanwhile."""

    def __init__(self, server, sock):
        self.server = server
        self.reply = http.client.HTTPResponse(sock)
        self.reply.begin()
        self.reads = 0
        self.peak_bytes = 0

    def read(self, count):
        """Exactly `count` bytes, or fewer at the end; slowly at first."""
        data = self.reply.read(count)
        self.reads += 1
        if self.reads < 300:
            time.sleep(0.002)  # the pace of the client
        if self.reads < 300 or self.reads % 512 == 0:
            self.peak_bytes = max(self.peak_bytes, self.server.memory_bytes())
        return data


class Streams(unittest.TestCase):
    def serve(self, values):
        """A fresh server on a file with these values, and their offsets."""
        server = harness.Server("-buckets", "1")
        offsets = records.write_bucket(server.root, "default", values)
        self.enterContext(server)
        with server.client() as client:
            self.assertEqual(values[0], client.get("a", 0))
        return server, offsets

    def check_growth(self, server, before, reader):
        if harness.SANITIZE == "none":
            self.assertLess(max(reader.peak_bytes, server.memory_bytes()) - before,
                            GROWTH_BYTES_MAX)

    def check_multi(self, server, values, offsets, order, **socket_options):
        """Every value comes, in order."""
        sock = server.connect(**socket_options)
        before = server.memory_bytes()
        packed = struct.pack("<%dQ" % len(order), *(offsets[i] for i in order))
        sock.sendall(harness.request_bytes("POST", "/getMulti?id=a", packed))
        reader = Reader(server, sock)
        self.assertEqual(200, reader.reply.status)
        for position, i in enumerate(order):
            expected = struct.pack("<I", len(values[i])) + values[i]
            if reader.read(len(expected)) != expected:
                self.fail("value %d (record %d) is wrong" % (position, i))
        self.assertEqual(b"", reader.read(1))
        self.check_growth(server, before, reader)
        # the connection can be used again
        sock.sendall(harness.request_bytes("GET", "/get?id=a&offset=0"))
        self.assertEqual(values[0], harness.receive_reply(sock)[2])
        sock.close()

    def test_100_000_offsets(self):
        rng = random.Random(1)
        values = [rng.randbytes(rng.randrange(1, 700)) for _ in range(5000)]
        server, offsets = self.serve(values)
        order = [rng.randrange(len(values)) for _ in range(100_000)]
        self.check_multi(server, values, offsets, order, receive_buffer=4096)

    def test_values_around_every_limit(self):
        """A value is read with one call, with two, or in pieces, alone or among others."""
        rng = random.Random(2)
        around = [length + d for length in (1008, 4096, 16 * 1024, 64 * 1024, PIECE_BYTES)
                  for d in (-65, -64, -63, -20, -16, -4, -1, 0, 1, 16)]
        lengths = [1, 2, *around, 2 * PIECE_BYTES + 1, MIB, 5 * MIB]
        values = [rng.randbytes(length) for length in lengths]
        server, offsets = self.serve(values)
        with server.client() as client:
            for value, offset in zip(values, offsets):
                self.assertTrue(value == client.get("a", offset), len(value))
                self.assertEqual(([value], None),
                                 harness.split_multi(client.get_multi("a", [offset])))
        order = list(range(len(values)))
        rng.shuffle(order)
        self.check_multi(server, values, offsets, list(range(len(values))) + order)

    def test_one_value_again_and_again(self):
        """The reply is 256 times as long as the file."""
        values = [random.Random(3).randbytes(MIB // 2)]
        server, offsets = self.serve(values)
        self.check_multi(server, values, offsets, [0] * 256, receive_buffer=4096)

    def test_long_value_to_a_slow_reader(self):
        values = [b"short", random.Random(4).randbytes(64 * MIB)]
        server, offsets = self.serve(values)
        sock = server.connect(receive_buffer=4096)
        before = server.memory_bytes()
        sock.sendall(harness.request_bytes("GET", "/get?id=a&offset=%d" % offsets[1]))
        reader = Reader(server, sock)
        self.assertEqual((200, 64 * MIB), (reader.reply.status, reader.reply.length))
        at = 0
        while at < 64 * MIB:
            part = reader.read(16 * 1024)
            if part != values[1][at:at + len(part)] or not part:
                self.fail("wrong from byte %d on" % at)
            at += len(part)
        self.check_growth(server, before, reader)
        sock.sendall(harness.request_bytes("GET", "/get?id=a&offset=0"))
        self.assertEqual(b"short", harness.receive_reply(sock)[2])
        sock.close()


class MultiErrors(unittest.TestCase):
    def setUp(self):
        self.server = self.enterContext(harness.Server("-buckets", "1"))
        self.client = self.enterContext(self.server.client())

    def check_error(self, offsets, good, bad):
        """The values before the bad offset, four zero bytes, one line about it, the end."""
        expected = b"".join(struct.pack("<I", len(value)) + value for value in good)
        body = self.client.get_multi("a", offsets)
        self.assertTrue(body.startswith(expected))
        rest = body[len(expected):]
        self.assertEqual(bytes(4), rest[:4])
        self.assertRegex(rest[4:], rb"\A[ -~]+\n?\Z")
        self.assertIn(b"offset %d " % bad, rest[4:])

    def test_in_a_short_reply(self):
        values = [b"one", b"two" * 1000, b"three"]
        offsets = [self.client.append("a", value) for value in values]
        for bad in (1, 20, 10 ** 15, 2 ** 63 - 1):
            for k in range(4):
                self.check_error(offsets[:k] + [bad] + offsets[k:], values[:k], bad)
        # offsets after the first bad one are not read
        self.check_error([offsets[0], 7, 8, offsets[1]], values[:1], 7)
        # it is named as it was sent, although no file is so long
        for bad in (2 ** 63, 2 ** 63 + 7, 2 ** 64 - 1):
            self.check_error([offsets[2], bad], values[2:], bad)

    def test_after_several_pieces(self):
        values = [bytes([n]) * 1000 for n in range(1, 201)]
        offsets = [self.client.append("a", value) for value in values]
        for k in (1, 127, 128, 129, 255, 257, 262, 1000, 5000):
            order = [n * 7 % 200 for n in range(k)]
            self.check_error([offsets[n] for n in order] + [5] + offsets,
                             [values[n] for n in order], 5)

    def test_after_a_long_value(self):
        for length in (PIECE_BYTES - 100, PIECE_BYTES, 3 * PIECE_BYTES, 3 * MIB):
            value = random.Random(length).randbytes(length)
            offset = self.client.append("a", value)
            self.check_error([offset, offset + 1, offset], [value], offset + 1)
            self.check_error([0, offset, 0, offset + 1],
                             [self.client.get("a", 0), value, self.client.get("a", 0)], offset + 1)

    def test_no_offsets(self):
        self.client.append("a", b"x")
        status, headers, body = self.client.request("POST", "/getMulti", b"", id="a")
        self.assertEqual((200, "0", "application/octet-stream", b""),
                         (status, headers["Content-Length"], headers["Content-Type"], body))

    def test_too_many_offsets(self):
        self.client.append("a", b"x")
        with self.server.client() as client:
            self.assertEqual(413, client.request("POST", "/getMulti", bytes(8 * MIB + 8),
                                                 id="a")[0])
        body = self.client.get_multi("a", [0] * MIB)
        self.assertTrue(body == b"\x01\x00\x00\x00x" * MIB)


if __name__ == "__main__":
    unittest.main()
