"""That the kernel is told early to write is no business of clients: neither is that it fails.

How often it is told depends on how long that takes; the unit test counts exactly.
"""
import errno
import os
import unittest

import faults
import records

VALUE_BYTES = 100000
RECORD_BYTES = VALUE_BYTES + records.HEADER_BYTES
MIB = 1 << 20


class WriteBehind(unittest.TestCase):
    def append(self, server, client, stored, count):
        for _ in range(count):
            value = os.urandom(VALUE_BYTES)
            stored[client.append("x", value)] = value

    def check(self, server, client, stored):
        file = os.path.join(server.root, "default", "append.0.raw")
        for offset, value in stored.items():
            self.assertEqual(value, client.get("x", offset))
        found = {offset: value for offset, (_, value) in records.decode_file(file).items()}
        self.assertEqual(stored, found)

    def test_failing_changes_nothing(self):
        for error in (0, errno.EIO, errno.ENOSPC, errno.EINVAL, errno.ENOSYS, errno.EINTR):
            with faults.Server("-buckets", "1", "-write-behind=1MiB") as server, \
                    server.client() as client:
                stored = {}
                if error:
                    server.fail("sync_file_range", error, times=faults.EVER)
                self.append(server, client, stored, 64)
                told = server.seen("sync_file_range")
                self.assertGreaterEqual(told, 1)
                self.assertLessEqual(told, 64 * RECORD_BYTES // MIB)
                self.check(server, client, stored)

    def test_told_when_so_many_are_appended(self):
        with faults.Server("-buckets", "1", "-write-behind", "2MiB") as server, \
                server.client() as client:
            stored, before = {}, 2 * MIB // RECORD_BYTES
            server.fail("sync_file_range", errno.EIO, times=faults.EVER)
            self.append(server, client, stored, before)
            self.assertEqual(0, server.seen("sync_file_range"))
            self.append(server, client, stored, 1)
            self.assertEqual(1, server.seen("sync_file_range"))
            self.check(server, client, stored)

    def test_off_unless_asked_for(self):
        for flags in ((), ("-write-behind", "0"), ("-write-behind=1MiB", "-write-behind=0")):
            with faults.Server("-buckets", "1", *flags) as server, server.client() as client:
                stored = {}
                server.fail("sync_file_range", errno.EIO, times=faults.EVER)
                self.append(server, client, stored, 64)
                self.assertEqual(0, server.seen("sync_file_range"))
                self.check(server, client, stored)

    def test_where_appends_are_synced(self):
        """With always nothing is ever left to write."""
        for flags, early in ((("-sync", "always"), False), (("-sync=interval:3600000",), True),
                             (("-sync", "never"), True)):
            with self.subTest(flags=flags), \
                    faults.Server("-buckets", "1", "-write-behind=1MiB", *flags) as server, \
                    server.client() as client:
                stored = {}
                client.append("x", b"opens the file, and syncs its name if that is to be")
                server.heal()
                self.append(server, client, stored, 64)
                self.assertEqual(64 if not early else 0, server.seen("fdatasync"))
                self.assertEqual(early, server.seen("sync_file_range") > 0)
                for offset, value in stored.items():
                    self.assertEqual(value, client.get("x", offset))


if __name__ == "__main__":
    unittest.main()
