"""That the kernel is told early to write is no business of clients: neither is that it fails."""
import errno
import os
import unittest

import faults
import records

EVERY_BYTES = 1 << 20
VALUE_BYTES = 100000
APPENDS = 64
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


class WriteBehind(unittest.TestCase):
    def append_all(self, server, client):
        """The same appends each time. Answers how often the kernel was told meanwhile."""
        file = os.path.join(server.root, "default", "append.0.raw")
        server.plan("sync_file_range", *self.plan)
        stored = {}
        for number in range(APPENDS):
            value = b"%d " % number + os.urandom(VALUE_BYTES)
            stored[client.append("x", value)] = value
        for offset, value in stored.items():
            self.assertEqual(value, client.get("x", offset))
        found = {offset: value for offset, (_, value) in records.decode_file(file).items()}
        self.assertEqual(stored, found)
        return os.stat(file).st_size, server.seen("sync_file_range")

    def run_with(self, flags, error, times=faults.EVER):
        self.plan = (error, 1 if error else 0, times if error else 0, 0, 0)
        with faults.Server("-buckets", "1", *flags) as server, server.client() as client:
            return self.append_all(server, client)

    def test_failing_changes_nothing(self):
        flags = ("-write-behind", str(EVERY_BYTES))
        for error in (0, errno.EIO, errno.ENOSPC, errno.EINVAL, errno.ENOSYS, errno.EINTR):
            size, told = self.run_with(flags, error)
            # at most one append and a page more than asked for at a time
            self.assertGreaterEqual(told, size // (EVERY_BYTES + VALUE_BYTES + 64 + PAGE_BYTES))
            self.assertLessEqual(told, size // EVERY_BYTES)

    def test_some_fail(self):
        size, told = self.run_with(("-write-behind=64KiB",), errno.EIO, 3)
        self.assertEqual(APPENDS, told)  # each append is longer than that
        self.assertGreater(size, APPENDS * VALUE_BYTES)

    def test_it_can_be_turned_off_and_is_on_by_default(self):
        size, told = self.run_with(("-write-behind", "0"), errno.EIO)
        self.assertEqual(0, told)
        self.assertGreater(size, 4 << 20)
        size, told = self.run_with((), errno.EIO)
        self.assertEqual(1, told)  # of 6 MiB, after 4


if __name__ == "__main__":
    unittest.main()
