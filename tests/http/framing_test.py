"""Where one request ends and the next begins: limits, Expect, HEAD, and HTTP's versions.

Ambiguous requests, which are refused, are in hostile_test.py.
"""
import http.client
import os
import unittest

import harness

SMUGGLED = harness.request_bytes("POST", "/append?id=s&storagePrefix=smuggled", b"gotcha")
CHUNKED = b"POST /append?id=a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
MIB = 1 << 20


def post(*headers, version=b"HTTP/1.1", host=b"Host: x"):
    return b"\r\n".join([b"POST /append?id=a " + version, host, *headers]) + b"\r\n\r\n"


def get(line, *headers, host=b"Host: x"):
    return b"\r\n".join([line, host, *headers]) + b"\r\n\r\n"


GET = b"GET /get?id=a&offset=0 HTTP/1.1"


class TooLarge(unittest.TestCase):
    def check_too_large(self, server, raw):
        """413 comes before the body is sent, and no 100 before it."""
        sock = server.connect()
        sock.settimeout(20)
        sock.sendall(raw)
        status, headers, body = harness.receive_reply(sock)
        self.assertEqual((413, "text/plain"), (status, headers["content-type"]))
        self.assertRegex(body, rb"\A[ -~]+\n\Z")
        sock.close()

    def test_over_the_default_limit(self):
        with harness.Server("-buckets", "1") as server:
            length = b"Content-Length: %d" % (64 * MIB + 1)
            self.check_too_large(server, post(length))
            self.check_too_large(server, post(length, b"Expect: 100-continue"))
            self.check_too_large(server, CHUNKED + b"4000001\r\n")
            self.check_too_large(server, CHUNKED + b"1\r\nx\r\n4000000\r\n")
            self.assertEqual([], [entry.name for entry in os.scandir(server.root)
                                  if entry.is_dir()])

    def test_over_a_small_limit(self):
        with harness.Server("-buckets", "1", "-max-value", "1000") as server:
            self.check_too_large(server, post(b"Content-Length: 1001"))
            self.check_too_large(server, post(b"Content-Length: 1001", b"Expect: 100-continue"))
            self.check_too_large(server, CHUNKED + b"3E9\r\n")

    def test_the_limit_itself(self):
        with harness.Server("-buckets", "1", "-max-value", "1000") as server:
            with server.client() as client:
                self.assertEqual(413, client.request("POST", "/append", b"x" * 1001, id="a")[0])
            with server.client() as client:
                self.assertEqual(0, client.append("a", b"x" * 1000))
                self.assertEqual(b"x" * 1000, client.get("a", 0))
                # the limit is for values, not for bodies of getMulti
                values, error = harness.split_multi(client.get_multi("a", [0] * 200))
                self.assertEqual(([b"x" * 1000] * 200, None), (values, error))


class Expect(unittest.TestCase):
    def test_continue_then_the_reply(self):
        with harness.Server("-buckets", "1") as server:
            sock = server.connect()
            for offset, value in ((0, b"first"), (21, b"second")):
                sock.sendall(post(b"Content-Length: %d" % len(value), b"Expect: 100-continue"))
                status, headers = harness.receive_head(sock)
                self.assertEqual((100, None), (status, headers.get("content-length")))
                self.assertFalse(harness.is_readable(sock, 0.05))
                sock.sendall(value)
                status, _, body = harness.receive_reply(sock)
                self.assertEqual(200, status)
                self.assertTrue(body.startswith(b'{"offset":%d,' % offset), body)
            sock.close()

    def test_http_1_0_knows_no_continue(self):
        with harness.Server("-buckets", "1") as server:
            sock = server.connect()
            sock.sendall(post(b"Content-Length: 5", b"Expect: 100-continue", version=b"HTTP/1.0")
                         + b"12345")
            self.assertEqual(200, harness.receive_reply(sock)[0])
            sock.close()


