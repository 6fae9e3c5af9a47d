"""Tests of a prefix with one bucket: its file is changed, or calls on it fail."""
import os
import unittest

import faults
import harness


class TestCase(unittest.TestCase):
    """self.server, whose disk can fail, a client of it, and the path of the only file of prefix p."""

    def setUp(self):
        self.server = self.enterContext(faults.Server("-buckets", "1", "-workers", "1"))
        self.client = self.enterContext(self.server.client())
        self.file = self.server.bucket("p")
        self.directory = os.path.dirname(self.file)

    def append(self, value):
        return self.client.append("x", value, "p")

    def status(self, method, path, body=None, **parameters):
        """Status and text of a request on the prefix."""
        status, _, text = self.client.request(method, path, body, id="x", storagePrefix="p",
                                              **parameters)
        return status, text

    def check_read(self, want, offset):
        """get, HEAD and getMulti agree: `want` is the value or the status of the error."""
        status, body = self.status("GET", "/get", offset=offset)
        values, error = harness.split_multi(self.client.get_multi("x", [offset], "p"))
        head, _ = self.status("HEAD", "/get", offset=offset)
        if isinstance(want, bytes):
            self.assertEqual((200, want), (status, body))
            self.assertEqual(([want], None), (values, error))
            self.assertEqual(200, head)
        else:
            self.assertEqual(want, status, body)
            self.assertRegex(body, rb"\A[ -~]+\n\Z")
            self.assertIn(self.file.encode(), body)
            self.assertEqual([], values)
            self.assertIn(" offset %d " % offset, error)

    def check_append_refused(self, word):
        before = os.stat(self.file).st_size if os.path.exists(self.file) else None
        status, text = self.status("POST", "/append", b"refused")
        self.assertEqual(500, status)
        self.assertRegex(text, rb"\A[ -~]*\b%s\b[ -~]*\n\Z" % word)
        self.assertIn(self.file.encode(), text)
        after = os.stat(self.file).st_size if os.path.exists(self.file) else None
        self.assertEqual(before, after)

    def overwrite(self, position, data):
        with open(self.file, "r+b") as file:
            file.seek(position)
            file.write(data)
