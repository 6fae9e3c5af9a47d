"""Files that are lost, moved or swapped behind the server's back while others of their prefix are
there: an id is never asked of a file that is not its own, and no append goes to a file that a later
read would not look into."""
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
from capabilities import needs_extended_attributes

BUCKETS = 4
IDS = ["id%d" % n for n in range(40)]
NOTE = "user.rochefort.buckets"


class Case(unittest.TestCase):
    def start(self, buckets, *flags):
        self.server = self.enterContext(faults.Server("-buckets", str(buckets), *flags))
        self.client = self.enterContext(self.server.client())
        self.directory = os.path.join(self.server.root, "p")

    def file(self, bucket):
        return os.path.join(self.directory, "append.%d.raw" % bucket)

    def append(self, id="x", **parameters):
        """Status, and where it is or why not."""
        status, _, body = self.client.request("POST", "/append", b"of " + id.encode(), id=id,
                                              storagePrefix="p", **parameters)
        return status, json.loads(body) if status == 200 else body

    def get(self, id, offset):
        status, _, body = self.client.request("GET", "/get", id=id, offset=offset,
                                              storagePrefix="p")
        return status, body

    def contents(self, path):
        return {offset: value for offset, (_, value) in records.decode_file(path).items()}


@needs_extended_attributes
class OneOfSeveral(Case):
    def setUp(self):
        self.start(BUCKETS)
        self.places = {id: self.append(id)[1] for id in IDS}
        self.ids = {bucket: [id for id in IDS if self.places[id]["file"] == self.file(bucket)]
                    for bucket in range(BUCKETS)}
        self.assertTrue(all(self.ids.values()))
        os.getxattr(self.directory, NOTE)  # it was made

    def check_all(self):
        for id in IDS:
            self.assertEqual((200, b"of " + id.encode()), self.get(id, self.places[id]["offset"]))

    def test_before_the_prefix_is_opened(self):
        """Whichever it is: which of the others an id belongs to nobody would know."""
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

    def test_while_the_prefix_is_in_use(self):
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

    def test_verify_misses_it_too(self):
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

    def test_all_of_them(self):
        """Then there is nothing that could be taken for something else."""
        for bucket in range(BUCKETS):
            os.unlink(self.file(bucket))
        status, place = self.append()
        self.assertEqual((200, 0), (status, place["offset"]))
        self.assertEqual(BUCKETS, len(os.listdir(self.directory)))
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
        before = [self.contents(os.path.join(aside, name)) for name in sorted(os.listdir(aside))]
        self.assertEqual(len(IDS), sum(map(len, before)))
        for id in IDS:
            status, place = self.append(id)
            self.assertEqual(200, status, place)
            self.assertEqual((200, b"of " + id.encode()), self.get(id, place["offset"]))
        self.assertEqual(before, [self.contents(os.path.join(aside, name))
                                  for name in sorted(os.listdir(aside))])
        self.assertEqual(len(IDS), sum(len(self.contents(self.file(n))) for n in range(BUCKETS)))

    def test_long_reply_goes_on_when_its_file_is_opened_anew(self):
        """It was open for reading, given up for want of descriptors, and is appended to: it is
        still the same file."""
        self.start(1, "-workers", "1")
        value = os.urandom(20 << 20)
        offset = self.client.append("x", value, "p")
        self.client.close("p")
        sock = self.server.connect(receive_buffer=4096)
        self.addCleanup(sock.close)
        sock.sendall(harness.request_bytes("GET", "/get?id=x&storagePrefix=p&offset=%d" % offset))
        got = bytearray(sock.recv(4096))
        prefixes = ("q%d" % n for n in itertools.count())

        def given_up():  # and not taken up again: the client's socket is full by now
            self.server.fail("openat", errno.EMFILE)
            self.client.append("x", b"other", next(prefixes))
            return self.file(0) not in self.server.open_files()
        harness.wait_for(given_up, "the file to be given up")
        self.server.heal()
        self.assertEqual(200, self.append()[0])
        head = got.index(b"\r\n\r\n") + 4
        while len(got) < head + len(value):
            data = sock.recv(1 << 20)
            self.assertNotEqual(b"", data)
            got += data
        self.assertTrue(got[head:] == value)


class Told(Case):
    def test_synced_appends_go_on_after_their_prefix_was_deleted(self):
        """No sync has failed, so there is nothing to be refused for."""
        self.start(1, "-sync", "always")
        for _ in range(5):
            status, place = self.append()
            self.assertEqual((200, 0), (status, place["offset"]), place)
            self.assertEqual({0: b"of x"}, self.contents(self.file(0)))
            shutil.rmtree(self.directory)
        self.assertNotIn("could not be synced", self.server.log())

    def test_first_synced_append_after_their_prefix_was_deleted(self):
        """The names are looked for to be synced. The Nth openat on the way fails as well."""
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
        self.assertNotIn("could not be synced", self.server.log())

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
