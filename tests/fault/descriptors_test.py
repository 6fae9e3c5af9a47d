"""More files than descriptors: the least recently used are closed, and no request fails."""
import errno
import os
import random
import resource
import unittest

import faults
import harness
import records


def limit_descriptors(server, most):
    """Lowers the limit of a running server."""
    resource.prlimit(server.process.pid, resource.RLIMIT_NOFILE, (most, most))


def server_with(descriptors, *flags):
    """A server that starts with `ulimit -n`."""
    return harness.Server(*flags, under=["prlimit", "--nofile=%d" % descriptors])


class Descriptors(unittest.TestCase):
    PREFIXES = int(os.environ.get("ROCHEFORT_PREFIXES", "40"))

    def test_many_prefixes_with_few_descriptors(self):
        draw = random.Random(7)
        with server_with(256, "-buckets", "128") as server, server.client() as client:
            stored = []
            for number in range(self.PREFIXES * 20):
                prefix, id = "p%d" % (number % self.PREFIXES), "id %d" % draw.randrange(300)
                value = b"%d " % number + b"v" * draw.randrange(2000)
                stored.append((prefix, id, client.append(id, value, prefix), value))
                if number % 3 == 0:
                    prefix, id, offset, value = draw.choice(stored)
                    self.assertEqual(value, client.get(id, offset, prefix))
            self.assertGreater(len({(prefix, id) for prefix, id, _, _ in stored}), 300)
            self.assertLess(len(server.open_files()), 128)
            self.assertGreater(len(server.open_files()), 16)
            # many connections, and all of them append
            others = [server.client() for _ in range(100)]
            for number, other in enumerate(others):
                prefix = "p%d" % (number % self.PREFIXES)
                stored.append((prefix, "other", other.append("other", b"o", prefix), b"o"))
            for other in others:
                other.hang_up()
            for prefix, id, offset, value in stored:
                self.assertEqual(value, client.get(id, offset, prefix))
            client.close("p1")
            self.assertEqual([], server.open_files("p1"))
            count = sum(len(file) for n in range(self.PREFIXES)
                        for file in records.decode_prefix(server.root, "p%d" % n).values())
            self.assertEqual(len(stored), count)

    def test_the_limit_is_lowered_while_files_are_open(self):
        """EMFILE although there should have been room: files are closed until there is."""
        with harness.Server("-buckets", "64") as server, server.client() as client:
            offsets = {"id %d" % n: client.append("id %d" % n, b"%d" % n) for n in range(200)}
            used = len(os.listdir("/proc/%d/fd" % server.process.pid))
            self.assertGreater(used, 60)
            limit_descriptors(server, used)
            for number in range(200):
                client.append("id %d" % number, b"p", "p%d" % (number % 9))
            for id, offset in offsets.items():
                self.assertEqual(id[3:].encode(), client.get(id, offset))
            self.assertLessEqual(len(os.listdir("/proc/%d/fd" % server.process.pid)), used)

    def test_every_open_fails_once(self):
        """The Nth openat fails with EMFILE or ENFILE: no request fails."""
        for error in (errno.EMFILE, errno.ENFILE):
            with faults.Server("-buckets", "4", "-workers", "1") as server, \
                    server.client() as client:
                for id in "abcdefgh":
                    client.append(id, b"there are files to be closed")
                nth = 0
                while True:
                    nth += 1
                    prefix = "p%d" % nth
                    server.fail("openat", error, nth)
                    self.assertEqual(0, client.append("x", b"x", prefix))
                    seen = server.seen("openat")
                    server.heal()
                    self.assertEqual(b"x", client.get("x", 0, prefix))
                    self.assertEqual(4, len(records.bucket_files(
                        os.path.join(server.root, prefix))))
                    if seen < nth:
                        break
                self.assertGreater(nth, 5)

    def test_no_descriptor_at_all(self):
        """The server has no file to close: an error, until there are descriptors again."""
        with faults.Server("-buckets", "4", "-workers", "1") as server, server.client() as client:
            server.fail("openat", errno.ENFILE, times=faults.EVER)
            status, _, body = client.request("POST", "/append", b"x", id="x")
            self.assertEqual((500, True), (status, b"Too many open files" in body), body)
            server.heal()
            self.assertEqual(0, client.append("x", b"x"))

    def test_files_that_changed_while_they_were_closed(self):
        """A file that is not open is not checked: it is used as it is found."""
        with server_with(64, "-buckets", "2", "-workers", "1") as server, server.client() as client:
            client.append("x", b"v" * 10, "mine")
            for number in range(100):
                client.append("x", b"x", "p%d" % number)
            self.assertEqual([], server.open_files("mine"))
            directory = os.path.join(server.root, "mine")
            for name in os.listdir(directory):
                os.unlink(os.path.join(directory, name))
            self.assertEqual(0, client.append("x", b"new", "mine"))
            self.assertEqual(b"new", client.get("x", 0, "mine"))


if __name__ == "__main__":
    unittest.main()
