"""Requests truncated at every byte, many clients at once, and floods of clients.

A truncated request is never answered and never stored, however the client
ends; and no connection gets a reply of another.
"""
import json
import os
import random
import socket
import struct
import unittest

import harness
import records

FLOOD = 300
CROWD = 60

WHOLE = {
    "append": harness.request_bytes("POST", "/append?id=a&storagePrefix=cut", b"cut short"),
    "getMulti": harness.request_bytes("POST", "/getMulti?id=a", bytes(16)),
    "chunked append": (b"POST /append?id=a&storagePrefix=cut HTTP/1.1\r\nHost: x\r\n"
                       b"Transfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\na\r\nand second\r\n"
                       b"0\r\n\r\n"),
}


def close(sock):
    sock.close()


def half_close(sock):
    """Half-closes; no reply may come."""
    sock.shutdown(socket.SHUT_WR)
    data = harness.receive_all(sock)
    sock.close()
    assert data == b"", data


class Hostile(unittest.TestCase):
    def setUp(self):
        self.server = self.enterContext(harness.Server("-buckets", "1"))
        self.client = self.enterContext(self.server.client())
        self.good = 0
        self.check_good()
        self.sockets = self.server.sockets()

    def check_good(self):
        value = b"good value %d" % self.good
        self.good += 1
        offset = self.client.append("good", value, "good")
        self.assertEqual(value, self.client.get("good", offset, "good"))

    def check_disconnected(self):
        harness.wait_for(lambda: self.server.sockets() <= self.sockets, "the connections to end")
        self.check_good()
        stored = records.decode_file(self.server.bucket("good"))
        self.assertEqual([b"good value %d" % i for i in range(self.good)],
                         [value for _, value in stored.values()])


class Cuts(Hostile):
    def cut(self, leave, before=b""):
        """Every beginning of every request, with good requests in between."""
        for name, raw in WHOLE.items():
            with self.subTest(name):
                for length in range(1, len(raw)):
                    sock = self.server.connect()
                    sock.sendall(before + raw[:length])
                    if before:
                        body = harness.receive_reply(sock)[2]
                        self.assertEqual(b"good value 0", body)
                    leave(sock)
                    if length % 10 == 0:
                        self.check_good()
                self.check_disconnected()
                self.assertFalse(os.path.exists(os.path.join(self.server.root, "cut")))

    def test_cut_by_a_close(self):
        self.cut(close)

    def test_cut_by_a_half_close(self):
        self.cut(half_close)

    def test_cut_by_a_reset(self):
        self.cut(harness.reset)

    def test_cut_after_a_good_request(self):
        self.cut(half_close, harness.request_bytes("GET", "/get?id=good&offset=0"
                                                   "&storagePrefix=good"))

    def test_whole_requests_byte_by_byte(self):
        """The same requests, complete, from a slow client."""
        with self.server.connect() as sock:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

            def ask(raw):
                for byte in raw:
                    sock.send(bytes([byte]))
                return harness.receive_reply(sock)[::2]
            file = self.server.bucket("cut")
            for name, offset in (("append", 0), ("chunked append", 16 + 9)):
                status, body = ask(WHOLE[name])
                self.assertEqual((200, {"offset": offset, "file": file}),
                                 (status, json.loads(body)))
            packed = struct.pack("<QQ", 25, 0)
            self.assertEqual(
                (200, b"\x0f\0\0\0firstand second\x09\0\0\0cut short"),
                ask(harness.request_bytes("POST", "/getMulti?id=a&storagePrefix=cut", packed)))
            self.assertEqual((200, b"cut short"),
                             ask(harness.request_bytes("GET", "/get?id=a&offset=0"
                                                       "&storagePrefix=cut")))
            self.assertEqual((200, b'{"success":true}'),
                             ask(harness.request_bytes("POST", "/close?storagePrefix=cut")))


class Crowds(Hostile):
    def test_interleaved_pieces_of_many_clients(self):
        """Each has its own values, and gets back these alone."""
        shuffled = random.Random(1)
        socks, left, values = [], [], []
        for i in range(CROWD):
            value = b"<value of client %d>" % i * (1 + i)
            values.append(value)
            socks.append(self.enterContext(self.server.connect()))
            target = "id=%d&storagePrefix=crowd%d" % (i, i)
            left.append(harness.request_bytes("POST", "/append?" + target, value)
                        + harness.request_bytes("GET", "/get?offset=0&" + target)
                        + harness.request_bytes("POST", "/getMulti?" + target, bytes(8)))
        while any(left):
            i = shuffled.choice([i for i in range(CROWD) if left[i]])
            length = shuffled.randint(1, 100)
            socks[i].sendall(left[i][:length])
            left[i] = left[i][length:]
        for i, (sock, value) in enumerate(zip(socks, values)):
            file = self.server.bucket("crowd%d" % i)
            self.assertEqual({"offset": 0, "file": file},
                             json.loads(harness.receive_reply(sock)[2]))
            self.assertEqual(value, harness.receive_reply(sock)[2])
            self.assertEqual(struct.pack("<I", len(value)) + value, harness.receive_reply(sock)[2])
            sock.close()
        self.check_disconnected()

    def flood(self, raw, leave):
        for i in range(FLOOD):
            sock = self.server.connect()
            sock.sendall(raw)
            leave(sock)
            if i % 50 == 0:
                self.check_good()
        self.check_disconnected()

    def test_flood_of_connects(self):
        self.flood(b"", close)

    def test_flood_of_resets(self):
        self.flood(b"", harness.reset)

    def test_flood_of_resets_after_half_a_request(self):
        self.flood(WHOLE["append"][:-1], harness.reset)
        self.assertFalse(os.path.exists(os.path.join(self.server.root, "cut")))

    def test_flood_of_refused_requests_whose_clients_read_nothing(self):
        self.flood(b"\r\n" * 500, harness.reset)

    def test_flood_of_more_clients_than_max_connections(self):
        """All connect at once; as some disconnect, the next are accepted."""
        with harness.Server("-buckets", "1", "-max-connections", "16") as server:
            socks = [server.connect() for _ in range(FLOOD)]
            for sock in socks[:-1]:
                harness.reset(sock)
            socks[-1].sendall(harness.request_bytes("GET", "/nowhere"))
            self.assertEqual(404, harness.receive_reply(socks[-1])[0])
            socks[-1].close()


if __name__ == "__main__":
    unittest.main()
