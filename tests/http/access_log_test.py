"""-access-log and -trusted-proxy: a line for each request, and what becomes of it when the file is
renamed, full or gone. The form of a line is tested in access_line_test.c, addresses in
trusted_proxies_test.c; a real logrotate in deploy/logrotate_test.py."""
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import unittest

import harness
import tokens

# As a reader of the combined format takes a line apart.
LINE = re.compile(r'(?P<client>\S+) - - \[\d\d/[A-Z][a-z][a-z]/\d{4}:\d\d:\d\d:\d\d [+-]\d{4}\] '
                  r'"(?P<request>[^"]*)" (?P<status>\d+) (?P<sent>\d+) "(?P<referer>[^"]*)" '
                  r'"(?P<agent>[^"]*)" (?P<received>\d+) (?P<ms>\d+\.\d{3})')
LOST = "rochefort_access_log_lines_dropped_total"


class Case(unittest.TestCase):
    def setUp(self):
        self.directory = tempfile.mkdtemp(prefix="rochefort-test-")
        self.addCleanup(shutil.rmtree, self.directory)
        self.path = os.path.join(self.directory, "access.log")

    def start(self, *flags, kind=harness.Server, **options):
        self.server = self.enterContext(kind("-access-log", self.path, *flags, **options))
        return self.server

    def read(self, path=None):
        """The lines, as LINE has them; each is one."""
        with open(path or self.path, encoding="ascii") as file:
            text = file.read()
        self.assertTrue(text == "" or text.endswith("\n"), text)
        lines = [LINE.fullmatch(line) for line in text.split("\n")[:-1]]
        self.assertNotIn(None, lines, text)
        return lines

    def stop_and_read(self, path=None):
        """All that there will be."""
        self.assertEqual(0, self.server.stop())
        return self.read(path)

    def exchange(self, data, close=False):
        """What the server answers to these bytes, up to the end of the connection."""
        with self.server.connect() as sock:
            sock.sendall(data)
            if close:
                sock.shutdown(socket.SHUT_WR)
            return harness.receive_all(sock)

    def figure(self, name):
        with self.server.client() as client:
            text = client.request("GET", "/metrics")[2].decode()
        return int(re.search(r"^%s (\d+)$" % name, text, re.MULTILINE).group(1))


def request(line, *headers, body=b""):
    lines = [line, "Host: test", "Connection: close", *headers]
    if body:
        lines.append("Content-Length: %d" % len(body))
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body


