"""Every response, also to what was refused, has the same head lines, and the log knows of it."""
import re
import unittest

import harness

DATE = r"(Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT"
GOOD = harness.request_bytes("POST", "/append?id=a", b"value")

# What is sent, and the status, the headers that must be there beside the usual ones.
ROWS = (
    (GOOD, 200, {"content-type": "application/json", "connection": None}),
    (harness.request_bytes("GET", "/get?id=a&offset=0"), 200,
     {"content-type": "application/octet-stream", "connection": None}),
    (harness.request_bytes("GET", "/get?id=a&offset=1"), 404, {"connection": None}),
    (harness.request_bytes("GET", "/nowhere"), 404, {"connection": None}),
    (harness.request_bytes("GET", "/append?id=a"), 405, {"allow": "POST", "connection": None}),
    (harness.request_bytes("GET", "/get?id=a&offset=0", headers=("Connection: close",)), 200,
     {"content-type": "application/octet-stream", "connection": "close"}),
    (b"GET /get?id=a HTTP/1.1\r\n\r\n", 400, {"connection": "close"}),
    (b"BREW / HTTP/1.1\r\nHost: x\r\n\r\n", 405,
     {"allow": "GET, HEAD, POST", "connection": "close"}),
    (b"POST /append?id=a HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999\r\n\r\n", 413,
     {"connection": "close"}),
    (b"POST /append?id=a HTTP/1.1\r\nHost: x\r\nExpect: luck\r\n\r\n", 417,
     {"connection": "close"}),
)


class Head(unittest.TestCase):
    def check(self, headers, extra):
        expected = dict({"content-type": "text/plain", "allow": None}, **extra)
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
                self.check(headers, {"connection": None})
                server.release_disk()
                self.assertEqual(200, harness.receive_reply(first)[0])

    def test_http_1_0(self):
        with harness.Server("-buckets", "1") as server:
            with server.client() as client:
                client.append("a", b"value")
            for header, kept in (((), None), (("Connection: keep-alive",), "keep-alive")):
                with self.subTest(header), server.connect() as sock:
                    sock.sendall(harness.request_bytes("GET", "/get?id=a&offset=0",
                                                       headers=header, version="HTTP/1.0"))
                    status, headers, body = harness.receive_reply(sock)
                    self.assertEqual((200, b"value"), (status, body))
                    self.check(headers, {"content-type": "application/octet-stream",
                                         "connection": kept})
                    self.assertEqual(kept is None, harness.is_readable(sock, 1))


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
            lines = re.findall(r"^\S+ \S+ ([0-9.]+) ms (\d+) (.*)$", server.log(), re.M)
            self.assertEqual(["200", "200", "400", "405", "413", "417", "408"],
                             [status for _, status, _ in lines])
            self.assertEqual("/append?id=a", lines[0][2])
            self.assertEqual("no Host header", lines[2][2])
            self.assertGreaterEqual(float(lines[-1][0]), 1000)  # so long it took


if __name__ == "__main__":
    unittest.main()
