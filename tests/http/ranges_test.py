"""Parts of values, and values that a client has already."""
import email.utils
import os
import shutil
import subprocess
import unittest

import faults
import harness

MIB = 1 << 20


class Ranges(unittest.TestCase):
    def setUp(self):
        self.server = self.enterContext(faults.Server("-buckets", "1", *self.flags))
        self.value = os.urandom(3 * MIB + 777)
        with self.server.client() as client:
            self.small = client.append("a", b"0123456789")
            self.large = client.append("a", self.value)

    flags = ()

    def ask(self, offset, *headers):
        with self.server.connect() as sock:
            sock.sendall(harness.request_bytes("GET", "/get?id=a&offset=%d" % offset,
                                               headers=headers))
            return harness.receive_reply(sock)

    def head(self, offset, *headers):
        with self.server.connect() as sock:
            sock.sendall(harness.request_bytes("HEAD", "/get?id=a&offset=%d" % offset,
                                               headers=headers))
            found = harness.receive_head(sock)
            self.assertFalse(harness.is_readable(sock, 0.05))
            return found

    def test_parts_of_values_short_and_long(self):
        pieces = 256 << 10  # replies go in pieces of about that
        size = len(self.value)
        for first, last in ((0, 0), (0, 99), (1000, 2000), (pieces - 3, pieces + 3),
                            (1, size - 1), (0, size - 1), (size - 1, size - 1),
                            (MIB, 3 * MIB), (size - 10, size + 10)):
            with self.subTest(first=first, last=last):
                status, headers, body = self.ask(self.large, "Range: bytes=%d-%d" % (first, last))
                end = min(last, size - 1)
                self.assertEqual((206, "bytes %d-%d/%d" % (first, end, size)),
                                 (status, headers["content-range"]))
                self.assertEqual(self.value[first:end + 1], body)
        status, headers, body = self.ask(self.small, "Range: bytes=-3")
        self.assertEqual((206, "bytes 7-9/10", b"789"), (status, headers["content-range"], body))

    def test_what_is_not_there(self):
        status, headers, body = self.ask(self.small, "Range: bytes=10-")
        self.assertEqual((416, "bytes */10", "no-store"),
                         (status, headers["content-range"], headers["cache-control"]))
        self.assertRegex(body, rb"\A[ -~]+\n\Z")
        self.assertEqual(404, self.ask(self.small + 1, "Range: bytes=0-0")[0])

    def test_several_or_bad_ranges_are_the_whole_value(self):
        for text in ("bytes=0-1,3-4", "bytes=4-3", "lines=1-2", "bytes=x"):
            status, headers, body = self.ask(self.small, "Range: " + text)
            self.assertEqual((200, b"0123456789"), (status, body), text)
            self.assertNotIn("content-range", headers)

    def test_a_value_that_the_client_has_is_not_sent(self):
        _, headers, _ = self.ask(self.large)
        tag, modified = headers["etag"], headers["last-modified"]
        self.assertEqual(("bytes", "no-cache"),
                         (headers["accept-ranges"], headers["cache-control"]))
        self.assertLessEqual(email.utils.parsedate_to_datetime(modified),
                             email.utils.parsedate_to_datetime(headers["date"]))
        for condition in ("If-None-Match: " + tag, "If-None-Match: *",
                          "If-Modified-Since: " + modified):
            with self.subTest(condition):
                status, found, body = self.ask(self.large, condition)
                self.assertEqual((304, tag, "no-cache", b""),
                                 (status, found["etag"], found["cache-control"], body))
                self.assertNotIn("content-length", found)
                self.assertEqual(304, self.head(self.large, condition)[0])
        status, _, body = self.ask(self.large, 'If-None-Match: "other"')
        self.assertEqual((200, self.value), (status, body))
        self.assertEqual(304, self.ask(self.large, "If-None-Match: " + tag, "Range: bytes=0-0")[0])
        self.assertEqual(206, self.ask(self.large, "If-Range: " + tag, "Range: bytes=0-0")[0])
        self.assertEqual(200, self.ask(self.large, 'If-Range: "x"', "Range: bytes=0-0")[0])

    def test_head_takes_conditions_and_no_range(self):
        status, headers = self.head(self.large, "Range: bytes=0-9")
        self.assertEqual((200, str(len(self.value))), (status, headers["content-length"]))
        self.assertIn("etag", headers)
        self.assertNotIn("content-range", headers)

    def test_other_values_have_other_tags(self):
        with self.server.client() as client:
            offsets = [client.append("a", b"same length") for _ in range(20)]
        tags = {self.ask(offset)[1]["etag"] for offset in offsets}
        self.assertEqual(20, len(tags))

    def test_a_prefix_made_anew_has_other_tags(self):
        """So a cache that asks again is told that its copy is another value."""
        with self.server.client() as client:
            client.append("a", b"before", prefix="p")
        target = "/get?id=a&offset=0&storagePrefix=p"

        def get(*headers):
            with self.server.connect() as sock:
                sock.sendall(harness.request_bytes("GET", target, headers=headers))
                return harness.receive_reply(sock)
        tag = get()[1]["etag"]
        with self.server.client() as client:
            client.close("p")
            shutil.rmtree(os.path.join(self.server.root, "p"))
            client.append("a", b"after!", prefix="p")
        status, headers, body = get("If-None-Match: " + tag)
        self.assertEqual((200, b"after!"), (status, body))
        self.assertNotEqual(tag, headers["etag"])

    def read_bytes(self):
        with open("/proc/%d/io" % self.server.process.pid) as file:
            return int(dict(line.split(": ") for line in file)["rchar"])

    def test_only_what_is_asked_for_is_read(self):
        tag = self.ask(self.large)[1]["etag"]
        self.server.heal()
        self.assertEqual(304, self.ask(self.large, "If-None-Match: " + tag)[0])
        self.assertEqual(1, self.server.seen("preadv2"))  # the header
        before = self.read_bytes()
        self.assertEqual(206, self.ask(self.large, "Range: bytes=2000000-2000999")[0])
        self.assertLess(self.read_bytes() - before, 10_000)

    def test_a_read_that_fails(self):
        self.server.fail("preadv2", 5, nth=2)  # of the header again, then of the part
        status, _, _ = self.ask(self.large, "Range: bytes=5-9")
        self.assertEqual(500, status)
        self.server.fail("preadv2", 5, nth=3)
        self.assertEqual(500, self.ask(self.large, "Range: bytes=5-9")[0])

    def test_curl_goes_on_with_a_download(self):
        path = os.path.join(self.server.directory, "value")
        with open(path, "wb") as file:
            file.write(self.value[:1234567])
        subprocess.run(["curl", "-sf", "-m", "60", "-C", "-", "-o", path,
                        "http://127.0.0.1:%d/get?id=a&offset=%d" % (self.server.port, self.large)],
                       check=True)
        with open(path, "rb") as file:
            self.assertEqual(self.value, file.read())


class Cached(Ranges):
    flags = ("-cache-control", "public, max-age=31536000, immutable")

    def test_a_value_that_the_client_has_is_not_sent(self):
        _, headers, _ = self.ask(self.large)
        self.assertEqual(self.flags[1], headers["cache-control"])
        status, headers, _ = self.ask(self.large, "If-None-Match: " + headers["etag"])
        self.assertEqual((304, self.flags[1]), (status, headers["cache-control"]))
        self.assertEqual("no-store", self.ask(self.large + 1)[1]["cache-control"])


if __name__ == "__main__":
    unittest.main()
