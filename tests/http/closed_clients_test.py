"""Clients that close, half-close or reset at any moment: their sockets are let go of at once, and
whoever reads is told when a reply is cut off."""
import socket
import struct
import time
import unittest

import harness

CLIENTS = 99
MIB = 1 << 20
LET_GO_SECONDS = 3  # a socket that is held is held for 12 seconds, or for ever
APPEND = harness.request_bytes("POST", "/append?id=a", b"y" * 100)
NO_RATE = ("-min-rate", "0")  # nothing but the end of the connection lets go of it


def close(sock):
    sock.close()


def half_close(sock):
    sock.shutdown(socket.SHUT_WR)


def half_close_and_reset(sock):
    sock.shutdown(socket.SHUT_WR)
    harness.reset(sock)


WAYS = (close, half_close, harness.reset, half_close_and_reset)


class LetGo(unittest.TestCase):
    def wait_for_sockets(self, server, count):
        harness.wait_for(lambda: server.sockets() == count, "the sockets to be let go of",
                         LET_GO_SECONDS)

    def flood(self, server, send, ways=WAYS):
        """99 clients send something and go, each in its way; others can come in."""
        for way in ways:
            with self.subTest(way=way.__name__):
                socks = [server.connect() for _ in range(CLIENTS)]
                for sock in socks:
                    sock.sendall(send)
                for sock in socks:
                    way(sock)
                self.wait_for_sockets(server, 1)
                for sock in socks:
                    sock.close()
                with server.client() as client:
                    client.append("b", b"let in")
                self.wait_for_sockets(server, 1)

    def server(self, *flags, **options):
        return harness.Server("-max-connections", "100", *NO_RATE, *flags, **options)

    def test_after_a_request(self):
        with self.server() as server:
            self.flood(server, APPEND)
            self.flood(server, APPEND * 20)

    def test_with_nothing_sent_or_in_a_head(self):
        with self.server() as server:
            self.flood(server, b"")
            self.flood(server, b"POST /append?id=a HT")

    def test_in_a_body(self):
        with self.server() as server:
            self.flood(server, APPEND[:-1])
            self.flood(server, b"POST /append?id=a HTTP/1.1\r\nHost: x\r\n"
                               b"Transfer-Encoding: chunked\r\n\r\n5\r\nab")

    def test_after_a_refusal(self):
        """The server lingers; a client that only half-closes has its reply and is let go of too."""
        with self.server() as server:
            self.flood(server, b"BREW / HTTP/1.1\r\nHost: x\r\n\r\n" + b"x" * 1000)
            self.flood(server, b"POST /append?id=a HTTP/1.1\r\nHost: x\r\n"
                               b"Content-Length: 99999999999\r\n\r\n" + b"x" * 1000)

    def test_while_a_long_reply_is_sent(self):
        with self.server() as server:
            with server.client() as client:
                client.append("long", b"v" * (8 * MIB))
            self.flood(server, harness.request_bytes("GET", "/get?id=long&offset=0"),
                       (close, harness.reset, half_close_and_reset))

    def test_while_a_worker_has_the_request(self):
        with self.server(hold=True) as server:
            server.hold_disk()
            socks = [server.connect() for _ in range(CLIENTS)]
            for sock in socks:
                sock.sendall(APPEND)
            harness.wait_for(server.disk_is_waiting, "an append to reach the disk")
            for number, sock in enumerate(socks):
                WAYS[number % len(WAYS)](sock)
            server.release_disk()
            self.wait_for_sockets(server, 1)
            for sock in socks:
                sock.close()


class Stop(unittest.TestCase):
    def test_a_client_that_acknowledges_late_does_not_hold_up_the_stop(self):
        """Its kernel acknowledges the last reply some 40 ms after it has come."""
        with harness.Server() as server, server.client() as client:
            for _ in range(50):
                client.append("a", b"x")
            begin = time.monotonic()
            self.assertEqual(0, server.stop())
            self.assertLess(time.monotonic() - begin, 2)  # 3 s when it waited for that


class CutOff(unittest.TestCase):
    def test_a_reply_of_http_1_0_without_a_length_is_reset(self):
        """An end of the connection would look like the end of the reply."""
        with harness.Server("-buckets", "1") as server:
            with server.client() as client:
                offset = client.append("a", b"v" * (4 * MIB))
            sock = server.connect(receive_buffer=4096)
            sock.sendall(harness.request_bytes("POST", "/getMulti?id=a",
                                               struct.pack("<Q", offset) * 4, version="HTTP/1.0"))
            self.assertEqual(200, harness.receive_head(sock)[0])
            self.assertEqual(0, server.stop())
            with self.assertRaises(ConnectionResetError):
                while sock.recv(1 << 16):
                    pass
            sock.close()


class ReadsLast(unittest.TestCase):
    def test_a_client_that_sends_all_before_it_reads_gets_its_413(self):
        """For longer than the server lingers if nothing comes."""
        with harness.Server("-max-value", "1MiB") as server, server.connect() as sock:
            sock.sendall(b"POST /append?id=a HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" %
                         (80 * MIB))
            begin = time.monotonic()
            for part in range(80):  # 20 MiB/s, as on a network
                while time.monotonic() < begin + part / 20:
                    time.sleep(0.005)
                sock.sendall(b"x" * MIB)
            status, _, body = harness.receive_reply(sock)
            self.assertEqual(413, status)
            self.assertEqual(b"the body is too large, the limit is 1048576 bytes\n", body)

    def test_an_endless_one_is_cut_off(self):
        with harness.Server("-max-value", "1MiB") as server, server.connect() as sock:
            sock.sendall(b"POST /append?id=a HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" %
                         (1 << 40))
            with self.assertRaises(OSError):
                for _ in range(100_000):  # 256 MiB are taken, and what one tick adds
                    sock.sendall(b"x" * MIB)
            harness.wait_for(lambda: server.sockets() == 1, "the socket to be let go of")


if __name__ == "__main__":
    unittest.main()
