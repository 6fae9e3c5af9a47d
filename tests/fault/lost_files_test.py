"""Some files of a prefix are lost, moved or replaced while the server runs: an id is never read
from another id's file, and no append goes to a file that a later read would not open."""
import errno
import itertools
import json
import os
import shutil
import subprocess
import unittest

import faults
import harness
import records
import suite

BUCKETS = 4
IDS = ["id%d" % n for n in range(40)]


class Case(unittest.TestCase):
    def start(self, buckets, *flags):
        self.server = self.enterContext(faults.Server("-buckets", str(buckets), *flags))
        self.client = self.enterContext(self.server.client())
        self.directory = os.path.join(self.server.root, "p")

    def file(self, bucket):
        return os.path.join(self.directory, "append.%d.raw" % bucket)

    def append(self, id="x", **parameters):
        """The status, and the reply as a dict or, for an error, its text."""
        status, _, body = self.client.request("POST", "/append", b"of " + id.encode(), id=id,
                                              storagePrefix="p", **parameters)
        return status, json.loads(body) if status == 200 else body

    def get(self, id, offset):
        status, _, body = self.client.request("GET", "/get", id=id, offset=offset,
                                              storagePrefix="p")
        return status, body

    def contents(self, path):
        return records.values(path)


class OneOfSeveral(Case):
    def setUp(self):
        self.start(BUCKETS)
        self.places = {id: self.append(id)[1] for id in IDS}
        self.ids = {bucket: [id for id in IDS if self.places[id]["file"] == self.file(bucket)]
                    for bucket in range(BUCKETS)}
        self.assertTrue(all(self.ids.values()))

    def check_all(self):
        for id in IDS:
            self.assertEqual((200, b"of " + id.encode()), self.get(id, self.places[id]["offset"]))

    def test_a_file_missing_at_open_fails_every_request_of_the_prefix(self):
        """Without it the number of files, and so the file of an id, is not known."""
        for bucket in range(BUCKETS):
            with self.subTest(bucket=bucket):
                self.client.close("p")
                aside = self.file(bucket) + ".aside"
                os.rename(self.file(bucket), aside)
                for id in IDS:
                    status, text = self.get(id, self.places[id]["offset"])
                    self.assertEqual((500, True), (status, b" missing" in text), text)
                status, text = self.append()
                self.assertEqual((500, True), (status, b" missing" in text), text)
                self.assertFalse(os.path.exists(self.file(bucket)))
                os.rename(aside, self.file(bucket))
                self.check_all()

    def test_a_file_missing_later_fails_appends_to_that_file_alone(self):
        """Appends to the others go on, those to this one are refused until it is back."""
        for bucket in range(BUCKETS):
            with self.subTest(bucket=bucket):
                aside = self.file(bucket) + ".aside"
                os.rename(self.file(bucket), aside)
                before = os.stat(aside).st_size
                for other, ids in self.ids.items():
                    status, text = self.append(ids[0])
                    self.assertEqual(500 if other == bucket else 200, status, text)
                self.assertEqual(before, os.stat(aside).st_size)
                self.assertFalse(os.path.exists(self.file(bucket)))
                os.rename(aside, self.file(bucket))
                status, place = self.append(self.ids[bucket][0])
                self.assertEqual((200, before), (status, place["offset"]))
                self.check_all()

    def test_verify_reports_the_missing_file(self):
        for bucket in range(BUCKETS):
            with self.subTest(bucket=bucket):
                aside = self.file(bucket) + ".aside"
                os.rename(self.file(bucket), aside)
                self.check_verify(1, "append.%d.raw: missing" % bucket)
                os.rename(aside, self.file(bucket))
        self.check_verify(0, "")
        with open(self.file(BUCKETS), "x"):
            self.check_verify(1, "append.%d.raw is there" % BUCKETS)

    def check_verify(self, status, text):
        done = subprocess.run([harness.BINARY, "verify", self.server.root], capture_output=True,
                              text=True, check=False)
        self.assertEqual(status, done.returncode, done.stderr)
        self.assertIn(text, done.stderr)

    def test_a_prefix_that_has_lost_all_files_is_made_anew(self):
        """With all files gone nothing can be confused: the prefix is made anew."""
        for bucket in range(BUCKETS):
            os.unlink(self.file(bucket))
        status, place = self.append()
        self.assertEqual((200, 0), (status, place["offset"]))
        self.assertEqual(BUCKETS, len(records.bucket_files(self.directory)))
        self.client.close("p")
        self.assertEqual((200, b"of x"), self.get("x", 0))


