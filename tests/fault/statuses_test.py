"""The status and the words of a failed append are those of what happened, whether or not it was to
be synced: a client that asks for a sync is not told less."""
import errno
import os
import unittest

import faults
import harness

# What follows the words if there is no room.
NO_ROOM = "; appends go on as soon as there is room"

# Of each error the status, the words, and whether the client is told when to come again.
ERRORS = {
    errno.ENOSPC: (507, "disk full", False),
    errno.EDQUOT: (507, "disk quota used up", False),
    errno.EIO: (500, os.strerror(errno.EIO), False),
    errno.EFBIG: (500, os.strerror(errno.EFBIG), False),
    errno.EROFS: (500, os.strerror(errno.EROFS), False),
    errno.EUCLEAN: (500, os.strerror(errno.EUCLEAN), False),
    errno.ESTALE: (500, os.strerror(errno.ESTALE), False),
    errno.ENOMEM: (503, "out of memory", True),
}


class Statuses(unittest.TestCase):
    def append(self, server, sync):
        with server.connect() as sock:
            sock.sendall(harness.request_bytes("POST", "/append?id=a&sync=%d" % sync, b"value"))
            return harness.receive_reply(sock)

    def check(self, server, reply, error, prefix=""):
        status, words, again = ERRORS[error]
        got, headers, body = reply
        self.assertEqual(status, got, body)
        help = NO_ROOM if status == 507 and not prefix else ""
        self.assertEqual("%s%s: %s/default/append.0.raw%s\n" % (prefix, words, server.root, help),
                         body.decode())
        self.assertEqual(again, "retry-after" in headers)

    def test_a_write_that_fails(self):
        for error in ERRORS:
            for sync in (0, 1):
                with self.subTest(error=errno.errorcode[error], sync=sync), (
                        faults.Server("-buckets", "1")) as server:
                    self.assertEqual(200, self.append(server, sync)[0])
                    server.fail("pwritev", error)
                    self.check(server, self.append(server, sync), error)
                    server.heal()
                    self.assertEqual(200, self.append(server, sync)[0])

    def test_a_sync_that_fails(self):
        for error in ERRORS:
            for call in ("fdatasync", "fsync"):
                with self.subTest(error=errno.errorcode[error], call=call), (
                        faults.Server("-buckets", "1")) as server:
                    self.assertEqual(200, self.append(server, 0)[0])
                    server.fail(call, error)
                    self.check(server, self.append(server, 1), error, "could not be synced: ")
                    server.heal()
                    self.assertEqual(200, self.append(server, 0)[0])

    def test_files_that_are_missing_are_told_as_such(self):
        for sync in (0, 1):
            with self.subTest(sync=sync), faults.Server("-buckets", "2") as server:
                self.assertEqual(200, self.append(server, sync)[0])
                with server.client() as client:
                    client.close()
                os.unlink(os.path.join(server.root, "default", "append.1.raw"))
                status, headers, body = self.append(server, sync)
                self.assertEqual(500, status)
                self.assertNotIn(os.strerror(errno.EUCLEAN).encode(), body)
                self.assertIn(b"missing", body)
                self.assertIn(b"/default", body)


if __name__ == "__main__":
    unittest.main()
