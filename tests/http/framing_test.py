"""Where one request ends and the next begins: what is ambiguous is refused.

Each refused request is followed by another one that a lenient server would
take, and serve as the next request: it must never be answered or carried out.
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

REFUSED = {
    # the length of the body
    "two lengths": (400, post(b"Content-Length: 5", b"Content-Length: 6") + b"12345"),
    "one length twice": (400, post(b"Content-Length: 5", b"Content-Length: 5") + b"12345"),
    "list of lengths": (400, post(b"Content-Length: 5, 5") + b"12345"),
    "space before the colon": (400, post(b"Content-Length : 5") + b"12345"),
    "signed length": (400, post(b"Content-Length: +5") + b"12345"),
    "negative length": (400, post(b"Content-Length: -5") + b"12345"),
    "hexadecimal length": (400, post(b"Content-Length: 0x5") + b"12345"),
    "length with junk": (400, post(b"Content-Length: 5x") + b"12345"),
    "empty length": (400, post(b"Content-Length: ") + b"12345"),
    "length over 64 bits": (413, post(b"Content-Length: 18446744073709551621") + b"12345"),
    "body on HEAD": (400, get(b"HEAD /get?id=a&offset=0 HTTP/1.1", b"Content-Length: 5")
                     + b"12345"),
    "chunked body on HEAD": (400, get(b"HEAD /get?id=a&offset=0 HTTP/1.1",
                                      b"Transfer-Encoding: chunked") + b"0\r\n\r\n"),
    # chunks
    "length and chunks": (400, post(b"Content-Length: 5", b"Transfer-Encoding: chunked")
                          + b"0\r\n\r\n"),
    "chunks and length": (400, post(b"Transfer-Encoding: chunked", b"Content-Length: 5")
                          + b"0\r\n\r\n"),
    "chunked twice": (400, post(b"Transfer-Encoding: chunked", b"Transfer-Encoding: chunked")
                      + b"0\r\n\r\n"),
    "other encoding": (400, post(b"Transfer-Encoding: identity", b"Content-Length: 0")),
    "chunked by another name": (400, post(b"Transfer-Encoding: xchunked") + b"0\r\n\r\n"),
    "space before the colon of chunked": (400, post(b"Transfer-Encoding : chunked",
                                                    b"Content-Length: 5") + b"12345"),
    "chunked in HTTP/1.0": (400, post(b"Transfer-Encoding: chunked", version=b"HTTP/1.0")
                            + b"0\r\n\r\n"),
    "chunk size 0x5": (400, CHUNKED + b"0x5\r\n12345\r\n0\r\n\r\n"),
    "chunk size +5": (400, CHUNKED + b"+5\r\n12345\r\n0\r\n\r\n"),
    "chunk size -5": (400, CHUNKED + b"-5\r\n12345\r\n0\r\n\r\n"),
    "space before a chunk size": (400, CHUNKED + b" 5\r\n12345\r\n0\r\n\r\n"),
    "empty chunk size": (400, CHUNKED + b"\r\n12345\r\n0\r\n\r\n"),
    "line feed after a chunk size": (400, CHUNKED + b"5\n12345\r\n0\r\n\r\n"),
    "chunk size that wraps to 5": (400, CHUNKED + b"10000000000000005\r\n12345\r\n0\r\n\r\n"),
    "chunk longer than it says": (400, CHUNKED + b"4\r\n12345\r\n0\r\n\r\n"),
    "second chunk bad": (400, CHUNKED + b"5\r\n12345\r\n0x5\r\n12345\r\n0\r\n\r\n"),
    "endless chunk size": (400, CHUNKED + b"0" * 100000),
    # headers
    "NUL in a value": (400, get(GET, b"X: a\0b")),
    "NUL in a name": (400, get(GET, b"X\0Y: a")),
    "NUL hiding a length": (400, post(b"Content-Length: 5\0 6") + b"12345"),
    "bare line feed": (400, get(GET, b"X: a\nContent-Length: 5")),
    "bare line feeds": (400, get(GET, b"X: a").replace(b"\r\n", b"\n")),
    "bare carriage return": (400, get(GET, b"X: a\rY: b")),
    "folded header": (400, get(GET, b"X: a\r\n b")),
    "folded length": (400, post(b"Content-Length:\r\n 5") + b"12345"),
    "first header folded": (400, get(GET, b"Y: b", host=b" X: a\r\nHost: x")),
    "no colon": (400, get(GET, b"X")),
    "no name": (400, get(GET, b": a")),
    "space in a name": (400, get(GET, b"X Y: a")),
    "no host": (400, get(GET, host=b"X: y")),
    "two hosts": (400, get(GET, b"Host: x")),
    "long header": (400, get(GET, b"X: " + b"a" * 100000)),
    "many headers": (400, get(GET, *[b"X: y"] * 2000)),
    "unknown expectation": (417, post(b"Content-Length: 5", b"Expect: a-miracle") + b"12345"),
    # the request line
    "absolute target": (400, get(b"GET http://x/get?id=a&offset=0 HTTP/1.1")),
    "target without slash": (400, get(b"GET get?id=a&offset=0 HTTP/1.1")),
    "two slashes": (400, get(b"GET //x/get?id=a&offset=0 HTTP/1.1")),
    "asterisk": (400, get(b"OPTIONS * HTTP/1.1")),
    "control character in the target": (400, get(b"GET /get?id=a\x01&offset=0 HTTP/1.1")),
    "space in the target": (400, get(b"GET /get?id=a b&offset=0 HTTP/1.1")),
    "two spaces": (400, get(b"GET  /get?id=a&offset=0 HTTP/1.1")),
    "tabs": (400, get(b"GET\t/get?id=a&offset=0\tHTTP/1.1")),
    "no version": (400, get(b"GET /get?id=a&offset=0")),
    "HTTP/2.0": (400, get(b"GET /get?id=a&offset=0 HTTP/2.0")),
    "HTTP/1.10": (400, get(b"GET /get?id=a&offset=0 HTTP/1.10")),
    "small letters": (400, get(b"GET /get?id=a&offset=0 http/1.1")),
    "CONNECT": (405, get(b"CONNECT /append?id=a HTTP/1.1")),
    "TRACE": (405, get(b"TRACE /get?id=a&offset=0 HTTP/1.1")),
    "unknown method": (405, get(b"FROBNICATE /get?id=a&offset=0 HTTP/1.1")),
    "method in small letters": (405, get(b"get /get?id=a&offset=0 HTTP/1.1")),
}


class Refused(unittest.TestCase):
    def check_refusal(self, data, status):
        """One reply of one line, and nothing after it."""
        head, _, body = data.partition(b"\r\n\r\n")
        lines = head.decode().split("\r\n")
        self.assertEqual(["HTTP/1.1", str(status)], lines[0].split(" ")[:2])
        self.assertIn("Content-Type: text/plain", lines)
        self.assertIn("Connection: close", lines)
        self.assertIn("Content-Length: %d" % len(body), lines)
        self.assertRegex(body, rb"\A[ -~]+\n\Z")
        if status == 405:
            self.assertTrue(any(line.startswith("Allow: ") for line in lines), lines)

    def refused(self, server, raw, status):
        sock = server.connect()
        sock.settimeout(20)
        sock.sendall(raw)
        self.check_refusal(harness.receive_all(sock), status)
        sock.close()

    def test_ambiguous_requests(self):
        with harness.Server("-buckets", "1") as server:
            with server.client() as client:
                client.append("a", b"a value")
            for name, (status, raw) in REFUSED.items():
                with self.subTest(name):
                    self.refused(server, raw + SMUGGLED * 2, status)
            self.assertEqual(["default"], [entry.name for entry in os.scandir(server.root)
                                           if entry.is_dir()])
            with server.client() as client:
                self.assertEqual(b"a value", client.get("a", 0))

    def test_refused_without_waiting_for_more(self):
        """What can never become a good request is not waited for: nothing follows here."""
        with harness.Server("-buckets", "1") as server:
            for name in ("two lengths", "body on HEAD", "chunk size 0x5", "bare line feed",
                         "long header", "endless chunk size", "bare line feeds"):
                with self.subTest(name):
                    status, raw = REFUSED[name]
                    self.refused(server, raw, status)

    def test_good_reply_comes_before_the_refusal(self):
        with harness.Server("-buckets", "1") as server:
            with server.client() as client:
                client.append("a", b"a value")
            sock = server.connect()
            sock.sendall(get(GET) + REFUSED["two lengths"][1] + SMUGGLED)
            self.assertEqual((200, b"a value"), harness.receive_reply(sock)[::2])
            self.check_refusal(harness.receive_all(sock), 400)
            sock.close()


class TooLarge(unittest.TestCase):
    def too_large(self, server, raw):
        """413 comes while the client waits with the body, and no 100 before it."""
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
            self.too_large(server, post(length))
            self.too_large(server, post(length, b"Expect: 100-continue"))
            self.too_large(server, CHUNKED + b"4000001\r\n")
            self.too_large(server, CHUNKED + b"1\r\nx\r\n4000000\r\n")
            self.assertEqual([], [entry.name for entry in os.scandir(server.root)
                                  if entry.is_dir()])

    def test_over_a_small_limit(self):
        with harness.Server("-buckets", "1", "-max-value", "1000") as server:
            self.too_large(server, post(b"Content-Length: 1001"))
            self.too_large(server, post(b"Content-Length: 1001", b"Expect: 100-continue"))
            self.too_large(server, CHUNKED + b"3E9\r\n")

    def test_the_limit_itself(self):
        with harness.Server("-buckets", "1", "-max-value", "1000") as server:
            with server.client() as client:
                self.assertEqual(413, client.request("POST", "/append", b"x" * 1001, id="a")[0])
            with server.client() as client:
                self.assertEqual(0, client.append("a", b"x" * 1000))
                self.assertEqual(b"x" * 1000, client.get("a", 0))
                # the limit is one of values, not of offsets
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
        """As get, without the body; and the next reply is where it should be."""
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

    def http_1_0(self, request, expected, headers):
        """Framed by the right length or by the close, never by chunks."""
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
                self.http_1_0(harness.request_bytes("GET", "/get?id=a&offset=%d" % offset, None,
                                                    headers, "HTTP/1.0"), value, headers)
                self.http_1_0(harness.request_bytes("POST", "/getMulti?id=a", packed,
                                                    headers, "HTTP/1.0"), multi, headers)

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

    def test_the_client_asks_for_the_close(self):
        """The reply says so too, and what is pipelined behind is not served."""
        self.client.append("a", b"a value")
        for request in (get(GET, b"Connection: close"), get(GET, b"Connection: x, Close"),
                        get(GET.replace(b"1.1", b"1.0"))):
            head, _, body = self.exchange(request + SMUGGLED).partition(b"\r\n\r\n")
            self.assertEqual(b"a value", body)
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
