"""Many storage prefixes: those that nobody uses are closed."""
import os
import tempfile
import unittest

import harness

# In memory if possible: there are many files.
ROOTS = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
MIB = 1 << 20


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
    unittest.main()