class Versions(unittest.TestCase):
    def setUp(self):
        self.server = self.enterContext(harness.Server("-buckets", "1"))
        self.client = self.enterContext(self.server.client())

    def exchange(self, raw):
        """Everything that comes back until the server closes."""
        sock = self.server.connect()
        sock.sendall(raw)
        sock.shutdown(harness.socket.SHUT_WR)
        data = harness.receive_all(sock)
        sock.close()
        return data

    def test_head(self):
        """The headers of GET, no body, and the next reply right behind them."""
        for value in (b"short", b"v" * 5000, b"w" * 3 * MIB):
            offset = self.client.append("a", value)
            target = "/get?id=a&offset=%d" % offset
            sock = self.server.connect()
            sock.sendall(harness.request_bytes("HEAD", target)
                         + harness.request_bytes("GET", target)
                         + harness.request_bytes("HEAD", target + "1")
                         + harness.request_bytes("HEAD", "/append")
                         + harness.request_bytes("GET", target))
            status, headers = harness.receive_head(sock)
            self.assertEqual((200, str(len(value)), "application/octet-stream"),
                             (status, headers["content-length"], headers["content-type"]))
            self.assertEqual(value, harness.receive_reply(sock)[2])
            self.assertEqual(404, harness.receive_head(sock)[0])
            self.assertEqual(405, harness.receive_head(sock)[0])
            self.assertEqual(value, harness.receive_reply(sock)[2])
            sock.close()

    def check_http_1_0(self, request, expected, headers):
        """The reply ends with its Content-Length or with the connection; it is never chunked."""
        head, _, body = self.exchange(request).partition(b"\r\n\r\n")
        self.assertEqual(b"200", head.split(b" ")[1])
        self.assertNotIn(b"transfer-encoding", head.lower())
        self.assertTrue(expected == body, "%s: body of %d bytes" % (headers, len(body)))
        if b"content-length" in head.lower():
            self.assertIn(b"content-length: %d" % len(expected), head.lower().split(b"\r\n"))

    def test_http_1_0(self):
        for value in (b"short", b"v" * 5000, b"w" * MIB):
            offset = self.client.append("a", value)
            multi = (len(value).to_bytes(4, "little") + value) * 40
            packed = offset.to_bytes(8, "little") * 40
            for headers in ((), ("Connection: keep-alive",)):
                target = "/get?id=a&offset=%d" % offset
                self.check_http_1_0(harness.request_bytes(
                    "GET", target, None, headers, "HTTP/1.0"), value, headers)
                self.check_http_1_0(harness.request_bytes(
                    "POST", "/getMulti?id=a", packed, headers, "HTTP/1.0"), multi, headers)

    def test_http_1_0_keep_alive(self):
        self.client.append("a", b"a value")
        sock = self.server.connect()
        for _ in range(3):
            sock.sendall(harness.request_bytes("GET", "/get?id=a&offset=0", None,
                                               ["Connection: keep-alive"], "HTTP/1.0"))
            status, headers, body = harness.receive_reply(sock)
            self.assertEqual((200, "keep-alive", b"a value"),
                             (status, headers["connection"].lower(), body))
        sock.close()

    def test_connection_close_ends_the_connection_after_the_reply(self):
        """The reply has no keep-alive, and a pipelined request behind it is not served."""
        self.client.append("a", b"a value")
        for request in (get(GET, b"Connection: close"), get(GET, b"Connection: x, Close"),
                        get(GET.replace(b"1.1", b"1.0"))):
            head, _, body = self.exchange(request + SMUGGLED).partition(b"\r\n\r\n")
            self.assertEqual(b"a value", body)
            self.assertIn(b"Connection: close", head.split(b"\r\n"))
            self.assertNotIn(b"keep-alive", head.lower())
        self.assertFalse(os.path.exists(os.path.join(self.server.root, "smuggled")))

    def test_http_1_9_is_answered_as_1_1(self):
        self.client.append("a", b"a value")
        sock = self.server.connect()
        for target, status in (("/get?id=a&offset=0", 200), ("/nowhere", 404)):
            sock.sendall(harness.request_bytes("GET", target, version="HTTP/1.9"))
            reply = http.client.HTTPResponse(sock)
            reply.begin()
            self.assertEqual((11, status), (reply.version, reply.status))
            reply.read()
        sock.sendall(harness.request_bytes("GET", "/get?id=a&offset=0", version="HTTP/1.9"))
        self.assertEqual(b"HTTP/1.1 ", sock.recv(9))
        sock.close()


if __name__ == "__main__":
    unittest.main()
