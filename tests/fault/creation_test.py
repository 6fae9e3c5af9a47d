"""SIGKILL while the files of a prefix are being made, and a restart with another -buckets; requests
to other prefixes meanwhile.

The files are made from the highest-numbered down, and MANIFEST last. As long as there is one file
their number is known; with none the new flag counts. Nothing is answered before MANIFEST is there.
"""
import http.client
import json
import os
import tempfile
import time
import unittest

import faults
import harness
import records

BUCKETS = 4000
# In memory if possible: ext4 can take seconds for 4000 files when many were deleted before.
ROOTS = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None


class Creation(unittest.TestCase):
    def setUp(self):
        root = tempfile.TemporaryDirectory(prefix="rochefort-creation-", dir=ROOTS)
        self.addCleanup(root.cleanup)
        self.server = self.enterContext(harness.Server("-buckets", str(BUCKETS), root=root.name))

    def files(self):
        """The bucket files. MANIFEST may be there only if all of them are."""
        try:
            names = os.listdir(os.path.join(self.server.root, self.prefix))
        except FileNotFoundError:
            return []
        files = [name for name in names if name.startswith("append.")]
        self.assertTrue("MANIFEST" not in names or len(files) == BUCKETS, len(files))
        return files

    def kill_at(self, least):
        """Creates the prefix and kills the server once `least` files exist. Returns how many exist
        then, and whether the append that creates the prefix was answered."""
        path = os.path.join(self.server.root, self.prefix)
        if least > 0:
            path = os.path.join(path, "append.%d.raw" % (BUCKETS - least))
        sock = self.server.connect()
        self.addCleanup(sock.close)
        sock.sendall(harness.request_bytes(
            "POST", "/append?id=first&storagePrefix=" + self.prefix, b"first"))
        limit = time.monotonic() + harness.TIMEOUT_SECONDS
        while not os.path.exists(path):
            self.assertLess(time.monotonic(), limit, "the files are not made")
        self.server.kill()
        try:
            answered = harness.receive_reply(sock)[0] == 200
        except (OSError, AssertionError):  # reset, or closed without a reply
            answered = False
        files = self.files()
        self.assertEqual({"append.%d.raw" % (BUCKETS - 1 - n) for n in range(len(files))},
                         set(files))
        return len(files), answered

    def restart(self, buckets):
        self.server.flags = ["-buckets", str(buckets)]
        self.server.start()

    def check_read(self, answered, there, close=False):
        """What a read finds before anything is appended; it creates nothing."""
        with self.server.client() as client:
            status, _, body = client.request("GET", "/get", id="first", offset=0,
                                             storagePrefix=self.prefix)
            if answered or status == 200:
                self.assertEqual((200, b"first", BUCKETS), (status, body, there))
            else:
                self.assertEqual(404, status, body)
            for number in range(20):
                status, _, body = client.request("GET", "/get", id="id %d" % number, offset=0,
                                                 storagePrefix=self.prefix)
                self.assertIn(status, (404, 200) if there == BUCKETS else (404,))
                self.assertTrue(status == 404 or body == b"first", body)
            if close:
                client.close(self.prefix)
        self.assertEqual(there, len(self.files()))

    def check_append(self, buckets):
        """Appends work, and the number of files is right, also after restarts."""
        stored = {}
        for other in (3, 5000, None):
            with self.server.client() as client:
                for number in range(50):
                    id, value = "id %d" % number, b"%d of %d" % (len(stored), number)
                    status, _, body = client.request("POST", "/append", value, id=id,
                                                     storagePrefix=self.prefix)
                    self.assertEqual(200, status, body)
                    reply = json.loads(body)
                    key = (os.path.basename(reply["file"]), reply["offset"])
                    self.assertNotIn(key, stored)
                    stored[key] = (id, value)
                for (_, offset), (id, value) in stored.items():
                    self.assertEqual(value, client.get(id, offset, self.prefix))
            if other:
                self.server.kill()
                self.restart(other)
        found = records.decode_prefix(self.server.root, self.prefix)
        self.assertEqual({"append.%d.raw" % n for n in range(buckets)}, set(found))
        count = sum(len(file) for file in found.values())
        for (name, offset), (_, value) in stored.items():
            self.assertEqual(value, found[name][offset][1])
        self.assertIn(count - len(stored), (0, 1))  # the first append may be stored unanswered

    def test_killed_at_many_points(self):
        cut = 0
        points = (0, 1, 2, 500, 1500, 2500, 3500, BUCKETS - 1, BUCKETS)
        for number, point in enumerate(points):
            self.prefix = "p%d" % number
            there, answered = self.kill_at(point)
            cut += 0 < there < BUCKETS
            other = (1, 7, 128, 5000)[number % 4]
            self.restart(other)
            self.check_read(answered, there)
            self.check_append(BUCKETS if there else other)
            self.server.kill()
            self.restart(BUCKETS)
        print("killed %d times with a part of the files made" % cut)
        self.assertGreater(cut, 0)

    def kill_again_and_again(self):
        """Returns how many files existed at each kill, without a kill that came too late."""
        seen = []
        for number, point in enumerate((1, 500, 1200, 2000, 2800, 3500, 3990)):
            there, answered = self.kill_at(max([point] + [n + 1 for n in seen]))
            self.restart((7, 5000, 1)[number % 3])
            # with a close: an append to an open prefix creates files only if its own is missing
            self.check_read(answered, there, close=True)
            if there == BUCKETS:
                break
            seen.append(there)
        self.check_append(BUCKETS)
        return seen

    def test_killed_again_and_again(self):
        """Each server continues where the one before was killed, whatever its own -buckets."""
        for attempt in range(5):  # on a busy machine the first kill may come too late
            self.prefix = "p%d" % attempt
            seen = self.kill_again_and_again()
            print("killed with %s files made" % seen)
            if len(seen) > 1:
                return
            self.server.kill()
            self.restart(BUCKETS)
        self.fail("no creation was cut short twice")