class Moved(Case):
    def test_file_moved_aside_and_another_in_its_place(self):
        self.start(1)
        for written in (b"", records.encode(b"restored")):
            with self.subTest(bytes=len(written)):
                self.append()
                aside = os.path.join(self.server.directory, "aside%d" % len(written))
                os.rename(self.file(0), aside)
                before = self.contents(aside)
                with open(self.file(0), "xb") as file:
                    file.write(written)
                status, place = self.append("y")
                self.assertEqual((200, len(written)), (status, place["offset"]))
                self.assertEqual(before, self.contents(aside))
                for _ in range(2):
                    self.assertEqual((200, b"of y"), self.get("y", place["offset"]))
                    self.client.close("p")

    def test_directory_moved(self):
        self.start(BUCKETS)
        for id in IDS:
            self.append(id)
        aside = os.path.join(self.server.directory, "aside")
        os.rename(self.directory, aside)
        names = sorted(records.bucket_files(aside))
        before = [self.contents(os.path.join(aside, name)) for name in names]
        self.assertEqual(len(IDS), sum(map(len, before)))
        for id in IDS:
            status, place = self.append(id)
            self.assertEqual(200, status, place)
            self.assertEqual((200, b"of " + id.encode()), self.get(id, place["offset"]))
        self.assertEqual(names, sorted(records.bucket_files(aside)))
        self.assertEqual(before, [self.contents(os.path.join(aside, name)) for name in names])
        self.assertEqual(len(IDS), sum(len(self.contents(self.file(n))) for n in range(BUCKETS)))

    def test_long_reply_goes_on_when_its_file_is_opened_anew(self):
        """It was open for reading and was closed because descriptors ran out; then it is appended
        to. It is still the same file."""
        self.start(1, "-workers", "1")
        value = os.urandom(20 << 20)
        offset = self.client.append("x", value, "p")
        self.client.close("p")
        sock = self.server.connect(receive_buffer=4096)
        self.addCleanup(sock.close)
        sock.sendall(harness.request_bytes("GET", "/get?id=x&storagePrefix=p&offset=%d" % offset))
        got = bytearray(sock.recv(4096))
        prefixes = ("q%d" % n for n in itertools.count())

        def evicted():  # and not opened again: the client's socket buffer is full by now
            self.server.fail("openat", errno.EMFILE)
            self.client.append("x", b"other", next(prefixes))
            return self.file(0) not in self.server.open_files()
        harness.wait_for(evicted, "the file to be closed")
        self.server.heal()
        self.assertEqual(200, self.append()[0])
        head = got.index(b"\r\n\r\n") + 4
        while len(got) < head + len(value):
            data = sock.recv(1 << 20)
            self.assertNotEqual(b"", data)
            got += data
        self.assertTrue(got[head:] == value)


class Replies(Case):
    def test_synced_appends_go_on_after_their_prefix_was_deleted(self):
        """No sync has failed, so no append is refused."""
        self.start(1, "-sync", "always")
        for _ in range(5):
            status, place = self.append()
            self.assertEqual((200, 0), (status, place["offset"]), place)
            self.assertEqual({0: b"of x"}, self.contents(self.file(0)))
            shutil.rmtree(self.directory)
        self.server.stop()  # its log is complete
        self.assertNotIn("could not be synced", self.server.log())

    def test_first_synced_append_after_its_prefix_was_deleted(self):
        """Its directory has to be opened to be synced. Each openat fails once as well."""
        self.start(1, "-workers", "1")
        nth = seen = 0
        while seen >= nth:
            nth += 1
            self.assertEqual(200, self.append()[0])
            shutil.rmtree(self.directory)
            self.server.fail("openat", errno.EIO, nth)
            status, text = self.append(sync=1)
            seen = self.server.seen("openat")
            self.server.heal()
            if status != 200:
                self.assertEqual((500, True), (status, b"Input/output error" in text), text)
                status, place = self.append(sync=1)
                self.assertEqual(200, status, place)
            self.assertEqual((200, b"of x"), self.get("x", 0))
            self.client.close("p")
            shutil.rmtree(self.directory)
        self.assertGreater(nth, 5)
        self.server.stop()  # its log is complete; but for the replies of 500 that were expected
        self.assertNotRegex(self.server.log(), r"(?m)^\S+ \S+ (?!500: |\d+ more ).*could not be synced")

    def test_file_system_that_has_become_read_only(self):
        self.start(1)
        self.append()
        self.server.fail("pwritev", errno.EROFS)
        status, text = self.append()
        self.assertEqual((500, True), (status, text.startswith(b"Read-only file system: ")), text)
        self.server.heal()
        self.assertEqual(200, self.append()[0])


if __name__ == "__main__":
    suite.main()
