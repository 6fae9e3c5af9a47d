"""Every row of the table of hostile requests, against the real server.

Each is sent in several ways, each time with names and values of its own.
Afterwards the server must have stored what the row says and nothing else, and
must still serve other clients.
"""
import json
import os
import re
import socket
import unittest

import harness
import records
from hostile import table
from hostile.row import STORED, VALUE, get

SMUGGLED = harness.request_bytes("POST", "/append?id=s&storagePrefix=smuggled", b"gotcha")
BEHIND = get()
WITNESS = "witness"
# After a refusal the server reads on for two seconds only (lingering close), so a client that sends
# byte by byte must be done by then.
BYTE_BY_BYTE_MAX = 500


def split_replies(data, heads=0):
    """All replies in it as (status, headers, body); the first `heads` have no body."""
    replies = []
    while data:
        head, found, data = data.partition(b"\r\n\r\n")
        assert found, "a reply's head is cut short: %r" % head
        first, *rest = head.decode("ascii").split("\r\n")
        match = re.fullmatch(r"HTTP/1\.([01]) ([1-5]\d\d) [A-Z][A-Za-z ]*", first)
        assert match, first
        headers = [line.split(": ", 1) for line in rest]
        assert len({name for name, _ in headers}) == len(headers), "a header is there twice"
        headers = dict(headers)
        status = int(match.group(2))
        if status == 100:
            continue
        if status in (204, 304):
            assert not {"Content-Length", "Content-Type", "Transfer-Encoding"} & set(headers), head
            headers["Content-Length"] = "0"
        if "Content-Length" not in headers:  # HTTP/1.0: until the end
            assert match.group(1) == "0", head
        length = int(headers.get("Content-Length", len(data))) if len(replies) >= heads else 0
        assert length <= len(data), "a reply's body is cut short"
        replies.append((status, headers, data[:length]))
        data = data[length:]
    return replies


def send_byte_by_byte(sock, raw):
    """A byte at a time. The server may have closed the connection before the last one."""
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for byte in raw:
        sock.send(bytes([byte]))


