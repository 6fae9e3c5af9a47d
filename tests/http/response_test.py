"""Every response, also to what was refused, has the same head lines, and the log knows of it."""
import re
import unittest

import harness

DATE = r"(Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT"
GOOD = harness.request_bytes("POST", "/append?id=a", b"value")

# What is sent, and the status, the headers that must be there beside the usual ones.
ROWS = (
    (GOOD, 200, {"content-type": "application/json", "connection": "keep-alive"}),
    (harness.request_bytes("GET", "/get?id=a&offset=0"), 200,
     {"content-type": "application/octet-stream", "connection": "keep-alive"}),
    (harness.request_bytes("GET", "/get?id=a&offset=1"), 404, {"connection": "keep-alive"}),
    (harness.request_bytes("GET", "/nowhere"), 404, {"connection": "keep-alive"}),
    (harness.request_bytes("GET", "/append?id=a"), 405, {"allow": "POST", "connection": "keep-alive"}),
    (harness.request_bytes("GET", "/get?id=a&offset=0", headers=("Connection: close",)), 200,
     {"content-type": "application/octet-stream", "connection": "close"}),
    (b"GET /get?id=a HTTP/1.1\r\n\r\n", 400, {"connection": "close"}),
    (b"BREW / HTTP/1.1\r\nHost: x\r\n\r\n", 405,
     {"allow": "GET, HEAD, POST, OPTIONS", "connection": "close"}),
    (b"POST /append?id=a HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999\r\n\r\n", 413,
     {"connection": "close"}),
    (b"POST /append?id=a HTTP/1.1\r\nHost: x\r\nExpect: luck\r\n\r\n", 417,
     {"connection": "close"}),
    (b"GET //x:y/ HTTP/1.1\r\nHost: x\r\n\r\n", 400, {"connection": "close"}),
)


