"""src/deploy/follow.py: what it copies is what the source has, whatever is stopped or killed
meanwhile, a server with -read-only answers from it, and it stops when the source is not what it was.
"""
import contextlib
import os
import re
import shutil
import sys
import threading
import unittest
import uuid

import harness
import process
import records

FOLLOW = os.path.join(os.environ["SOURCE_DIR"], "src", "deploy", "follow.py")
BUCKETS = 3
ANSWERS = 50


class Follower:
    """A process. Use as a context manager."""

    def __init__(self, source, root):
        self.source, self.root = source, root
        self.start()

    def start(self):
        log_path = os.path.join(self.source.directory, "follower " + uuid.uuid4().hex)
        self.process = process.Process(
            [sys.executable, "-B", FOLLOW, "http://127.0.0.1:%d" % self.source.port, "p", self.root],
            log_path)

    def kill(self):
        self.process.popen.kill()
        self.process.popen.wait(harness.TIMEOUT_SECONDS)

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        if self.process.popen.poll() is None:
            self.kill()
        if kind is not None:
            print(self.process.log())


class Load(threading.Thread):
    """Appends until it is told to end or the server is gone. stored: {offset: value}, of one id."""

    def __init__(self, server, id, size):
        super().__init__()
        self.server, self.id, self.size = server, id, size
        self.stored, self.ends = {}, threading.Event()

    def run(self):
        with contextlib.suppress(OSError, harness.http.client.HTTPException, AssertionError), \
                self.server.client() as client:
            while not self.ends.is_set():
                value = b"%s %d %s" % (self.id.encode(), len(self.stored), os.urandom(self.size))
                self.stored[client.append(self.id, value, "p")] = value


class TestCase(unittest.TestCase):
    def setUp(self):
        self.source = self.enterContext(harness.Server("-buckets", "%d" % BUCKETS))
        self.source.flags += ["-bind", "127.0.0.1:%d" % self.source.port]  # of the next starts
        self.client = self.enterContext(self.source.client())
        self.copy = os.path.join(self.source.directory, "copy")

    def follow(self):
        return self.enterContext(Follower(self.source, self.copy))

    def files(self, root):
        """{name: bytes}"""
        directory = os.path.join(root, "p")
        found = {}
        for name in os.listdir(directory) if os.path.isdir(directory) else ():
            with contextlib.suppress(FileNotFoundError), \
                    open(os.path.join(directory, name), "rb") as file:  # it may be renamed
                found[name] = file.read()
        return found

    def wait_until_equal(self):
        harness.wait_for(lambda: self.files(self.copy) == self.files(self.source.root), "the copy")


class Copies(TestCase):
    def setUp(self):
        super().setUp()
        self.stored = []  # (id, offset, value)

    def load(self, end):
        """Some appends of each id, and what ends them."""
        loads = [Load(self.source, "id %d" % number, size)
                 for number, size in enumerate((10, 500, 20000))]
        for load in loads:
            load.start()
        harness.wait_for(lambda: all(len(load.stored) >= ANSWERS for load in loads), "appends")
        end()
        for load in loads:
            load.ends.set()
            load.join(harness.TIMEOUT_SECONDS)
            self.stored += [(load.id, *each) for each in load.stored.items()]

    def check_reader(self, client, all_are_there):
        for id, offset, value in self.stored if all_are_there else self.stored[::10]:
            status, _, body = client.request("GET", "/get", id=id, offset=offset,
                                             storagePrefix="p")
            if all_are_there or status != 404:
                self.assertEqual((200, value), (status, body))

    def test_a_source_and_a_follower_that_are_stopped_and_killed(self):
        self.client.append("id 0", b"first", "p")
        follower = self.follow()
        os.makedirs(self.copy, exist_ok=True)
        reader = self.enterContext(harness.Server("-read-only", root=self.copy))
        reading = self.enterContext(reader.client())

        def kill_follower():
            follower.kill()
            follower.start()
        for end in (self.source.kill, self.source.stop, kill_follower, lambda: None):
            self.load(end)
            self.check_reader(reading, False)
            if self.source.process.poll() is not None:
                self.source.start()
        self.wait_until_equal()
        self.check_reader(reading, True)
        self.assertIsNone(follower.process.popen.poll(), follower.process.log())
        self.assertEqual("", follower.process.log())

    def test_what_a_crash_has_left_of_a_record_is_cut_off(self):
        for number in range(20):
            self.client.append("id %d" % number, b"value %d" % number, "p")
        follower = self.follow()
        self.wait_until_equal()
        follower.kill()
        self.client.append("id 0", b"next", "p")
        record = records.encode(b"torn")
        for number, tail in enumerate((record[:7], record[:-1], bytes(5000))):
            with open(os.path.join(self.copy, "p", "append.%d.raw" % number), "ab") as file:
                file.write(tail)
        follower.start()
        self.wait_until_equal()

    def test_slots_are_copied(self):
        source = self.enterContext(harness.Server("-buckets", "1", "-slots", "0-4095/4096"))
        self.enterContext(source.client()).append("x", b"value", "p")
        self.enterContext(Follower(source, self.copy))
        harness.wait_for(lambda: self.files(self.copy) == self.files(source.root), "the copy")
        self.assertIn(b"slots 0-4095/4096\n", self.files(self.copy)["MANIFEST"])


