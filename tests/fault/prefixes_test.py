"""Many storage prefixes: only so many can be made, and those that nobody uses are closed."""
import concurrent.futures
import json
import os
import shutil
import tempfile
import unittest

import harness
import suite
import tmpfs
from capabilities import needs_mounts

# In memory if possible: there are many files.
ROOTS = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
MIB = 1 << 20


def append(server, prefix):
    """(status, text)"""
    with server.client() as client:
        status, _, body = client.request("POST", "/append", b"v", id="x", storagePrefix=prefix)
    return status, body.decode()


class Exist(unittest.TestCase):
    """-max-prefixes"""

    def test_one_more_gets_507_and_is_not_made(self):
        with harness.Server("-buckets", "2", "-max-prefixes", "3") as server, \
                server.client() as client:
            for prefix in "abc":
                client.append("x", b"v", prefix)
            for _ in range(3):
                self.assertEqual(
                    (507, "no more prefixes are made: as many exist as -max-prefixes allows: "
                     "%s/d; delete some, or restart the server with a larger -max-prefixes\n"
                     % server.root), append(server, "d"))
                self.assertEqual(["a", "b", "c"], sorted(
                    name for name in os.listdir(server.root) if not name.startswith(".")))
            # those that exist are used as ever, and a read is not told of the limit
            for prefix in "abc":
                self.assertEqual(17, client.append("x", b"v", prefix))
                self.assertEqual(b"v", client.get("x", 17, prefix))
            status, _, body = client.request("GET", "/get", id="x", offset=0, storagePrefix="d")
            self.assertEqual((404, True), (status, body.startswith(b"no such storagePrefix: d")))
            client.close("b")
            shutil.rmtree(os.path.join(server.root, "b"))
            harness.wait_for(lambda: append(server, "d")[0] == 200, "the room that b has left")
            self.assertEqual(507, append(server, "e")[0])

    def test_what_exists_counts_at_the_start_too(self):
        with harness.Server("-buckets", "1") as first, first.client() as client:
            for prefix in "abc":
                client.append("x", b"v", prefix)
            first.stop()
            with harness.Server("-max-prefixes", "2", root=first.root) as server, \
                    server.client() as client:
                self.assertEqual(17, client.append("x", b"v", "c"))
                self.assertEqual(507, append(server, "d")[0])

    def test_many_at_once_are_not_more_than_may_be(self):
        with harness.Server("-buckets", "8", "-max-prefixes", "10", "-workers", "4") as server:
            with concurrent.futures.ThreadPoolExecutor(16) as pool:
                answers = list(pool.map(lambda number: append(server, "p%d" % number), range(50)))
            self.assertEqual([200] * 10 + [507] * 40, sorted(status for status, _ in answers))
            self.assertEqual(10, len([name for name in os.listdir(server.root) if name[0] == "p"]))


@needs_mounts
class Inodes(unittest.TestCase):
    """309 prefixes of 128 files used up a file system of 40,000 inodes."""

    INODES, BUCKETS, KEPT = 40000, 128, 400

    def start(self):
        server = self.enterContext(tmpfs.Server("256m", "-buckets", str(self.BUCKETS),
                                                inodes=self.INODES))
        # each has a directory and MANIFEST too
        self.most = (server.free()[1] - self.KEPT) // (self.BUCKETS + 2)
        return server

    def check_refused(self, server, prefix):
        status, text = append(server, prefix)
        self.assertEqual(
            (507, "no more prefixes are made: the file system has too few inodes left: %s/%s; "
             "delete files there, or use fewer -buckets\n" % (server.root, prefix)), (status, text))

    def prefixes(self, server):
        """{name: number of its files}"""
        return {name: len(os.listdir(os.path.join(server.inside, name)))
                for name in os.listdir(server.inside) if not name.startswith(".")}

    def check_whole(self, server, count):
        found = self.prefixes(server)
        self.assertEqual([self.BUCKETS + 1] * count, list(found.values()))
        self.assertGreaterEqual(server.free()[1], self.KEPT)

    def test_the_last_inodes_are_kept(self):
        server = self.start()
        with server.client() as client:
            for number in range(self.most):
                client.append("x", b"v", "p%d" % number)
            free = server.free()[1]
            for number in range(20):
                self.check_refused(server, "more %d" % number)
            self.assertEqual(free, server.free()[1])
            self.check_whole(server, self.most)
            # what is there is used as ever
            for number in range(self.most):
                self.assertEqual(17, client.append("x", b"v", "p%d" % number))
            client.close("p0")
            shutil.rmtree(os.path.join(server.inside, "p0"))
            client.append("x", b"v", "another")
            self.check_refused(server, "more")

    def test_many_that_are_made_at_once(self):
        server = self.start()
        with server.client() as client:
            for number in range(self.most - 20):
                client.append("x", b"v", "p%d" % number)
        socks = [self.enterContext(server.send(
            "POST", "/append?id=x&storagePrefix=new%d" % number, b"v")) for number in range(60)]
        answers = [harness.receive_reply(sock) for sock in socks]
        self.assertEqual([200] * 20 + [507] * 40, sorted(status for status, _, _ in answers))
        for number, (status, _, body) in enumerate(answers):
            if status == 200:
                self.assertEqual(0, json.loads(body)["offset"])
            else:
                self.assertFalse(os.path.exists(os.path.join(server.inside, "new%d" % number)))
        self.check_whole(server, self.most)


class Open(unittest.TestCase):
    """-max-open-prefixes, by the descriptors and the memory of the server."""

    PREFIXES, OPEN, GROWTH_BYTES_MAX = 2000, 100, 2 * MIB

    def name(self, number):
        return "prefix %d" % number

    def check_open(self, server):
        """Those that were used last, a file of each."""
        harness.wait_for(lambda: len(server.open_files()) <= self.OPEN, "files to be closed")
        self.assertEqual({self.name(number) for number in
                          range(self.PREFIXES - self.OPEN, self.PREFIXES)},
                         {path.split("/")[-2] for path in server.open_files()})

    def test_prefixes_that_were_read_once_take_neither_memory_nor_descriptors(self):
        root = self.enterContext(tempfile.TemporaryDirectory(prefix="rochefort-many-", dir=ROOTS))
        flags = ("-buckets", "16", "-max-open-prefixes", str(self.OPEN))
        with harness.Server(*flags, root=root) as server, server.client() as client:
            for number in range(self.PREFIXES):
                client.append("x", b"%d" % number, self.name(number))
            self.check_open(server)

        with harness.Server(*flags, root=root) as server, server.client() as client:
            def read(numbers):
                for number in numbers:
                    self.assertEqual(b"%d" % number, client.get("x", 0, self.name(number)))
            read(range(self.PREFIXES // 3))
            before = server.memory_bytes()
            for _ in range(2):
                read(range(self.PREFIXES))
            if harness.SANITIZE == "none":
                self.assertLess(server.memory_bytes() - before, self.GROWTH_BYTES_MAX)
            self.check_open(server)


if __name__ == "__main__":
    suite.main()