class Replies(Case):
    def check(self, data, close=False):
        """The status of the reply to these bytes, and the one line that there is for it."""
        reply = self.exchange(data, close)
        head, _, body = reply.partition(b"\r\n\r\n")
        status = int(head.split()[1])
        self.expected.append((str(status), len(body)))
        return status

    def test_each_reply_has_one_line(self):
        self.start("-buckets", "1", "-max-value", "1000", "-header-timeout", "1")
        self.expected = []
        requests = [
            (200, request("POST /append?id=a HTTP/1.1", body=b"x" * 100), "", 100),
            (200, request("GET /get?id=a&offset=0 HTTP/1.1", "User-Agent: me/1",
                          "Referer: http://here/"), "", 0),
            (200, request("GET /get?id=a&offset=0 HTTP/1.0"), "", 0),
            (200, request("HEAD /get?id=a&offset=0 HTTP/1.1"), "", 0),
            (206, request("GET /get?id=a&offset=0 HTTP/1.1", "Range: bytes=1-9"), "", 0),
            (416, request("GET /get?id=a&offset=0 HTTP/1.1", "Range: bytes=999-"), "", 0),
            (404, request("GET /get?id=a&offset=7777 HTTP/1.1"), "", 0),
            (404, request("GET /nowhere HTTP/1.1"), "", 0),
            (400, request("GET /get?id=a HTTP/1.1"), "", 0),
            (405, request("DELETE /append?id=a HTTP/1.1"), "", 0),
            (204, request("OPTIONS * HTTP/1.1"), "", 0),
            # refused before they are read
            (413, request("POST /append?id=a HTTP/1.1", body=b"x" * 1001), "", 0),
            (400, b"GET /get?id=a HTTP/1.1\r\nHost: x\r\nno header\r\n\r\n", "", 0),
            (408, b"GET /get?id=a HTTP/1.1\r\nHost: x\r\n", "", 0),
            # what is no request line is not logged
            (400, b"Authorization: Bearer secret\r\n\r\n", "-", 0),
            (400, b"GET secret HTTP/1.1\r\n\r\n", "-", 0),
            (400, b"GET /a secret HTTP/1.1\r\n\r\n", "-", 0),
            (400, b"\0secret\r\n\r\n", "-", 0),
            (408, b"GET /get?id=secr", "-", 0),
        ]
        for status, data, _, _ in requests:
            with self.subTest(data):
                self.assertEqual(status, self.check(data))
        lines = self.stop_and_read()
        self.assertEqual(self.expected, [(line["status"], int(line["sent"])) for line in lines])
        for line, (_, data, logged, received) in zip(lines, requests):
            with self.subTest(data):
                self.assertEqual("127.0.0.1", line["client"])
                self.assertEqual(logged or data.split(b"\r\n")[0].decode(), line["request"])
                self.assertEqual(received, int(line["received"]))
        self.assertEqual(("me/1", "http://here/"), (lines[1]["agent"], lines[1]["referer"]))
        self.assertEqual(("-", "-"), (lines[2]["agent"], lines[2]["referer"]))
        for line, data in zip(lines, requests):
            if line["status"] == "408":
                self.assertLess(500, float(line["ms"]), data)
        with open(self.path, encoding="ascii") as file:
            self.assertNotIn("secr", file.read())

    def test_replies_in_pieces_and_chunked_bodies(self):
        self.start()
        value = os.urandom(3 << 20)
        half = len(value) // 2
        chunks = b"".join(b"%x\r\n%s\r\n" % (len(part), part)
                          for part in (value[:half], value[half:])) + b"0\r\n\r\n"
        self.exchange(request("POST /append?id=a HTTP/1.1", "Transfer-Encoding: chunked") + chunks)
        reply = self.exchange(request("GET /get?id=a&offset=0 HTTP/1.1"))
        self.assertTrue(reply.endswith(value))
        lines = self.stop_and_read()
        self.assertEqual([("200", str(len(value))), ("200", "0")],
                         [(line["status"], line["received"]) for line in lines])
        self.assertEqual(len(value), int(lines[1]["sent"]))

    def test_what_clients_send_is_escaped(self):
        self.start()
        self.exchange(request('GET /a"b\\c HTTP/1.1', 'User-Agent: "\\ \xff\x80',
                              "Referer: a\tb"))
        line, = self.stop_and_read()
        self.assertEqual(r"GET /a\x22b\x5Cc HTTP/1.1", line["request"])
        self.assertEqual(r"\x22\x5C \xFF\x80", line["agent"])
        self.assertEqual(r"a\x09b", line["referer"])

    def test_no_token_is_logged(self):
        self.start(kind=tokens.Server)
        for token in (tokens.token_of("reader"), tokens.token_of("reader") + "x", "short"):
            self.exchange(request("GET /get?id=a&offset=0 HTTP/1.1",
                                  "Authorization: Bearer " + token))
            self.exchange(request("GET /get?id=a HTTP/1.1\r\nbad line",
                                  "Authorization: Bearer " + token))
        lines = self.stop_and_read()
        self.assertEqual(["404", "400", "401", "400", "401", "400"],
                         [line["status"] for line in lines])
        with open(self.path) as file:
            self.assertNotRegex(file.read(), "token-of|short")


class ClientsThatLeave(Case):
    def test_before_the_end_of_a_body(self):
        """It has no reply, and a line. Without a whole head there was no request, and no line."""
        self.start()
        with self.server.connect() as sock:
            sock.sendall(b"POST /append?id=a HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc")
            sock.shutdown(socket.SHUT_WR)
            self.assertEqual(b"", harness.receive_all(sock))
        with self.server.connect() as sock:
            sock.sendall(b"POST /append?id=a HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\n"
                         b"Transfer-Encoding: chunked\r\n\r\n")
            # a reset before the connection is accepted would leave it without an address
            self.assertEqual(100, harness.receive_head(sock)[0])
            sock.sendall(b"4\r\nabcd\r\n2\r\ne")
            harness.wait_for(lambda: len(self.read()) == 1, "the first line")
            harness.reset(sock)
        harness.wait_for(lambda: len(self.read()) == 2, "the second line")
        self.assertEqual(b"", self.exchange(b"POST /append?id=a HT", close=True))
        self.assertEqual(b"", self.exchange(b"", close=True))
        lines = self.stop_and_read()
        self.assertEqual([("499", "0", "3"), ("499", "0", "5")],
                         [(line["status"], line["sent"], line["received"]) for line in lines])
        for line in lines:
            self.assertEqual("POST /append?id=a HTTP/1.1", line["request"])
            self.assertEqual("127.0.0.1", line["client"])

    def test_while_the_disk_has_the_request(self):
        self.start(hold=True)
        with self.server.client() as client:
            client.append("a", b"x")
        self.server.hold_disk()
        with self.server.send("GET", "/get?id=a&offset=0") as sock:
            harness.wait_for(self.server.disk_is_waiting, "the disk")
            harness.reset(sock)
        self.server.release_disk()
        lines = self.stop_and_read()
        self.assertEqual([("200", "127.0.0.1")] * 2,
                         [(line["status"], line["client"]) for line in lines])

    def test_in_the_middle_of_a_reply(self):
        self.start()
        with self.server.client() as client:
            client.append("a", bytes(40 << 20))
        with self.server.send("GET", "/get?id=a&offset=0", receive_buffer=4096) as sock:
            sock.recv(1)
            harness.reset(sock)
        lines = self.stop_and_read()
        self.assertEqual(["200", "200"], [line["status"] for line in lines])
        self.assertLess(int(lines[1]["sent"]), 40 << 20)


