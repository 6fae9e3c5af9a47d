"""Errors of the disk with numbers like those of the store: reported in the kernel's words."""
import errno
import os
import unittest

import faults
import harness

ERRORS = (errno.EUCLEAN, errno.ESTALE, errno.ENODATA, errno.EBUSY, errno.EBADFD,
          errno.ENOTRECOVERABLE, errno.EMEDIUMTYPE, errno.ENOENT)


class KernelErrors(unittest.TestCase):
    def setUp(self):
        self.server = self.enterContext(faults.Server("-workers", "1", "-buckets", "1"))
        self.client = self.enterContext(self.server.client())
        self.offset = self.client.append("x", b"the value", "p")
        self.file = self.server.bucket("p")
        # The first read of a file shows whether its file system knows RWF_NOWAIT (tmpfs does not),
        # and takes a call more if not.
        self.assertEqual(b"the value", self.client.get("x", self.offset, "p"))

    def check(self, error, reply):
        status, _, body = reply
        self.assertEqual(500, status, body)
        self.assertTrue(body.startswith(os.strerror(error).encode() + b": "), body)

    def request(self, method, path, body=None, **parameters):
        return self.client.request(method, path, body, id="x", storagePrefix="p", **parameters)

    def test_get(self):
        for error in ERRORS:
            self.server.fail("preadv2", error)
            self.check(error, self.request("GET", "/get", offset=self.offset))
            self.assertEqual(1, self.server.seen("preadv2"))
            self.server.heal()
            self.assertEqual(b"the value", self.client.get("x", self.offset, "p"))

    def test_get_multi(self):
        for error in ERRORS:
            self.server.fail("preadv2", error, nth=2)
            values, text = harness.split_multi(
                self.client.get_multi("x", [self.offset, self.offset], "p"))
            self.assertEqual([b"the value"], values)
            self.assertTrue(text.startswith(os.strerror(error) + ": offset "), text)
            self.server.heal()

    def test_append(self):
        """The check of the file fails, or the write; nothing is left of the append."""
        for call in ("statx", "pwritev"):
            for error in ERRORS:
                if (call, error) == ("statx", errno.ENOENT):
                    continue  # there is no such file: it is opened anew
                before = os.stat(self.file).st_size
                self.server.fail(call, error)
                self.check(error, self.request("POST", "/append", b"refused"))
                self.server.heal()
                self.assertEqual(before, os.stat(self.file).st_size)
                self.assertEqual(before, self.client.append("x", b"again", "p"))

    def test_open(self):
        """A prefix that is not open yet: its directory cannot be opened, or its file."""
        for nth in (1, 3):
            for error in ERRORS:
                if error == errno.ENOENT:
                    continue  # there is no such file
                self.client.close("p")
                self.server.fail("openat", error, nth=nth)
                self.check(error, self.request("GET", "/get", offset=self.offset))
                self.server.heal()
                self.assertEqual(b"the value", self.client.get("x", self.offset, "p"))


if __name__ == "__main__":
    unittest.main()
