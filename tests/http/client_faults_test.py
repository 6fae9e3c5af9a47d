"""Clients that misbehave, and records that end early while they are being sent."""
import os
import signal
import socket
import struct
import unittest

import harness
import records

MIB = 1 << 20
PIECE_BYTES = 256 * 1024


class Misbehaving(unittest.TestCase):
    def test_half_a_request_and_a_reset_leave_no_connection_behind(self):
        """Bytes and reset arrive together: the kernel reports both in one event."""
        with harness.Server() as server:
            before = server.sockets()
            for round_number in range(3):
                server.process.send_signal(signal.SIGSTOP)
                for part in (b"G", b"GET /x", b"POST /append?id=a HTTP/1.1\r\nHost: x\r\n"
                             b"Content-Length: 100\r\n\r\nhalf") * 10:
                    sock = server.connect()
                    sock.sendall(part)
                    harness.reset(sock)
                server.process.send_signal(signal.SIGCONT)
                harness.wait_for(lambda: server.sockets() == before, "the connections to end")

    def test_a_body_that_comes_byte_by_byte_takes_no_more_memory_than_its_length(self):
        with harness.Server() as server:
            for head, step in ((b"Content-Length: 6000", b"%c"),
                               (b"Transfer-Encoding: chunked", b"1\r\n%c\r\n")):
                sock = server.connect()
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                sock.sendall(b"POST /append?id=a HTTP/1.1\r\nHost: x\r\n" + head + b"\r\n\r\n")
                before = server.memory_bytes()
                for i in range(6000):
                    sock.sendall(step % (i % 256))
                if harness.SANITIZE == "none":
                    self.assertLess(server.memory_bytes() - before, 2 * MIB)
                if b"chunked" in head:
                    sock.sendall(b"0\r\n\r\n")
                self.assertEqual(200, harness.receive_reply(sock)[0])
                sock.close()
            with server.client() as client:
                wanted = bytes(i % 256 for i in range(6000))
                self.assertEqual(wanted, client.get("a", 0))
                self.assertEqual(wanted, client.get("a", 6016))

    def test_100_continue_is_sent_only_to_clients_that_wait_for_it(self):
        with harness.Server() as server:
            head = (b"POST /append?id=a HTTP/1.%d\r\nHost: x\r\nExpect: 100-continue\r\n"
                    b"Connection: close\r\nContent-Length: 3\r\n\r\n")
            for minor, sent_first, wanted in ((1, b"", b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 2"),
                                              (1, b"abc", b"HTTP/1.1 200 OK"),
                                              (7, b"", b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 2"),
                                              (0, b"abc", b"HTTP/1.0 200 OK")):
                sock = server.connect()
                sock.sendall(head % minor + sent_first)
                reply = b""
                if not sent_first:
                    while b"\r\n\r\n" not in reply:
                        reply += sock.recv(100)
                    sock.sendall(b"abc")
                reply += harness.receive_all(sock)
                self.assertTrue(reply.startswith(wanted), reply)
                sock.close()

    def test_a_client_that_pipelines_without_end_does_not_starve_others(self):
        """Its requests are served in turn with those of other clients."""
        with harness.Server() as server, server.client() as client:
            greedy = server.connect()
            request = b"GET /close?storagePrefix=none HTTP/1.1\r\nHost: x\r\n\r\n"
            greedy.setblocking(False)
            answered = 0
            for _ in range(50):
                try:
                    while True:
                        greedy.send(request * 100)
                except BlockingIOError:
                    pass
                offset = client.append("a", b"x")  # answered although there is always more
                self.assertEqual(b"x", client.get("a", offset))
                try:
                    answered += len(greedy.recv(MIB))
                except BlockingIOError:
                    pass
            self.assertGreater(answered, 0)
            greedy.close()


class Damaged(unittest.TestCase):
    def multi(self, server, offsets):
        sock = server.connect()
        sock.sendall(harness.request_bytes(
            "POST", "/getMulti?id=a", struct.pack("<%dQ" % len(offsets), *offsets)))
        return sock

    def serve(self, values):
        server = harness.Server("-buckets", "1")
        offsets = records.write_bucket(server.root, "default", values)
        self.enterContext(server)
        with server.client() as client:  # opens the file, and with it fixes its length
            self.assertEqual(200, client.request("HEAD", "/get", id="a", offset=0)[0])
        return server, offsets, server.bucket()

    def test_a_value_that_breaks_off_is_left_out_before_the_error(self):
        for size in (1050, 100000):
            with self.subTest(size):
                server, offsets, path = self.serve([b"A" * 10, b"B" * size])
                os.truncate(path, offsets[1] + 16 + size - 5)
                with server.client() as client:
                    values, error = harness.split_multi(client.get_multi("a", offsets))
                self.assertEqual([b"A" * 10], values)
                self.assertIn("cut short: offset %d of %s" % (offsets[1], path), error)

    def test_a_value_that_breaks_off_when_half_is_sent_resets_the_connection(self):
        size = 8 * MIB
        server, offsets, path = self.serve([b"A" * 10, b"B" * size])
        os.truncate(path, offsets[1] + 16 + size - 5)
        sock = self.multi(server, offsets)
        data = b""
        with self.assertRaises(ConnectionResetError):
            while True:
                part = sock.recv(MIB)
                self.assertTrue(part, "an end of file would look like the end of the reply")
                data += part
        self.assertNotIn(b"cut short", data)
        sock.close()
        with server.client() as client:
            self.assertEqual(b"A" * 10, client.get("a", 0))

    def test_a_long_get_that_breaks_off_resets_the_connection(self):
        size = 8 * MIB
        server, offsets, path = self.serve([b"B" * size])
        os.truncate(path, 16 + size - 5)
        sock = server.connect()
        sock.sendall(harness.request_bytes("GET", "/get?id=a&offset=0"))
        received = 0
        with self.assertRaises(ConnectionResetError):
            while True:
                part = sock.recv(MIB)
                self.assertTrue(part)
                received += len(part)
        self.assertLess(received, size)
        sock.close()


if __name__ == "__main__":
    unittest.main()
