"""Standard error is a pipe that nobody reads, or that nobody will: the server serves, and stops."""
import fcntl
import os
import re
import select
import signal
import subprocess
import tempfile
import time
import unittest

import harness
import process

REQUESTS = 5000
PATH = "/nowhere?" + "x" * 400  # so that their lines are more than the queue of the log
PIPE_BYTES = 4096
STOP_SECONDS = 5  # what a stop waits for clients; there are none
LINE = re.compile(r"\d{4}/\d\d/\d\d \d\d:\d\d:\d\d (?:"
                  r"(\d+\.\d{3} ms 404 %s)|(\d+) log lines were dropped: .*|.*)" % re.escape(PATH))


class PipedServer:
    """A server whose log is a small pipe. Use as a context manager."""

    def __init__(self, *flags):
        self.flags = flags
        self.text = b""

    def __enter__(self):
        self.directory = tempfile.TemporaryDirectory(prefix="rochefort-test-")
        self.reader, writer = os.pipe()
        fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
        root = os.path.join(self.directory.name, "root")
        self.process = subprocess.Popen(
            [harness.BINARY, "-bind", "127.0.0.1:0", "-root", root, *self.flags],
            stdin=subprocess.DEVNULL, stderr=writer)
        os.close(writer)
        while not (start := re.search(process.START_LINE, self.text.decode())):
            assert self.read(), self.text
        self.port = int(start.group(1))
        return self

    def __exit__(self, kind, value, trace):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait(harness.TIMEOUT_SECONDS)
        self.close()
        self.directory.cleanup()

    def read(self):
        """Some more of the log; False at its end."""
        assert select.select([self.reader], [], [], harness.TIMEOUT_SECONDS)[0], "no log line"
        part = os.read(self.reader, 1 << 20)
        self.text += part
        return bool(part)

    def close(self):
        if self.reader is not None:
            os.close(self.reader)
            self.reader = None

    def stop(self):
        """Returns the exit status and how long the stop took."""
        began = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(harness.TIMEOUT_SECONDS), time.monotonic() - began

    def lines(self):
        """(lines about requests, how many the reports say were dropped). All lines are whole."""
        seen = dropped = 0
        for line in self.text.decode().split("\n")[:-1]:
            match = LINE.fullmatch(line)
            assert match, line
            seen += match.group(1) is not None
            dropped += int(match.group(2) or 0)
        return seen, dropped


class Stalled(unittest.TestCase):
    def ask(self, server):
        """Sends all requests, and sees an answer to each of them."""
        with harness.Client(server.port) as client:
            for _ in range(REQUESTS):
                client.http.request("GET", PATH)
                reply = client.http.getresponse()
                reply.read()
                self.assertEqual(404, reply.status)

    def check_stops(self, server):
        status, seconds = server.stop()
        self.assertEqual(0, status)
        if harness.SANITIZE == "none":
            self.assertLess(seconds, STOP_SECONDS)

    def test_all_is_answered_and_the_server_stops_although_nobody_reads(self):
        with PipedServer("-log-slower-than", "0") as server:
            self.ask(server)
            self.check_stops(server)

    def test_a_late_reader_sees_or_is_told_of_each_line(self):
        with PipedServer("-log-slower-than", "0") as server:
            self.ask(server)
            while sum(server.lines()) < REQUESTS:
                self.assertTrue(server.read())
            seen, dropped = server.lines()
            self.assertEqual(REQUESTS, seen + dropped)
            self.assertGreater(seen, 0)
            self.assertGreater(dropped, 0)
            self.check_stops(server)
            while server.read():
                pass
            self.assertEqual((seen, dropped), server.lines())
            self.assertRegex(server.text.decode(), r" stopped\n\Z")

    def test_a_reader_in_time_misses_nothing(self):
        with PipedServer("-log-slower-than", "0") as server:
            with harness.Client(server.port) as client:
                for _ in range(50):
                    self.assertEqual(404, client.request("GET", PATH)[0])
            while server.lines() != (50, 0):
                self.assertTrue(server.read())
            self.check_stops(server)
            while server.read():
                pass
            self.assertEqual((50, 0), server.lines())
            self.assertRegex(server.text.decode(), r" Terminated, stopping\n.* stopped\n\Z")

    def test_a_second_signal_ends_the_server_at_once(self):
        with PipedServer("-log-slower-than", "0") as server:
            self.ask(server)
            with harness.Client(server.port) as client:
                client.http.connect()
                client.http.sock.sendall(b"GET / HTTP/1.1\r\n")  # keeps the server from stopping
                # a reply on another connection says that this one has been accepted
                with harness.Client(server.port) as other:
                    self.assertEqual(404, other.request("GET", PATH)[0])
                    server.process.send_signal(signal.SIGTERM)
                    process.wait_for(lambda: self.is_closed(server.port), "the signal to be seen")
                    server.process.send_signal(signal.SIGTERM)
                    self.assertEqual(3, server.process.wait(harness.TIMEOUT_SECONDS))

    @staticmethod
    def is_closed(port):
        """No socket listens there any more."""
        try:
            harness.Client(port).http.connect()
        except ConnectionRefusedError:
            return True
        return False

    def test_a_reader_that_is_gone(self):
        with PipedServer("-log-slower-than", "0") as server:
            server.close()
            self.ask(server)
            self.check_stops(server)


class LastLine(unittest.TestCase):
    def test_of_a_second_signal(self):
        with harness.Server("-buckets", "1", hold=True, expect_exit=3) as server:
            server.hold_disk()
            with server.send("POST", "/append?id=a", b"v"):
                harness.wait_for(server.disk_is_waiting, "the append to reach the disk")
                for line in ("stopping", "second signal"):
                    server.process.send_signal(signal.SIGTERM)
                    harness.wait_for(lambda: line in server.log(), line)
                server.process.wait(harness.TIMEOUT_SECONDS)
            self.assertRegex(server.log(), r" second signal, exiting at once\n\Z")

    def test_of_a_start_that_fails(self):
        with harness.Server() as server:
            done = subprocess.run(
                [harness.BINARY, "-bind", "127.0.0.1:0", "-root", server.root], text=True,
                stderr=subprocess.PIPE, timeout=harness.TIMEOUT_SECONDS)
            self.assertEqual(1, done.returncode)
            self.assertRegex(done.stderr, r"\A[^\n]* another rochefort is using it\n\Z")


if __name__ == "__main__":
    unittest.main()
