"""Writes that fail at every point: failed appends get an error, the others the right offset, the
file holds whole records only, and the next append works once there is room again."""
import errno
import json
import os
import resource
import shutil
import tempfile
import unittest

import faults
import harness
import records
import suite

STATUS = {errno.ENOSPC: 507, errno.EDQUOT: 507, errno.EIO: 500, errno.EFBIG: 500}
MANY = 12


def burst(server, number):
    """MANY appends at once, so that the disk thread finds several: [(value, status, reply)]"""
    values = [b"%d.%d " % (number, i) + b"v" * (i * 7) for i in range(MANY)]
    sockets = [server.connect() for _ in values]
    for sock, value in zip(sockets, values):
        sock.sendall(harness.request_bytes("POST", "/append?id=x", value))
    replies = [harness.receive_reply(sock) for sock in sockets]
    for sock in sockets:
        sock.close()
    return [(value, status, body) for value, (status, _, body) in zip(values, replies)]


class Writes(unittest.TestCase):
    def check_burst(self, server, file, stored, number, statuses):
        """Returns how many appends failed."""
        failed = 0
        for value, status, body in burst(server, number):
            if status == 200:
                stored[json.loads(body)["offset"]] = value
            else:
                failed += 1
                self.assertIn(status, statuses)
                self.assertRegex(body, rb"\A[ -~]+\n\Z")
                self.assertIn(file.encode(), body)
        return failed

    def check_file(self, file, stored):
        """The file holds exactly the appends that were answered with 200."""
        found = records.values(file)
        self.assertEqual(stored, found)

    def test_every_write_fails_once(self):
        """The Nth pwritev fails, for N = 1, 2, ... until a run without a failure, after whole
        writes and after short ones."""
        for error, status in STATUS.items():
            for some in (0, 1000, 90, 17):
                with faults.Server("-buckets", "1") as server, server.client() as client:
                    file = server.bucket()
                    stored = {client.append("x", b"first"): b"first"}
                    nth = 0
                    while True:
                        nth += 1
                        server.fail("pwritev", error, nth, bytes=some)
                        failed = self.check_burst(server, file, stored, nth, [status])
                        seen = server.seen("pwritev")
                        server.heal()
                        self.check_file(file, stored)
                        stored[client.append("x", b"next")] = b"next"
                        self.check_file(file, stored)
                        if seen < nth:
                            self.assertEqual(0, failed)
                            break
                        self.assertGreater(failed, 0)
                    self.assertGreater(nth, 1)

    def test_interrupted_and_short(self):
        with faults.Server("-buckets", "1") as server:
            file = server.bucket()
            stored = {}
            for nth in range(1, 30):
                server.fail("pwritev", errno.EINTR, nth, 3, bytes=1 + 5 * nth)
                self.assertEqual(0, self.check_burst(server, file, stored, nth, []))
            self.check_file(file, stored)

    def test_cutting_back_fails_too(self):
        with faults.Server("-buckets", "1") as server, server.client() as client:
            file = server.bucket()
            stored = {client.append("x", b"first"): b"first"}
            for again in range(2):  # a close repairs the file, then a restart does
                server.fail("pwritev", errno.ENOSPC, 2, bytes=10)
                server.fail("ftruncate", errno.EIO, times=faults.EVER)
                status, _, body = client.request("POST", "/append", b"v" * 100, id="x")
                self.assertEqual(507, status, body)
                server.heal()
                for _ in range(3):
                    status, _, body = client.request("POST", "/append", b"x", id="x")
                    self.assertEqual(500, status)
                    self.assertIn(b"takes no appends", body)
                    self.assertIn(file.encode(), body)
                for offset, value in stored.items():
                    self.assertEqual(value, client.get("x", offset))
                if again:
                    server.kill()
                    server.start()
                    client = server.client()
                    self.addCleanup(client.hang_up)
                else:
                    client.close()
                stored[client.append("x", b"next")] = b"next"
                self.check_file(file, stored)

    def test_limit_of_the_file_size(self):
        """A real limit: the kernel cuts the write short, then sends SIGXFSZ."""
        with harness.Server("-buckets", "1") as server, server.client() as client:
            file = server.bucket()
            stored = {client.append("x", b"first"): b"first"}
            unlimited = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
            for room in list(range(0, 120, 7)) + [500, 700]:
                end = os.stat(file).st_size
                # the soft limit alone, set from outside while nothing is logged
                resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE,
                                 (end + room, unlimited[1]))
                failed = self.check_burst(server, file, stored, room, [500])
                resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, unlimited)
                self.assertGreater(failed, 0)
                self.check_file(file, stored)
                stored[client.append("x", b"next")] = b"next"
            self.check_file(file, stored)


@unittest.skipUnless(shutil.which("fiu-run") and harness.SANITIZE in ("none", "coverage"),
                     "needs libfiu, and no sanitizer (each must be the first library)")
class Random(unittest.TestCase):
    """libfiu: each write and each cut fails, or is short, with some probability."""

    def run_with(self, *faults_wanted):
        with tempfile.TemporaryDirectory() as directory:
            under = ["fiu-run", "-x", "-f", os.path.join(directory, "ctl")]
            for fault in faults_wanted:
                under += ["-c", fault]
            with harness.Server("-buckets", "1", under=under) as server:
                failed = self.drive(server)
        self.assertGreater(failed, 0)

    def drive(self, server):
        file = server.bucket()
        stored, failed = {}, 0
        with server.client() as client:
            for number in range(300):
                value = b"%d " % number + b"v" * (number * 11)
                status, _, body = client.request("POST", "/append", value, id="x")
                if status == 200:
                    stored[json.loads(body)["offset"]] = value
                else:
                    failed += 1
                    self.assertIn(status, (500, 507), body)
            self.assertGreater(len(stored), 50)
            for offset, value in stored.items():
                self.assertEqual(value, client.get("x", offset))
        found = records.values(file)
        self.assertEqual(stored, found)
        return failed

    def test_disk_full(self):
        self.run_with("enable_random name=posix/io/rw/pwritev,probability=0.2,failinfo=%d"
                      % errno.ENOSPC)

    def test_quota(self):
        self.run_with("enable_random name=posix/io/rw/pwritev,probability=0.2,failinfo=%d"
                      % errno.EDQUOT)

    def test_broken(self):
        self.run_with("enable_random name=posix/io/rw/pwritev,probability=0.5,failinfo=%d"
                      % errno.EIO)


if __name__ == "__main__":
    suite.main()