class Proxies(Case):
    FORWARDED = ["X-Forwarded-For: 203.0.113.9, 198.51.100.1", "x-forwarded-for: 10.0.0.2"]

    def clients(self, *flags, send=None):
        self.start(*flags)
        for headers in (self.FORWARDED, [], ["X-Forwarded-For: garbage"]):
            (send or self.exchange)(request("GET /healthz HTTP/1.1", *headers))
        lines = self.stop_and_read()
        self.assertEqual([], [line for line in lines if line["status"] != "200"])
        os.unlink(self.path)
        return [line["client"] for line in lines]

    def test_only_those_that_are_trusted_are_believed(self):
        self.assertEqual(["127.0.0.1"] * 3, self.clients())
        self.assertEqual(["127.0.0.1"] * 3, self.clients("-trusted-proxy", "10.0.0.0/8"))
        self.assertEqual(["127.0.0.1"] * 3, self.clients("-trusted-proxy", "unix"))
        self.assertEqual(["10.0.0.2", "127.0.0.1", "127.0.0.1"],
                         self.clients("-trusted-proxy", "127.0.0.1"))
        self.assertEqual(["198.51.100.1", "127.0.0.1", "127.0.0.1"],
                         self.clients("-trusted-proxy", "127.0.0.1", "-trusted-proxy",
                                      "10.0.0.0/8"))

    def test_at_a_unix_domain_socket(self):
        name = os.path.join(self.directory, "socket")

        def send(data):
            with socket.socket(socket.AF_UNIX) as sock:
                sock.settimeout(harness.TIMEOUT_SECONDS)
                sock.connect(name)
                sock.sendall(data)
                harness.receive_all(sock)
        binds = ("-bind", "127.0.0.1:0", "-bind", "unix:" + name)
        self.assertEqual(["unix:"] * 3, self.clients(*binds, send=send))
        self.assertEqual(["10.0.0.2", "unix:", "unix:"],
                         self.clients(*binds, "-trusted-proxy", "unix", send=send))


