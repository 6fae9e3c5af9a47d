"""Timeouts and minimum rates: which slow clients are disconnected, and which are not."""
import os
import resource
import socket
import threading
import time
import unittest

import harness

MIB = 1 << 20


def drip(sock, data, seconds=0.05):
    """Sends a byte at a time until the server replies. Returns the reply and what follows it."""
    for i in range(len(data)):
        if harness.is_readable(sock, seconds):
            break
        sock.sendall(data[i:i + 1])
    else:
        raise AssertionError("no reply to all of it")
    reply = harness.receive_reply(sock)
    return reply, sock.recv(1)


class Senders(unittest.TestCase):
    def test_an_idle_client_is_closed(self):
        with harness.Server("-idle-timeout", "1") as server:
            silent, used = server.connect(), server.connect()
            used.sendall(harness.request_bytes("POST", "/append?id=a", b"x"))
            self.assertEqual(200, harness.receive_reply(used)[0])
            self.assertEqual(b"", used.recv(1))
            self.assertEqual(b"", silent.recv(1))
            silent.close()
            used.close()

    def test_a_head_that_comes_too_slowly_is_refused(self):
        with harness.Server("-header-timeout", "1") as server:
            sock = server.connect()
            (status, headers, body), after = drip(sock, b"GET /" + b"x" * 4000)
            self.assertEqual((408, "close"), (status, headers["connection"]))
            self.assertEqual((b"the head of the request took too long\n", b""), (body, after))
            sock.close()

    def test_a_body_has_to_keep_the_minimum_rate(self):
        with harness.Server("-min-rate", "1000", "-min-rate-window", "1") as server:
            for framing in (b"Content-Length: 4000", b"Transfer-Encoding: chunked"):
                with self.subTest(framing):
                    sock = server.connect()
                    sock.sendall(b"POST /append?id=a HTTP/1.1\r\nHost: x\r\n" + framing +
                                 b"\r\n\r\n")
                    data = b"x" * 4000 if b"Length" in framing else b"1\r\nx\r\n" * 1000
                    (status, headers, body), after = drip(sock, data)
                    self.assertEqual((408, "close"), (status, headers["connection"]))
                    self.assertEqual((b"the body came too slowly\n", b""), (body, after))
                    sock.close()
            with server.client() as client:
                self.assertEqual(0, client.append("a", b"nothing of the others was stored"))

    def test_a_slow_but_steady_body_is_accepted(self):
        """At 20 times the minimum rate, over several windows."""
        with harness.Server("-min-rate", "1000", "-min-rate-window", "1",
                            "-header-timeout", "1", "-idle-timeout", "1") as server:
            value = os.urandom(80000)
            sock = server.connect()
            sock.sendall(b"POST /append?id=a HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" %
                         len(value))
            begin = time.monotonic()
            for i in range(0, len(value), 1000):
                while time.monotonic() < begin + i / 20000:
                    time.sleep(0.01)
                sock.sendall(value[i:i + 1000])
            self.assertEqual(200, harness.receive_reply(sock)[0])
            sock.close()
            with server.client() as client:
                self.assertEqual(value, client.get("a", 0))

    def test_no_limit_runs_while_a_worker_has_the_request(self):
        flags = ("-idle-timeout", "1", "-header-timeout", "1", "-min-rate", "1000000",
                 "-min-rate-window", "1")
        with harness.Server(*flags, hold=True) as server:
            server.hold_disk()
            sock = server.connect()
            sock.sendall(harness.request_bytes("POST", "/append?id=a", b"x"))
            harness.wait_for(server.disk_is_waiting, "the append to reach the disk")
            for _ in range(3):  # idle connections time out meanwhile, by the server's own clock
                with server.connect() as idle:
                    self.assertEqual(b"", idle.recv(1))
            server.release_disk()
            self.assertEqual(200, harness.receive_reply(sock)[0])
            sock.close()