class Head(unittest.TestCase):
    def check(self, headers, extra, idle=75):
        """Of the first response of a connection."""
        expected = dict({"content-type": "text/plain", "allow": None}, **extra)
        stays = expected["connection"] != "close"
        expected["keep-alive"] = "timeout=%d" % idle if stays else None
        value = expected["content-type"] == "application/octet-stream"
        expected["cache-control"] = "no-cache" if value else "no-store"
        for name, value in expected.items():
            self.assertEqual(value, headers.get(name), name)
        self.assertRegex(headers["date"], DATE)
        self.assertRegex(headers["content-length"], r"\A\d+\Z")

    def test_all_have_a_date_a_type_and_a_length(self):
        with harness.Server("-buckets", "1") as server:
            with server.client() as client:
                client.append("a", b"value")
            for request, status, extra in ROWS:
                with self.subTest(request), server.connect() as sock:
                    sock.sendall(request)
                    got, headers, body = harness.receive_reply(sock)
                    self.assertEqual(status, got)
                    self.check(headers, extra)
                    if status != 200:
                        self.assertRegex(body, rb"\A[^\n]+\n\Z")

    def test_one_without_a_body_has_a_date_alone(self):
        with harness.Server("-buckets", "1") as server, server.connect() as sock:
            for last in (False, True):
                sock.sendall(harness.request_bytes("OPTIONS", "/get", headers=(
                    ("Connection: close",) if last else ())))
                status, headers = harness.receive_head(sock)
                self.assertEqual((204, "GET, HEAD, OPTIONS"), (status, headers.pop("allow")))
                self.assertRegex(headers.pop("date"), DATE)
                self.assertEqual("no-store", headers.pop("cache-control"))
                self.assertEqual({"connection": "close"} if last else {
                    "connection": "keep-alive", "keep-alive": "timeout=75"}, headers)
            self.assertEqual(b"", harness.receive_all(sock))

    def test_the_first_one_says_how_long_the_connection_may_be_idle(self):
        """For clients that would otherwise send when it is closed; each later one would cost bytes."""
        get = harness.request_bytes("GET", "/get?id=a&offset=0")
        missing = harness.request_bytes("GET", "/get?id=a&offset=1")
        for first in (get, missing, GOOD):
            with harness.Server("-buckets", "1", "-idle-timeout", "7") as server:
                with server.client() as client:
                    client.append("a", b"value")
                with server.connect() as sock:
                    sock.sendall(first + get)
                    for expected in ("timeout=7", None, None):
                        headers = harness.receive_reply(sock)[1]
                        self.assertEqual(expected, headers.get("keep-alive"))
                        # whoever passes the reply on must know that it is about one connection
                        self.assertEqual("keep-alive" if expected else None,
                                         headers.get("connection"))
                        if expected is None:
                            sock.sendall(get)

    def test_without_an_idle_timeout_none_is_said(self):
        with harness.Server("-idle-timeout", "0") as server, server.connect() as sock:
            sock.sendall(GOOD)
            status, headers, _ = harness.receive_reply(sock)
            self.assertEqual((200, None, None),
                             (status, headers.get("keep-alive"), headers.get("connection")))

    def test_a_reply_in_pieces_says_it_too(self):
        with harness.Server("-buckets", "1") as server:
            with server.client() as client:
                client.append("a", b"v" * (1 << 20))
            with server.connect() as sock:
                for expected in ("timeout=75", None):
                    sock.sendall(harness.request_bytes("GET", "/get?id=a&offset=0"))
                    status, headers, body = harness.receive_reply(sock)
                    self.assertEqual((200, 1 << 20), (status, len(body)))
                    self.assertEqual(expected, headers.get("keep-alive"))

    def test_a_timeout_has_them_too(self):
        with harness.Server("-header-timeout", "1") as server, server.connect() as sock:
            sock.sendall(b"GET /")
            status, headers, body = harness.receive_reply(sock)
            self.assertEqual((408, b"the head of the request took too long\n"), (status, body))
            self.check(headers, {"connection": "close"})

    def test_too_much_in_flight_says_when_to_come_again(self):
        with harness.Server("-max-in-flight", "1", "-workers", "1", hold=True) as server:
            server.hold_disk()
            with server.connect() as first, server.connect() as second:
                first.sendall(GOOD)
                harness.wait_for(server.disk_is_waiting, "the append to reach the disk")
                second.sendall(GOOD)
                status, headers, _ = harness.receive_reply(second)
                self.assertEqual((503, "1"), (status, headers["retry-after"]))
                self.check(headers, {"connection": "keep-alive"})
                server.release_disk()
                self.assertEqual(200, harness.receive_reply(first)[0])

    def test_a_head_that_the_parser_refuses_has_no_body(self):
        """What looks like a port in the path is one for evhttp."""
        with harness.Server() as server:
            for method, body in ((b"HEAD", b""), (b"GET", b"the request was not understood\n")):
                with server.connect() as sock:
                    sock.sendall(method + b" //x:y/ HTTP/1.1\r\nHost: x\r\n\r\n")
                    head, _, rest = harness.receive_all(sock).partition(b"\r\n\r\n")
                    self.assertTrue(head.startswith(b"HTTP/1.1 400 "), head)
                    self.assertIn(b"\r\nContent-Length: 31\r\n", head)
                    self.assertEqual(body, rest)

    def test_http_1_0(self):
        with harness.Server("-buckets", "1") as server:
            with server.client() as client:
                client.append("a", b"value")
            for header, kept in (((), "close"), (("Connection: close",), "close"),
                                 (("Connection: keep-alive, close",), "close"),
                                 (("Connection: x, Keep-Alive",), "keep-alive"),
                                 (("Connection: keep-alive",), "keep-alive")):
                with self.subTest(header), server.connect() as sock:
                    sock.sendall(harness.request_bytes("GET", "/get?id=a&offset=0",
                                                       headers=header, version="HTTP/1.0"))
                    status, headers, body = harness.receive_reply(sock)
                    self.assertEqual((200, b"value"), (status, body))
                    self.check(headers, {"content-type": "application/octet-stream",
                                         "connection": kept})
                    if kept == "close":
                        self.assertEqual(b"", sock.recv(1))
                    else:
                        self.assertFalse(harness.is_readable(sock, 1))

    def test_http_1_0_without_a_length_ends_with_the_connection(self):
        """Even if the client asks to keep it: nothing else would end the body."""
        with harness.Server("-buckets", "1") as server:
            with server.client() as client:
                client.append("a", b"v" * (1 << 20))
            for header in ((), ("Connection: keep-alive",)):
                with self.subTest(header), server.connect() as sock:
                    sock.sendall(harness.request_bytes("POST", "/getMulti?id=a", bytes(8) * 3,
                                                       headers=header, version="HTTP/1.0"))
                    status, headers = harness.receive_head(sock)
                    self.assertEqual((200, "close", None, None, None),
                                     (status, headers["connection"], headers.get("keep-alive"),
                                      headers.get("content-length"),
                                      headers.get("transfer-encoding")))
                    self.assertEqual(3 * (4 + (1 << 20)), len(harness.receive_all(sock)))


class Log(unittest.TestCase):
    def test_each_response_is_a_line_refusals_included(self):
        with harness.Server("-log-slower-than", "0", "-header-timeout", "1") as server:
            for request, status, _ in ROWS[:2] + ROWS[6:]:
                with server.connect() as sock:
                    sock.sendall(request)
                    self.assertIn(harness.receive_reply(sock)[0], (status, 404))
            with server.connect() as sock:
                sock.sendall(b"GET /")
                self.assertEqual(408, harness.receive_reply(sock)[0])
            server.stop()  # its log is complete
            lines = re.findall(r"^\S+ \S+ ([0-9.]+) ms (\d+) (.*)$", server.log(), re.M)
            self.assertEqual(["200", "200", "400", "405", "413", "417", "400", "408"],
                             [status for _, status, _ in lines])
            self.assertEqual("/append?id=a", lines[0][2])
            self.assertEqual("no Host header", lines[2][2])
            self.assertGreaterEqual(float(lines[-1][0]), 1000)  # so long it took


if __name__ == "__main__":
    unittest.main()
