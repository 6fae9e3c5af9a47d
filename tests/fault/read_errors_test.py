"""Calls that fail while values are read and while a prefix is created."""
import errno
import unittest

import faults
import harness
import one_bucket
from capabilities import has_reads_without_waiting


class Reads(one_bucket.TestCase):
    def read_all_ways(self, offsets):
        """Statuses of get and the error of getMulti; a broken connection counts as 500."""
        results = []
        for offset in offsets:
            try:
                status, body = self.status("GET", "/get", offset=offset)
                results.append((status, body))
            except Exception:
                self.client.hang_up()
                results.append((500, b"cut"))
        try:
            values, error = harness.split_multi(self.client.get_multi("x", offsets, "p"))
        except Exception:
            self.client.hang_up()
            values, error = [], "cut"
        return results, values, error

    def test_every_call_fails_once(self):
        """The Nth preadv2 fails, for N = 1, 2, ... until a run without a failure."""
        values = [b"a" * 10, b"b" * 5000, b"c" * 600000]
        offsets = []
        for value in values:
            offsets.append(self.append(value))
            self.append(b"between" * 300)  # a read of neighbours that fails is no error
        errors = [errno.EIO, errno.ENOMEM, errno.EINTR]
        if has_reads_without_waiting():  # no other read fails with EAGAIN
            errors.append(errno.EAGAIN)
        for error in errors:
            nth = 0
            while True:
                nth += 1
                self.server.fail("preadv2", error, nth)
                results, got, text = self.read_all_ways(offsets)
                seen = self.server.seen("preadv2")
                wrong = 0
                for value, (status, body) in zip(values, results):
                    if status == 200:
                        self.assertEqual(value, body)
                    else:
                        wrong += 1
                        self.assertIn(status, (500, 503))
                self.assertEqual(values[:len(got)], got)
                wrong += text is not None
                if seen < nth:
                    self.assertEqual(0, wrong)
                    break
                self.assertEqual(1 if error in (errno.EIO, errno.ENOMEM) else 0, wrong, nth)
            self.assertGreater(nth, 5)

    def test_short_reads(self):
        """Every read is short: the values are complete nevertheless."""
        values = [b"a" * 10, b"b" * 2000]
        offsets = [self.append(value) for value in values]
        for some in (1, 7, 15, 16, 17, 100):
            self.server.shorten("preadv2", some, times=faults.EVER)
            results, got, text = self.read_all_ways(offsets)
            self.assertEqual([(200, value) for value in values], results)
            self.assertEqual((values, None), (got, text))

    def test_unexpected_end_of_file(self):
        """A read returns 0: the file is shorter than it was."""
        offset = self.append(b"a" * 10)
        self.server.shorten("preadv2", 0, times=faults.EVER)
        self.check_read(500, offset)
        self.server.heal()
        self.check_read(b"a" * 10, offset)


class Opening(one_bucket.TestCase):
    def test_every_call_fails_once(self):
        """Creating a prefix: the Nth call fails, the next append succeeds."""
        tried = 0
        for call, error, want in (("openat", errno.EIO, 500), ("openat", errno.ENOSPC, 507),
                                  ("openat", errno.EDQUOT, 507), ("fstat", errno.EIO, 500),
                                  ("statx", errno.EIO, 500),
                                  ("mkdirat", errno.ENOSPC, 507), ("mkdirat", errno.EIO, 500),
                                  ("pwrite", errno.ENOSPC, 507), ("pwrite", errno.EIO, 500),
                                  ("renameat", errno.ENOSPC, 507), ("renameat", errno.EIO, 500),
                                  ("unlinkat", errno.EIO, 500), ("fremovexattr", errno.EIO, 500)):
            nth = 0
            while True:
                nth += 1
                tried += 1
                prefix = "%s.%d.%d" % (call, error, nth)
                self.server.fail(call, error, nth)
                status, _, text = self.client.request("POST", "/append", b"x", id="x",
                                                      storagePrefix=prefix)
                seen = self.server.seen(call)
                self.server.heal()
                offset = self.client.append("x", b"again", prefix)
                self.assertEqual(b"again", self.client.get("x", offset, prefix))
                if seen < nth:
                    self.assertEqual((200, 17), (status, offset))
                    break
                self.assertEqual((want, 0), (status, offset), text)
        self.assertGreater(tried, 12)


if __name__ == "__main__":
    unittest.main()