class Files(Case):
    def hang_up(self, pattern):
        """SIGHUP, and the line of the log that follows."""
        begin = os.path.getsize(self.server.log_path)
        self.server.process.send_signal(signal.SIGHUP)
        harness.wait_for(lambda: re.search(pattern, self.server.log(begin)), pattern)

    def test_a_renamed_file_is_left_on_a_signal(self):
        self.start()
        self.exchange(request("GET /healthz?1 HTTP/1.1"))
        harness.wait_for(lambda: len(self.read()) == 1, "the line")
        os.rename(self.path, self.path + ".1")
        self.exchange(request("GET /healthz?2 HTTP/1.1"))
        harness.wait_for(lambda: len(self.read(self.path + ".1")) == 2, "the line")
        self.hang_up("the access log .* is open again")
        self.exchange(request("GET /healthz?3 HTTP/1.1"))
        self.assertIn("?3", self.stop_and_read()[0]["request"])
        self.assertEqual(["?1", "?2"], [line["request"].split()[1][-2:]
                                        for line in self.read(self.path + ".1")])
        self.assertEqual(0o600, os.stat(self.path).st_mode & 0o777)

    def test_one_that_cannot_be_opened_again_stays(self):
        self.start()
        os.rename(self.path, self.path + ".1")
        os.mkdir(self.path)
        self.hang_up("cannot open the access log .* again: Is a directory; the old file is still")
        self.exchange(request("GET /healthz HTTP/1.1"))
        self.assertEqual(1, len(self.stop_and_read(self.path + ".1")))

    def test_a_full_disk_costs_lines_only(self):
        os.symlink("/dev/full", self.path)
        server = self.start()
        for _ in range(3):
            self.exchange(request("GET /healthz HTTP/1.1"))
        harness.wait_for(lambda: "cannot write the access log" in server.log(), "the log")
        harness.wait_for(lambda: self.figure(LOST) >= 3, "the lines to be counted")
        os.unlink(self.path)
        self.hang_up("is open again")
        self.exchange(request("GET /healthz?last HTTP/1.1"))
        harness.wait_for(lambda: re.search(r"\d+ lines of the access log \S+ were lost\n",
                                           server.log()), "the report")
        lost = int(re.search(r"(\d+) lines of the access log", server.log()).group(1))
        self.assertEqual(lost, self.figure(LOST))
        self.assertIn("?last", "".join(line["request"] for line in self.stop_and_read()))
        self.assertEqual(1, server.log().count("cannot write the access log"), server.log())

    def test_what_cannot_be_opened_ends_the_start(self):
        root = os.path.join(self.directory, "root")
        fifo, name = (os.path.join(self.directory, name) for name in ("fifo", "socket"))
        os.mkfifo(fifo)
        with socket.socket(socket.AF_UNIX) as sock:
            sock.bind(name)
        for path, why in ((self.directory, "Is a directory"),
                          (os.path.join(self.directory, "none", "log"), "No such file"),
                          (fifo, "a pipe that nobody reads"), (name, "[^\n]* or a socket")):
            with self.subTest(path):
                done = subprocess.run([harness.BINARY, "-bind", "127.0.0.1:0", "-root", root,
                                       "-access-log", path], capture_output=True, text=True,
                                      timeout=harness.TIMEOUT_SECONDS)
                self.assertEqual((1, "", 1),
                                 (done.returncode, done.stdout, done.stderr.count("\n")))
                self.assertRegex(done.stderr, "cannot open the access log %s: %s" % (path, why))

    def test_a_pipe(self):
        """One that is read has the lines. On a signal one that nobody reads is not opened."""
        os.mkfifo(self.path)
        reader = os.open(self.path, os.O_RDONLY | os.O_NONBLOCK)
        self.addCleanup(os.close, reader)
        self.start()
        self.exchange(request("GET /healthz?1 HTTP/1.1"))
        os.rename(self.path, self.path + ".1")
        os.mkfifo(self.path)
        self.hang_up("cannot open the access log .* again: a pipe that nobody reads.*; the old file")
        self.exchange(request("GET /healthz?2 HTTP/1.1"))
        self.assertEqual(0, self.server.stop())
        lines = [LINE.fullmatch(line) for line in os.read(reader, 1 << 16).decode().splitlines()]
        self.assertEqual(["?1", "?2"], [line["request"].split()[1][-2:] for line in lines])

    def test_standard_output(self):
        self.path = "-"
        server = self.start()  # the harness gives both streams the same file
        self.exchange(request("GET /healthz HTTP/1.1"))
        server.stop()
        self.assertEqual(1, len(LINE.findall(server.log())), server.log())

    def test_a_closed_standard_output(self):
        done = subprocess.run(["sh", "-c", 'exec "$@" >&-', "sh", harness.BINARY, "-bind",
                               "127.0.0.1:0", "-root", os.path.join(self.directory, "root"),
                               "-access-log", "-"], capture_output=True, text=True,
                              timeout=harness.TIMEOUT_SECONDS)
        self.assertEqual((1, ""), (done.returncode, done.stdout))
        self.assertRegex(done.stderr,
                         r"\A\S+ \S+ cannot open the access log -: Bad file descriptor\n\Z")


class Flags(unittest.TestCase):
    def wrong(self, *flags):
        done = subprocess.run([harness.BINARY, *flags], capture_output=True, text=True,
                              timeout=harness.TIMEOUT_SECONDS)
        self.assertEqual((2, "", 1), (done.returncode, done.stdout, done.stderr.count("\n")))
        return done.stderr

    def test_what_is_no_proxy(self):
        for text in ("localhost", "1.2.3.4/33", "::1/129", "[::1]", "1.2.3.4:80", "unix:/a"):
            self.assertIn('-trusted-proxy: "%s" is not an address, address/bits or unix' % text,
                          self.wrong("-trusted-proxy", text))
        self.assertIn("more than 64 of them",
                      self.wrong(*["-trusted-proxy", "192.0.2.1"] * 65))


if __name__ == "__main__":
    unittest.main()