class Table(unittest.TestCase):
    def setUp(self):
        self.server = self.enterContext(harness.Server("-buckets", "1"))
        self.witness = self.enterContext(self.server.connect())
        self.witnessed = 0  # bytes in the witness's file
        self.number = 0
        self.asked = set()  # connections that had a reply

    def path(self, prefix):
        return self.server.bucket(prefix)

    def ask(self, sock, method, target, body=None):
        """One good request, whose reply must have these headers and no others."""
        sock.sendall(harness.request_bytes(method, target, body))
        status, headers, body = harness.receive_reply(sock)
        self.assertEqual(200, status, body)
        first = {"keep-alive", "connection"} if sock not in self.asked else set()
        self.asked.add(sock)
        value = {"etag", "last-modified", "accept-ranges"} if target.startswith("/get?") else set()
        self.assertEqual({"content-type", "content-length", "date", "cache-control"} | first |
                         value, set(headers))
        return body

    def check_others(self):
        """A connection from before the row appends, and a new one reads that value."""
        value = b"witness of %d" % self.number
        body = self.ask(self.witness, "POST", "/append?id=w&storagePrefix=" + WITNESS, value)
        self.assertEqual(b'{"offset":%d,"file":"%s"}'
                         % (self.witnessed, self.path(WITNESS).encode()), body)
        with self.server.connect() as sock:
            self.assertEqual(value, self.ask(sock, "GET", "/get?id=w&offset=%d&storagePrefix=%s"
                                             % (self.witnessed, WITNESS)))
        self.assertFalse(harness.is_readable(self.witness, 0))
        self.witnessed += records.HEADER_BYTES + len(value)

    def check_stored(self, values):
        prefix = "R%04d" % self.number
        if values:
            stored = records.decode_file(self.path(prefix))
            self.assertEqual(values, [value for _, value in stored.values()])
        else:
            self.assertFalse(os.path.exists(os.path.join(self.server.root, prefix)))
        (record,) = records.decode_file(self.path("S%04d" % self.number)).values()
        self.assertEqual(self.named(STORED), record[1])
        self.assertFalse(os.path.exists(os.path.join(self.server.root, "smuggled")))
        for name in (prefix, "S%04d" % self.number):
            self.ask(self.witness, "GET", "/close?storagePrefix=" + name)

    def named(self, raw):
        return table.numbered(raw, self.number)

    def check_refusal(self, reply, statuses):
        """One line of text, and Connection: close."""
        status, headers, body = reply
        self.assertIn(status, statuses)
        self.assertEqual("text/plain", headers["Content-Type"])
        self.assertEqual("close", headers["Connection"])
        self.assertRegex(body, rb"\A[ -~]+\n\Z")
        self.assertEqual(status == 405, "Allow" in headers)

    def check_served(self, replies, wanted, stored):
        for (status, headers, body), (wanted_status, wanted_body) in zip(replies, wanted):
            self.assertEqual(wanted_status, status, body)
            if wanted_body is not None:
                self.assertEqual(self.named(wanted_body), body)
            elif status == 200:
                self.assertEqual({"offset": 0, "file": self.path("R%04d" % self.number)},
                                 json.loads(body))
                self.assertTrue(stored)
            else:
                self.assertEqual("text/plain", headers["Content-Type"])
                self.assertRegex(body, rb"\A[^\r\n]+\n\Z")
            for other in re.findall(rb"[RS](\d{4})", body):
                self.assertEqual(self.number, int(other), "a reply to another connection")

    def check_caching(self, replies):
        """No cache may keep anything but a value, and that only if it asks each time."""
        for status, headers, _ in replies:
            value = "ETag" in headers and status in (200, 206, 304)
            self.assertEqual("no-cache" if value else "no-store", headers["Cache-Control"])

    def check_keep_alive(self, replies, closes):
        """Of those that are no refusals: only the last may end the connection, and the first says
        how long it may be idle."""
        for number, (_, headers, _) in enumerate(replies):
            last = closes and number == len(replies) - 1
            first = number == 0 and not last
            self.assertEqual("timeout=75" if first else None, headers.get("Keep-Alive"))
            connection = headers.get("Connection")
            self.assertEqual(last, connection == "close")
            self.assertTrue(connection == "keep-alive" if first
                            else connection in ("close", "keep-alive", None))

    def exchange(self, row, behind, byte_by_byte, half_close):
        """All replies to the row with `behind` after it."""
        with self.server.connect() as sock:
            raw = self.named(row.raw)
            if byte_by_byte:
                send_byte_by_byte(sock, raw)
                raw = b""
            sock.sendall(raw + self.named(behind))
            if half_close:
                sock.shutdown(socket.SHUT_WR)
            return split_replies(harness.receive_all(sock), len(row.replies) if row.head else 0)

    def play(self, row, behind=b"", byte_by_byte=False, half_close=False):
        self.number += 1
        with self.server.connect() as sock:
            self.ask(sock, "POST", "/append?id=a&storagePrefix=S%04d" % self.number,
                     self.named(STORED))
        wanted = list(row.replies)
        if not row.refused and behind == BEHIND:
            wanted.append((200, STORED))
        replies = self.exchange(row, behind, byte_by_byte, half_close)
        self.check_caching(replies)
        refused = row.refused and (row.decisive or behind)
        self.assertEqual(len(wanted) + bool(refused), len(replies), replies)
        if refused:
            self.check_refusal(replies.pop(), row.refused)
        elif row.closes:
            self.assertEqual("close", replies[-1][1].get("Connection"))
        self.check_keep_alive(replies, row.closes)
        if row.head:
            self.assertEqual(str(len(STORED)), replies[0][1]["Content-Length"])
        self.check_served(replies, wanted, row.stored)
        self.check_stored([self.named(value) for value in row.stored])
        self.check_others()

    def test_the_table_is_large_and_its_names_differ(self):
        self.assertEqual(len(table.ROWS), len({row.name for row in table.ROWS}))
        self.assertGreaterEqual(len(table.ROWS), 400)
        self.assertEqual((5, 5), (len(VALUE), len(self.named(VALUE))))

    def test_a_request_behind_a_refused_one_is_not_served(self):
        for row in table.ROWS:
            if row.refused:
                with self.subTest(row.name, why=row.why):
                    self.play(row, behind=SMUGGLED * 2)

    def test_refused_without_waiting_for_more(self):
        """As soon as it cannot become a good request, or else when the client half-closes."""
        for row in table.ROWS:
            if row.refused:
                with self.subTest(row.name, why=row.why):
                    self.play(row, half_close=not row.decisive)

    def test_refused_byte_by_byte(self):
        for row in table.ROWS:
            if row.refused and len(row.raw) <= BYTE_BY_BYTE_MAX:
                with self.subTest(row.name, why=row.why):
                    self.play(row, byte_by_byte=True, half_close=not row.decisive)

    def test_a_good_request_before_a_refused_one_is_served(self):
        for row in table.ROWS:
            if row.refused and row.decisive:
                with self.subTest(row.name, why=row.why):
                    self.play(row._replace(raw=get() + row.raw,
                                           replies=((200, STORED), *row.replies)),
                              behind=SMUGGLED)

    def test_odd_but_valid_requests_are_served_and_the_next_one_too(self):
        for row in table.ROWS:
            if not row.refused:
                with self.subTest(row.name, why=row.why):
                    self.play(row, behind=SMUGGLED if row.closes else BEHIND, half_close=True)

    def test_odd_but_valid_requests_are_served_byte_by_byte(self):
        for row in table.ROWS:
            if not row.refused:
                with self.subTest(row.name, why=row.why):
                    self.play(row, byte_by_byte=True, half_close=True)


if __name__ == "__main__":
    unittest.main()