class Steps(unittest.TestCase):
    """The files are made in steps, and other prefixes are served between them."""

    BUCKETS, STEP = 65536, 64

    def test_a_prefix_of_65536_files_holds_nobody_up(self):
        root = self.enterContext(tempfile.TemporaryDirectory(prefix="rochefort-creation-",
                                                             dir=ROOTS))
        records.write_bucket(root, "other", [b"v"])
        with harness.Server("-buckets", str(self.BUCKETS), "-workers", "1",
                            root=root) as server, server.client() as client:
            client.append("x", b"v", "other")
            first = server.bucket("new", self.BUCKETS - 1)
            last = server.bucket("new", 0)
            creating = self.enterContext(server.send(
                "POST", "/append?id=x&storagePrefix=new", b"value"))
            harness.wait_for(lambda: os.path.exists(first), "the first file")
            self.assertFalse(os.path.exists(last))
            answered = 0
            while not os.path.exists(last):
                client.append("x", b"v", "other")
                answered += 1
            print("%d appends were answered while %d files were made" % (answered, self.BUCKETS))
            self.assertEqual(200, harness.receive_reply(creating)[0])
            self.assertEqual(self.BUCKETS, len(records.bucket_files(
                os.path.join(root, "new"))))
        # at best one a step; the client has a core less than it needs now and then
        self.assertGreater(answered, self.BUCKETS / self.STEP / 20)


class EveryCall(unittest.TestCase):
    """The server is killed before each call to the kernel that makes a prefix."""
    CALLS = ("mkdirat", "openat", "fstat", "pread", "unlinkat", "fremovexattr", "pwrite",
             "renameat")
    FEW = 3

    def append(self, prefix):
        """Whether it was answered."""
        try:
            with self.server.client() as client:
                return client.append("first", b"first", prefix) == 0
        except (http.client.HTTPException, OSError):
            return False

    def listing(self, prefix):
        try:
            return set(os.listdir(os.path.join(self.server.root, prefix)))
        except FileNotFoundError:
            return set()

    def check(self, prefix, killed_with):
        """What the next server makes of what the killed one has left."""
        files = {name for name in killed_with if name.startswith("append.")}
        buckets = self.FEW if files else self.FEW + 2
        if "MANIFEST" in killed_with:
            self.assertEqual({"append.%d.raw" % n for n in range(self.FEW)}, files)
        with self.server.client() as client:
            status, _, body = client.request("GET", "/get", id="first", offset=0,
                                             storagePrefix=prefix)
            self.assertEqual(404, status, body)
            for id in ("a", "b", "first"):
                offset = client.append(id, id.encode(), prefix)
                self.assertEqual(id.encode(), client.get(id, offset, prefix))
        self.assertEqual({"append.%d.raw" % n for n in range(buckets)} | {"MANIFEST"},
                         self.listing(prefix))
        with open(os.path.join(self.server.root, prefix, "MANIFEST")) as file:
            self.assertEqual(records.manifest(buckets), file.read())

    def test_killed_before_each_call(self):
        self.server = self.enterContext(faults.Server("-buckets", str(self.FEW)))
        kills = 0
        for call in self.CALLS:
            for nth in range(1, 100):
                prefix = "%s.%d" % (call, nth)
                self.server.kill_at(call, nth)
                answered = self.append(prefix)
                self.server.heal()
                if answered:
                    break
                self.server.process.wait(harness.TIMEOUT_SECONDS)
                kills += 1
                left = self.listing(prefix)
                self.server.flags = ["-buckets", str(self.FEW + 2)]
                self.server.start()
                self.check(prefix, left)
                self.server.kill()
                self.server.flags = ["-buckets", str(self.FEW)]
                self.server.start()
            else:
                self.fail("%s is called again and again" % call)
        print("killed before %d calls" % kills)
        self.assertGreater(kills, 20)


if __name__ == "__main__":
    unittest.main()