class Readers(unittest.TestCase):
    """Clients that read their reply slowly, or not at all."""

    def setUp(self):
        self.server = self.enterContext(harness.Server("-min-rate", "10000",
                                                       "-min-rate-window", "1"))
        self.value = os.urandom(8 * MIB)
        with self.server.client() as client:
            client.append("a", self.value, prefix="p")

    def get(self, target="/get?id=a&offset=0&storagePrefix=p", *headers):
        return self.server.send("GET", target, headers=headers, receive_buffer=4096)

    def test_one_that_leaves_the_reply_in_the_socket_is_reset(self):
        """The kernel has the whole reply; the server only waits to close the connection."""
        with self.server.client() as client:
            offset = client.append("b", b"v" * (512 << 10))
        for headers, ends in ((("Connection: close",), False), (("Connection: close",), True),
                              ((), True)):
            with self.subTest(headers=headers, ends=ends):
                sock = self.get("/get?id=b&offset=%d" % offset, *headers)
                if ends:  # half-closes
                    sock.shutdown(socket.SHUT_WR)
                self.assertEqual(b"H", sock.recv(1))  # so it was admitted
                harness.wait_for(lambda: self.server.sockets() == 1, "the server to close it")
                with self.assertRaises(ConnectionResetError):
                    while True:
                        self.assertTrue(sock.recv(MIB))
                sock.close()

    def test_a_last_reply_that_is_read_slowly_but_steadily_is_completed(self):
        value = os.urandom(512 << 10)
        with self.server.client() as client:
            offset = client.append("b", value)
        sock = self.get("/get?id=b&offset=%d" % offset)
        sock.shutdown(socket.SHUT_WR)
        harness.receive_head(sock)
        received, begin = bytearray(), time.monotonic()
        while len(received) < len(value):
            while time.monotonic() < begin + len(received) / (MIB >> 3):
                time.sleep(0.01)
            part = sock.recv(1 << 14)
            self.assertTrue(part)
            received += part
        self.assertEqual(value, received)
        self.assertEqual(b"", sock.recv(1))
        sock.close()

    def test_one_that_reads_nothing_is_reset(self):
        sock = self.get()
        self.assertEqual(b"H", sock.recv(1))  # so it was admitted
        with self.assertRaises(ConnectionResetError):
            while True:
                harness.wait_for(lambda: self.server.sockets() == 1, "the server to close it")
                self.assertTrue(sock.recv(MIB))
        sock.close()

    def test_one_below_the_minimum_rate_is_reset_and_delays_no_close(self):
        sock = self.get()
        stop = threading.Event()

        def read_slowly():
            try:
                while sock.recv(10):
                    if stop.wait(0.02):
                        return
            except ConnectionResetError:
                pass
        reader = threading.Thread(target=read_slowly)
        reader.start()
        with self.server.client() as client:
            client.close("p")  # answered once the reader is disconnected
        stop.set()
        reader.join()
        sock.close()
        self.assertEqual([], self.server.open_files("p"))

    def test_one_that_takes_each_piece_at_once_is_measured_too(self):
        """A piece, of 256 KiB, takes it less than the second between two checks."""
        rate = 600 << 10
        with harness.Server("-min-rate", str(8 * MIB), "-min-rate-window", "1") as server:
            with server.client() as client:
                client.append("a", self.value)
            sock = server.send("GET", "/get?id=a&offset=0", receive_buffer=4096)
            harness.receive_head(sock)
            received, begin = 0, time.monotonic()
            with self.assertRaises(ConnectionResetError):
                while received < len(self.value):
                    while time.monotonic() < begin + received / rate:
                        time.sleep(0.005)
                    part = sock.recv(1 << 14)
                    self.assertTrue(part)
                    received += len(part)
            sock.close()

    def test_a_slow_but_steady_one_gets_the_whole_reply(self):
        sock = self.get()
        received = bytearray()
        status, headers = harness.receive_head(sock)
        begin = time.monotonic()
        while len(received) < len(self.value):
            while time.monotonic() < begin + len(received) / (3 * MIB):
                time.sleep(0.01)
            part = sock.recv(1 << 16)
            self.assertTrue(part)
            received += part
        self.assertEqual(self.value, received)
        sock.close()


