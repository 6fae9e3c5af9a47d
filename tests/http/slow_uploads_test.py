"""Uploads that trickle hold no memory that others need for long."""
import multiprocessing
import os
import select
import tempfile
import time
import unittest

import harness

MIB = 1 << 20
TRICKLING = 30
APPENDS = 100
TRIES = 4  # the machine may be busy with something else in some of the measurements
# In memory if possible: what is to be seen is not that the kernel holds up who writes a lot.
ROOTS = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None


def head(framing):
    return b"POST /append?id=slow HTTP/1.1\r\nHost: x\r\n" + framing + b"\r\n\r\n"


KNOWN = head(b"Content-Length: %d" % (64 * MIB))
CHUNKED = head(b"Transfer-Encoding: chunked")


class Trickle:
    """Clients that each send some bytes now and then, faster than -min-rate. In a process of their
    own, so that they do not take the interpreter from the client that is measured."""

    def __init__(self, server, begin, piece, count=TRICKLING):
        self.socks = [server.connect() for _ in range(count)]
        for sock in self.socks:
            sock.sendall(begin)
        self.process = multiprocessing.Process(target=self.run, args=(piece,))

    def run(self, piece):
        socks = list(self.socks)
        while socks:
            time.sleep(0.1)
            for sock in list(socks):
                try:
                    sock.sendall(piece)
                except OSError:  # it was cut off
                    socks.remove(sock)

    def __enter__(self):
        self.process.start()
        return self

    def __exit__(self, *arguments):
        self.process.terminate()
        self.process.join()
        for sock in self.socks:
            sock.close()


def appends_per_s(client):
    """Of values of 1 MiB."""
    value, begin = b"v" * MIB, time.monotonic()
    for _ in range(APPENDS):
        client.append("a", value)
    return APPENDS / (time.monotonic() - begin)


class Uploads(unittest.TestCase):
    def keeps_half_of_its_rate(self, begin, piece):
        rates = []
        for _ in range(TRIES):
            with tempfile.TemporaryDirectory(dir=ROOTS) as root, \
                    harness.Server("-max-buffered", "1GiB", root=root) as server, \
                    server.client() as client:
                alone = appends_per_s(client)
                with Trickle(server, begin, piece):
                    beside = appends_per_s(client)
                rates.append((alone, beside))
                if max(beside for _, beside in rates) >= min(alone for alone, _ in rates) / 2:
                    return
        self.fail("appends a second alone and beside them: %s" % rates)

    def test_of_known_length(self):
        self.keeps_half_of_its_rate(KNOWN, b"x" * 100)

    def test_of_unknown_length(self):
        self.keeps_half_of_its_rate(CHUNKED, b"32\r\n" + b"x" * 50 + b"\r\n")

    def test_they_are_cut_off_while_a_request_waits_and_only_then(self):
        """So a request of their own size gets its memory, however steadily they trickle."""
        flags = ("-max-buffered", "64MiB", "-max-value", "16MiB", "-min-rate", "1",
                 "-min-rate-window", "1")
        begin = head(b"Content-Length: %d" % (16 * MIB))
        with harness.Server(*flags) as server, Trickle(server, begin, b"x" * 100, 6) as slow:
            # some have memory and go on, the others wait for it: until these are cut off
            with server.connect() as sock:
                sock.settimeout(harness.TIMEOUT_SECONDS)
                sock.sendall(begin)
                for _ in range(16):
                    sock.sendall(b"v" * MIB)
                self.assertEqual(200, harness.receive_reply(sock)[0])
            cut = [sock for sock in slow.socks if select.select([sock], [], [], 0)[0]]
            self.assertEqual({408}, {harness.receive_reply(sock)[0] for sock in cut})
        with harness.Server(*flags) as server, server.connect() as sock:
            sock.sendall(head(b"Content-Length: 4000"))
            for _ in range(40):  # 4 seconds with nobody waiting
                time.sleep(0.1)  # that is how slow it is
                sock.sendall(b"x" * 100)
            self.assertEqual(200, harness.receive_reply(sock)[0])


if __name__ == "__main__":
    unittest.main()
