"""appendMulti on a disk that fails: whatever happens, all values of a request are there with the
offsets that were answered, or it gets an error and none is there. And a kill in the middle."""
import errno
import signal
import struct
import unittest

import faults
import harness
import records
from protocol import join_multi

STATUS = {errno.ENOSPC: 507, errno.EDQUOT: 507, errno.EIO: 500, errno.EFBIG: 500}
# Over IOV_MAX parts, and over one piece of the network's buffers.
MANY = [b"%d" % i * (1 + i % 9) for i in range(3000)]
LARGE = [b"l" * 700000, b"m", b"n" * 300000]
FEW = [b"one", b"two" * 100, b"three"]


def append_multi(client, values, **parameters):
    """Status, and the offsets or the text."""
    status, _, body = client.request("POST", "/appendMulti", join_multi(values), id="x",
                                     **parameters)
    if status != 200:
        return status, body
    return status, list(struct.unpack("<%dQ" % len(values), body))


class Writes(unittest.TestCase):
    def check(self, server, stored):
        self.assertTrue(stored == records.values(server.bucket()))

    def append(self, client, values, stored):
        status, offsets = append_multi(client, values)
        self.assertEqual(200, status, offsets)
        stored.update(zip(offsets, values))

    def test_every_write_fails_once(self):
        """The Nth pwritev fails, for N = 1, 2, ... until none does, after whole writes and after
        short ones of lengths that end in headers, in values and between records."""
        for error, status in STATUS.items():
            for values, lengths in ((FEW, (0, 1, 17, 19, 335)), (MANY, (0, 11000, 9999)),
                                    (LARGE, (0, 300000))):
                for some in lengths:
                    with self.subTest(error=error, values=len(values), bytes=some), \
                            faults.Server("-buckets", "1") as server, server.client() as client:
                        stored, nth, failures = {}, 0, 0
                        self.append(client, FEW, stored)
                        while True:
                            nth += 1
                            server.fail("pwritev", error, nth, bytes=some)
                            got, body = append_multi(client, values)
                            seen = server.seen("pwritev")
                            server.heal()
                            if got == 200:
                                stored.update(zip(body, values))
                            else:
                                self.assertEqual(status, got)
                                self.assertIn(server.bucket().encode(), body)
                                failures += 1
                            self.check(server, stored)
                            if seen < nth:
                                self.assertEqual(200, got)
                                break
                        self.append(client, FEW, stored)
                        self.check(server, stored)
                        self.assertEqual(nth - 1, failures)

    def test_short_and_interrupted_writes_go_on(self):
        with faults.Server("-buckets", "1") as server, server.client() as client:
            stored = {}
            for nth in range(1, 12):
                server.fail("pwritev", errno.EINTR, nth, 3, bytes=1 + 501 * nth)
                self.append(client, MANY if nth % 3 == 0 else FEW, stored)
                server.heal()
            self.check(server, stored)

    def test_one_that_cannot_be_cut_off(self):
        """No more appends until the prefix is closed; opening it again cuts off what is no whole
        record. What was whole stays: nobody has its offset."""
        with faults.Server("-buckets", "1") as server, server.client() as client:
            stored = {}
            self.append(client, FEW, stored)
            server.fail("pwritev", errno.EIO, 2, bytes=340)
            server.fail("ftruncate", errno.EIO)
            self.assertEqual(500, append_multi(client, FEW)[0])
            server.heal()
            status, text = append_multi(client, FEW)
            self.assertEqual(500, status)
            self.assertIn(b"takes no appends", text)
            client.close()
            end = max(stored) + records.HEADER_BYTES + len(FEW[-1])
            self.append(client, FEW, stored)
            found = records.values(server.bucket())
            left = sorted(set(found) - set(stored))
            self.assertEqual([end, end + 19], left)
            self.assertEqual(FEW[:2], [found[offset] for offset in left])

    def test_the_expected_end_after_a_failure(self):
        with faults.Server("-buckets", "1") as server, server.client() as client:
            server.fail("pwritev", errno.ENOSPC, 2, bytes=30)
            self.assertEqual(507, append_multi(client, FEW, expect=0)[0])
            server.heal()
            self.assertEqual(412, append_multi(client, FEW, expect=30)[0])
            self.assertEqual((200, [0, 19, 335]), append_multi(client, FEW, expect=0))


class Syncs(unittest.TestCase):
    def test_one_sync_for_all(self):
        for flags, parameters in (((), {"sync": 1}), (("-sync", "always"), {})):
            with faults.Server("-buckets", "1", *flags) as server, server.client() as client:
                self.assertEqual(200, append_multi(client, FEW, **parameters)[0])
                server.heal()
                self.assertEqual(200, append_multi(client, MANY, **parameters)[0])
                self.assertEqual(1, server.seen("fdatasync"))

    def test_a_sync_that_fails_leaves_nothing(self):
        for flags, parameters in (((), {"sync": 1}), (("-sync", "always"), {})):
            with faults.Server("-buckets", "1", *flags) as server, server.client() as client:
                status, offsets = append_multi(client, FEW, **parameters)
                self.assertEqual(200, status)
                server.fail("fdatasync", errno.EIO)
                status, text = append_multi(client, MANY, **parameters)
                self.assertEqual(500, status)
                self.assertIn(b"could not be synced", text)
                self.assertEqual(dict(zip(offsets, FEW)), records.values(server.bucket()))


class Kill(unittest.TestCase):
    """Killed before the Nth pwritev, after short ones, for N = 1, 2, ... until the request is
    through: an answered request is whole; of the other one the first values may be there."""

    def test_at_every_write(self):
        for values, some in ((FEW, 100), (FEW, 19), (MANY, 9000), (LARGE, 250000)):
            nth, left_some = 0, 0
            while True:
                nth += 1
                with self.subTest(values=len(values), bytes=some, nth=nth), \
                        faults.Server("-buckets", "1") as server:
                    with server.client() as client:
                        _, offsets = append_multi(client, FEW)
                        stored = dict(zip(offsets, FEW))
                        server.plan("pwritev", -signal.SIGKILL, nth, 1, some, 0)
                        try:
                            status, offsets = append_multi(client, values)
                        except OSError:
                            status = None
                    if status == 200:
                        self.assertGreater(nth, 1)
                        break
                    self.assertIsNone(status)
                    server.process.wait(harness.TIMEOUT_SECONDS)
                    server.heal()
                    server.start()
                    with server.client() as client:
                        _, offsets = append_multi(client, FEW)
                        stored.update(zip(offsets, FEW))
                        found = records.values(server.bucket())
                        left = [found[offset] for offset in sorted(set(found) - set(stored))]
                        self.assertTrue(left == values[:len(left)])
                        self.assertLess(len(left), len(values))
                        self.assertTrue(stored.items() <= found.items())
                        left_some += len(left) > 0
                    server.expect_exit = 0
            self.assertGreater(left_some, 0)


if __name__ == "__main__":
    unittest.main()