class Closing(unittest.TestCase):
    """A close waits for replies in pieces for at most 10 seconds."""

    # After 60 seconds the kernel itself resets a reader whose TCP window stays small.
    ANSWER_SECONDS = 40

    def setUp(self):
        self.server = self.enterContext(harness.Server("-buckets", "1"))
        self.value = os.urandom(16 * MIB)  # more than a socket buffers
        with self.server.client() as client:
            client.append("a", self.value, prefix="p")

    def send(self, method, target, body=None, **options):
        return self.enterContext(self.server.send(method, target + "storagePrefix=p", body,
                                                  **options))

    def begin_get(self):
        sock = self.send("GET", "/get?id=a&offset=0&", receive_buffer=4096)
        self.assertEqual(200, harness.receive_head(sock)[0])
        return sock

    def read_on(self, sock, pause_seconds, step_bytes):
        """Returns a thread that reads until the reply ends, and a list that gets how it ended."""
        ends, stop = [], threading.Event()

        def read():
            try:
                while sock.recv(step_bytes):
                    if stop.wait(pause_seconds):
                        return
                ends.append("in good order")
            except OSError as error:
                ends.append(type(error))
        reader = threading.Thread(target=read)
        reader.start()
        self.addCleanup(reader.join)
        self.addCleanup(stop.set)
        return reader, ends

    def check_cut(self, reader, ends, close):
        close.settimeout(self.ANSWER_SECONDS)
        status, _, body = harness.receive_reply(close)
        self.assertEqual((200, b'{"success":true}'), (status, body))
        reader.join()
        self.assertEqual([ConnectionResetError], ends)

    def test_a_slow_reader_is_reset_by_a_close_and_one_that_ends_in_time_is_not(self):
        """At twice the minimum rate, but within one piece for minutes."""
        reader, ends = self.read_on(self.begin_get(), 0.05, 64)
        in_time = self.begin_get()
        close = self.send("POST", "/close?")
        behind = self.send("POST", "/append?id=a&", b"behind")
        self.assertEqual(200, harness.receive_reply(behind)[0], "it waits for no reader")
        self.assertFalse(harness.is_readable(close))
        with in_time.makefile("rb") as stream:
            self.assertTrue(stream.read(len(self.value)) == self.value)
        self.check_cut(reader, ends, close)
        in_time.sendall(harness.request_bytes("GET", "/get?id=a&offset=%d&storagePrefix=p" %
                                              (16 + len(self.value))))
        self.assertEqual(b"behind", harness.receive_reply(in_time)[2])

    def test_a_fast_reader_of_an_endless_reply_is_reset_by_a_close(self):
        """It is hardly ever within a piece when the timeouts are checked."""
        sock = self.send("POST", "/getMulti?id=a&", bytes(8 * MIB))
        reader, ends = self.read_on(sock, 0, 1 << 16)
        close = self.send("POST", "/close?")
        behind = self.send("POST", "/append?id=a&", b"behind")
        self.assertEqual(200, harness.receive_reply(behind)[0])
        self.check_cut(reader, ends, close)


class Accepting(unittest.TestCase):
    def cpu_seconds(self, server):
        with open("/proc/%d/stat" % server.process.pid) as stat:
            fields = stat.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def test_without_descriptors_accepting_pauses_and_open_connections_are_served(self):
        with harness.Server() as server, server.client() as client:
            client.append("a", b"value")
            pid = server.process.pid
            before = resource.prlimit(pid, resource.RLIMIT_NOFILE)
            used = os.listdir("/proc/%d/fd" % pid)
            free = next(fd for fd in range(len(used) + 1) if str(fd) not in used)
            resource.prlimit(pid, resource.RLIMIT_NOFILE, (free, before[1]))
            late = server.connect()
            late.sendall(harness.request_bytes("GET", "/get?id=a&offset=0"))
            rests = 5
            cpu = self.cpu_seconds(server)

            def rested():
                self.assertEqual(b"value", client.get("a", 0))
                time.sleep(0.01)
                log = server.log()
                return log.endswith("\n") and log.count("resting for") >= rests and log
            log = harness.wait_for(rested, "several pauses in the log")
            self.assertEqual(log.count("resting for"), log.count("accept: "),
                             "one line for each pause")
            self.assertFalse(harness.is_readable(late, 0))
            if harness.SANITIZE == "none":
                # rests * 100 ms have passed; a loop that spins would have used all of it
                self.assertLess(self.cpu_seconds(server) - cpu, 0.3)
            resource.prlimit(pid, resource.RLIMIT_NOFILE, before)
            self.assertEqual(b"value", harness.receive_reply(late)[2])
            late.close()


if __name__ == "__main__":
    unittest.main()