class Stops(TestCase):
    """Loudly, and with the copy as it was."""

    def setUp(self):
        super().setUp()
        self.values = {self.client.append("x", b"value %d" % number, "p"): b"value %d" % number
                       for number in range(3)}
        self.path, = (os.path.join(self.source.root, "p", name)
                      for name, data in self.files(self.source.root).items() if b"value" in data)

    def check_stops(self, follower, words):
        self.assertEqual(1, follower.process.popen.wait(harness.TIMEOUT_SECONDS))
        lines = follower.process.log().splitlines()
        self.assertTrue(lines)
        for line in lines:  # one of each bucket at most
            self.assertRegex(line, r"\Afollow\.py: .*(%s).*; the copy stays as it is\Z" % words)

    def test_when_records_are_lost_or_are_others(self):
        """As after a power cut of the source, which then goes on."""
        last, record = max(self.values), records.encode(b"other 2")
        with open(self.path, "rb") as file:
            whole = file.read()
        for lost, words in ((b"", "416 behind the end"),
                            (record, "409 the record before it is another one now"),
                            (record * 2, "409 the record before it is another one now")):
            with self.subTest(words):
                shutil.rmtree(self.copy, ignore_errors=True)
                follower = self.follow()
                self.wait_until_equal()
                follower.kill()
                before = self.files(self.copy)
                self.source.kill()
                with open(self.path, "wb") as file:
                    file.write(whole[:last] + lost)
                self.source.start()
                follower.start()
                self.check_stops(follower, words)
                self.assertEqual(before, self.files(self.copy))
                self.source.kill()
                with open(self.path, "wb") as file:
                    file.write(whole)
                self.source.start()

    def test_when_the_source_loses_them_meanwhile(self):
        follower = self.follow()
        self.wait_until_equal()
        self.source.kill()
        with open(self.path, "r+b") as file:
            file.truncate(max(self.values))
        self.source.start()
        self.check_stops(follower, "416 behind the end")

    def make_anew(self, buckets):
        self.source.kill()
        shutil.rmtree(os.path.join(self.source.root, "p"))
        self.source.flags[1] = "%d" % buckets
        self.source.start()
        with self.source.client() as client:
            for number in range(40):
                client.append("id %d" % number, b"of the new prefix", "p")

    def test_when_the_prefix_is_made_anew(self):
        follower = self.follow()
        self.wait_until_equal()
        before = self.files(self.copy)
        self.make_anew(BUCKETS + 2)
        self.check_stops(follower, "404|409|416|made .* anew")  # 404: before its first append
        self.assertEqual(before, self.files(self.copy))
        follower.start()
        self.check_stops(follower, "MANIFEST is not that of the source")

    def test_when_nothing_was_copied_of_a_prefix_that_is_made_anew(self):
        for name in self.files(self.source.root):
            if name.endswith(".raw"):
                os.truncate(os.path.join(self.source.root, "p", name), 0)
        self.client.close("p")
        follower = self.follow()
        self.wait_until_equal()
        self.make_anew(BUCKETS + 2)
        self.check_stops(follower, "the source has made .* anew")
        self.assertEqual({b""}, {data for name, data in self.files(self.copy).items()
                                 if name.endswith(".raw")})

    def test_when_the_source_is_damaged(self):
        with open(self.path, "r+b") as file:
            file.seek(sorted(self.values)[1])
            file.write(b"damage")
        self.check_stops(self.follow(), "is damaged at %d: repair the source"
                         % sorted(self.values)[1])

    def test_when_there_is_no_such_prefix(self):
        self.source.kill()
        shutil.rmtree(os.path.join(self.source.root, "p"))
        self.source.start()
        self.check_stops(self.follow(), "404 no such storagePrefix")

    def test_when_there_is_no_room(self):
        os.makedirs(os.path.join(self.copy, "p"))
        for number in range(BUCKETS):
            os.symlink("/dev/full", os.path.join(self.copy, "p", "append.%d.raw" % number))
        self.check_stops(self.follow(), "No space left|Invalid argument")


if __name__ == "__main__":
    unittest.main()
