"""SIGTERM and SIGINT: requests in flight are finished within a bound, the exit status is right."""
import json
import random
import signal
import socket
import time
import unittest

import harness
import records

MIB = 1 << 20
BOUND_SECONDS = 5  # how long the server waits for requests in flight
SLACK_SECONDS = 30  # for slow machines and sanitizers
DONE = b'{"success":true}'


class Shutdown(unittest.TestCase):
    def start(self, *flags, hold=False):
        server = self.enterContext(harness.Server("-buckets", "1", *flags, hold=hold))
        with server.client() as client:
            client.append("a", b"before")
        return server

    def send(self, server, method, target, body=None, **options):
        return self.enterContext(server.send(method, target, body, **options))

    def signal(self, server, number=signal.SIGTERM):
        """Returns once the server has seen the signal."""
        server.process.send_signal(number)
        harness.wait_for(lambda: "stopping" in server.log(), "the signal to be seen")

    def exit_status(self, server, seconds=BOUND_SECONDS + SLACK_SECONDS):
        return server.process.wait(seconds)

    def check_stored(self, server, *values):
        self.assertEqual(list(values), list(records.values(server.bucket()).values()))

    def hold_append(self, server, value=b"in flight"):
        server.hold_disk()
        sock = self.send(server, "POST", "/append?id=a", value)
        harness.wait_for(server.disk_is_waiting, "the append to reach the disk")
        return sock

    def test_what_is_in_flight_is_answered(self):
        for number in (signal.SIGTERM, signal.SIGINT):
            server = self.start(hold=True)
            append = self.hold_append(server)
            get = self.send(server, "GET", "/get?id=a&offset=0")
            multi = self.send(server, "POST", "/getMulti?id=a", bytes(8) * 2)
            close = self.send(server, "POST", "/close")
            with server.client() as client:  # by its reply the requests before it have been read
                self.assertEqual(404, client.request("GET", "/nowhere")[0])
            self.signal(server, number)
            self.assertFalse(harness.is_readable(append))
            self.assertIsNone(server.process.poll())
            server.release_disk()
            status, headers, body = harness.receive_reply(append)
            self.assertEqual((200, "close"), (status, headers["connection"]))
            self.assertEqual(16 + 6, json.loads(body)["offset"])
            self.assertEqual((200, b"before"), harness.receive_reply(get)[::2])
            self.assertEqual((200, b"\6\0\0\0before" * 2), harness.receive_reply(multi)[::2])
            self.assertEqual((200, DONE), harness.receive_reply(close)[::2])
            for sock in (append, get, multi, close):
                self.assertEqual(b"", sock.recv(1))
            self.assertEqual(0, self.exit_status(server))
            self.check_stored(server, b"before", b"in flight")

    def test_a_long_reply_is_finished(self):
        server = self.start()
        value = random.Random(1).randbytes(16 * MIB)  # more than the sockets hold
        with server.client() as client:
            offset = client.append("a", value)
        sock = self.send(server, "GET", "/get?id=a&offset=%d" % offset, receive_buffer=65536)
        self.assertEqual(200, harness.receive_head(sock)[0])
        self.signal(server)
        self.assertTrue(value == harness.receive_all(sock))
        self.assertEqual(0, self.exit_status(server))

    def test_a_long_reply_is_finished_although_more_was_sent_ahead(self):
        """Closing a socket with unread data would reset it and lose the rest of the reply."""
        server = self.start()
        value = random.Random(2).randbytes(12 * MIB)
        with server.client() as client:
            offset = client.append("a", value)
        sock = self.send(server, "GET", "/get?id=a&offset=%d" % offset, receive_buffer=65536)
        self.assertEqual(200, harness.receive_head(sock)[0])
        sock.sendall(harness.request_bytes("GET", "/get?id=a&offset=0"))
        self.signal(server)
        received = bytearray()
        while len(received) < len(value):
            part = sock.recv(min(1 << 16, len(value) - len(received)))
            self.assertTrue(part)
            received += part
        self.assertTrue(value == received)
        rest = harness.receive_all(sock)
        self.assertTrue(rest == b"" or rest.startswith(b"HTTP/1.1 503 "), rest)
        self.assertEqual(0, self.exit_status(server))

    def test_a_request_half_sent_is_refused_when_it_is_whole(self):
        server = self.start()
        raw = harness.request_bytes("POST", "/append?id=a", b"too late")
        socks = []
        for cut in (3, 30, len(raw) - 1):
            sock = self.enterContext(server.connect())
            sock.sendall(raw[:cut])
            socks.append((sock, raw[cut:]))
        with server.client() as client:
            self.assertEqual(404, client.request("GET", "/nowhere")[0])
        self.signal(server)
        for sock, rest in socks:
            sock.sendall(rest)
            status, headers, body = harness.receive_reply(sock)
            self.assertEqual((503, "text/plain", "close"),
                             (status, headers["content-type"], headers["connection"]))
            self.assertIn("retry-after", headers)
            self.assertRegex(body, rb"\A[ -~]+\n\Z")
            self.assertEqual(b"", sock.recv(1))
        self.assertEqual(0, self.exit_status(server))
        self.check_stored(server, b"before")

    def test_idle_connections_are_closed(self):
        """One that has been served, and one that has sent nothing."""
        server = self.start(hold=True)
        served = self.send(server, "GET", "/get?id=a&offset=0")
        self.assertEqual(b"before", harness.receive_reply(served)[2])
        silent = self.enterContext(server.connect())
        with server.client() as client:
            client.get("a", 0)
            append = self.hold_append(server)
            self.signal(server)
            for sock in (served, silent):
                self.assertEqual(b"", sock.recv(1))
        # a new request on such a connection is not served, nor is a new connection
        for sock in (served, silent):
            try:
                sock.sendall(harness.request_bytes("POST", "/append?id=a", b"too late"))
                self.assertIn(harness.receive_all(sock)[:13], (b"", b"HTTP/1.1 503 "))
            except (ConnectionResetError, BrokenPipeError):
                pass
        with self.assertRaises(ConnectionRefusedError):
            server.connect()
        self.assertFalse(harness.is_readable(append, 0))
        server.release_disk()
        self.assertEqual(200, harness.receive_reply(append)[0])
        self.assertEqual(0, self.exit_status(server))

    def test_requests_sent_ahead(self):
        """The request in flight gets its reply, with Connection: close; the others are dropped."""
        server = self.start(hold=True)
        append = self.hold_append(server)
        append.sendall(harness.request_bytes("POST", "/append?id=a", b"too late") * 3)
        self.signal(server)
        server.release_disk()
        status, headers, _ = harness.receive_reply(append)
        self.assertEqual((200, "close"), (status, headers["connection"]))
        self.assertEqual(b"", harness.receive_all(append))
        self.assertEqual(0, self.exit_status(server))
        self.check_stored(server, b"before", b"in flight")

    def test_an_idle_server_stops_at_once(self):
        for number in (signal.SIGTERM, signal.SIGINT):
            server = self.start()
            began = time.monotonic()
            self.signal(server, number)
            self.assertEqual(0, self.exit_status(server))
            if harness.SANITIZE == "none":
                self.assertLess(time.monotonic() - began, BOUND_SECONDS - 1)

    def test_a_second_signal_ends_the_server_at_once(self):
        """With an exit status that is not 0, as a request is unanswered."""
        for first, second in ((signal.SIGTERM, signal.SIGTERM), (signal.SIGINT, signal.SIGTERM),
                              (signal.SIGTERM, signal.SIGINT)):
            server = self.start(hold=True)
            self.hold_append(server)
            self.signal(server, first)
            self.assertIsNone(server.process.poll())
            began = time.monotonic()
            server.process.send_signal(second)
            self.assertGreater(self.exit_status(server), 0)
            self.assertLess(time.monotonic() - began, BOUND_SECONDS - 1)

    def test_stalled_clients_are_not_waited_for(self):
        """Readers and senders that have stopped: exit 0 after the bound."""
        server = self.start()
        with server.client() as client:
            offset = client.append("a", bytes(32 * MIB))
        stalled = [self.send(server, "GET", "/get?id=a&offset=%d" % offset, receive_buffer=4096),
                   self.send(server, "POST", "/getMulti?id=a", offset.to_bytes(8, "little") * 4,
                             receive_buffer=4096)]
        for sock in stalled:
            self.assertEqual(200, harness.receive_head(sock)[0])
        half = self.enterContext(server.connect())
        half.sendall(harness.request_bytes("POST", "/append?id=a", b"x" * 100)[:-1])
        began = time.monotonic()
        self.signal(server)
        self.assertEqual(0, self.exit_status(server))
        self.assertLess(time.monotonic() - began, BOUND_SECONDS + SLACK_SECONDS)
        for sock in stalled:  # the reply is incomplete, and its client can see that
            try:
                self.assertLess(len(harness.receive_all(sock)), 32 * MIB)
            except ConnectionResetError:
                pass

    def test_a_close_that_waits_for_a_stalled_reader_is_not_waited_for(self):
        """The close waits for the reader, not for the disk: exit 0 after the bound."""
        server = self.start()
        with server.client() as client:
            offset = client.append("a", bytes(32 * MIB))
        reader = self.send(server, "GET", "/get?id=a&offset=%d" % offset, receive_buffer=4096)
        self.assertEqual(200, harness.receive_head(reader)[0])
        close = self.send(server, "POST", "/close")
        self.assertFalse(harness.is_readable(close))
        self.signal(server)
        self.assertEqual(0, self.exit_status(server))

    def test_a_hung_disk_is_not_waited_for(self):
        """The exit status is not 0, as a request is unanswered."""
        server = self.start(hold=True)
        self.hold_append(server)
        self.signal(server)
        self.assertGreater(self.exit_status(server), 0)

    def test_the_port_is_free_again(self):
        server = self.start()
        with server.client() as client:
            client.get("a", 0)
            self.signal(server)
            self.assertEqual(0, self.exit_status(server))
        with socket.socket() as sock:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            sock.bind(("127.0.0.1", server.port))


if __name__ == "__main__":
    unittest.main()
