"""The lock file is removed or replaced under a running server: it notices before it writes again,
and ends with exit status 4. Of two servers that are started at once exactly one serves.
"""
import errno
import os
import re
import threading
import unittest

import faults
import harness
import process
import records

ROUNDS = int(os.environ.get("ROCHEFORT_LOCK_ROUNDS", "20"))
ROOT_LOST = 4
LOST = rb"\Athe server has lost its lock of the root and writes nothing any more: [ -~]+\n\Z"
VALUE = b"value"
# So many appends of each server are enough to see who wrote what.
APPENDS = 200


def lock_of(server):
    return os.path.join(server.root, ".rochefort.lock")


def remove(server):
    os.unlink(lock_of(server))


def move(server):
    os.rename(lock_of(server), lock_of(server) + ".moved")


def replace(server):
    other = os.path.join(server.directory, "other")
    with open(other, "w"):
        pass
    os.rename(other, lock_of(server))


def link(server):
    move(server)
    os.symlink(".rochefort.lock.moved", lock_of(server))


LOSSES = ((remove, "it was removed"), (move, "it was removed"),
          (replace, "another file has its name now"), (link, "another file has its name now"))


class Lost(unittest.TestCase):
    def start(self, *flags, **options):
        return self.enterContext(faults.Server("-buckets", "1", "-workers", "1", *flags,
                                               expect_exit=ROOT_LOST, **options))

    def client(self, server):
        return self.enterContext(server.client())

    def check_ends(self, server, why):
        """By itself, with one line that says why."""
        self.assertEqual(ROOT_LOST, server.process.wait(harness.TIMEOUT_SECONDS), server.log())
        lines = [line for line in server.log().splitlines() if "is lost" in line]
        self.assertEqual(1, len(lines), server.log())
        self.assertRegex(lines[0], r"lock of the root is lost: %s: %s; .*stopping\Z"
                         % (re.escape(lock_of(server)), why))

    def check_refused(self, client, prefix="p", **parameters):
        status, _, text = client.request("POST", "/append", b"lost", id="x", storagePrefix=prefix,
                                         **parameters)
        self.assertEqual(500, status)
        self.assertRegex(text, LOST)

    def test_the_next_append_is_refused_and_the_server_ends(self):
        for lose, why in LOSSES:
            for sync in (None, 1):
                with self.subTest(lose.__name__, sync=sync):
                    server = self.start()
                    client = self.client(server)
                    client.append("x", VALUE, "p")
                    lose(server)
                    for _ in range(20):  # nothing is written, so it does not matter
                        self.assertEqual(VALUE, client.get("x", 0, "p"))
                    client.close("p")
                    self.assertIsNone(server.process.poll())
                    self.check_refused(client, sync=sync)
                    self.check_ends(server, why)
                    self.assertEqual({0: VALUE}, records.values(server.bucket("p")))

    def test_an_unreadable_lock_file_is_lost(self):
        """EINTR alone says nothing about it."""
        for error in (errno.ENOTCONN, errno.ESTALE, errno.EIO, errno.EACCES):
            with self.subTest(error):
                server = self.start()
                client = self.client(server)
                server.fail("statx_lock", errno.EINTR, times=3)
                client.append("x", VALUE, "p")
                self.assertGreater(server.seen("statx_lock"), 3)
                server.fail("statx_lock", error)
                self.check_refused(client)
                self.assertEqual(1, server.seen("statx_lock"))
                self.check_ends(server, os.strerror(error))
                self.assertEqual({0: VALUE}, records.values(server.bucket("p")))

    def test_no_prefix_is_made(self):
        server = self.start()
        client = self.client(server)
        remove(server)
        self.check_refused(client, "new")
        self.check_ends(server, "it was removed")
        self.assertEqual([], os.listdir(server.root))

    def test_the_making_of_a_prefix_ends(self):
        files = 65536
        server = self.start("-buckets", "%d" % files)
        sock = self.enterContext(server.send("POST", "/append?id=x&storagePrefix=p", VALUE))
        directory = os.path.join(server.root, "p")
        harness.wait_for(lambda: os.path.exists(directory) and os.listdir(directory), "files")
        remove(server)
        status, _, text = harness.receive_reply(sock)
        self.assertEqual(500, status)
        self.assertRegex(text, LOST)
        self.check_ends(server, "it was removed")
        self.assertLess(len(os.listdir(directory)), files)

    def test_a_root_that_was_deleted_is_lost(self):
        server = self.start()
        client = self.client(server)
        remove(server)
        os.rmdir(server.root)
        self.check_refused(client)
        self.check_ends(server, "it was removed")
        self.assertFalse(os.path.exists(server.root))

    def test_appends_under_way_are_refused(self):
        """The write that has begun goes on; those that wait for it are refused."""
        server = self.start(hold=True)
        self.client(server).append("x", VALUE, "p")
        server.hold_disk()
        target = "/append?id=x&storagePrefix=p"
        first = self.enterContext(server.send("POST", target, VALUE))
        harness.wait_for(server.disk_is_waiting, "the write")
        waiting = [self.enterContext(server.send("POST", target, b"lost")) for _ in range(10)]
        with server.client() as client:  # accepted after them, so they have been read
            self.assertEqual(404, client.request("GET", "/none")[0])
        remove(server)
        server.release_disk()
        self.assertEqual(200, harness.receive_reply(first)[0])
        for sock in waiting:
            status, _, text = harness.receive_reply(sock)
            self.assertEqual(500, status)
            self.assertRegex(text, LOST)
        self.check_ends(server, "it was removed")
        self.assertEqual([VALUE, VALUE], list(records.values(server.bucket("p")).values()))

    def test_the_lock_is_looked_at_before_each_write_that_is_synced(self):
        """The sync of a bucket may take its time, and its next appends wait for it."""
        server = self.start(hold=True)
        target = "/append?id=a&storagePrefix=p&sync=1"
        server.hold_sync()
        first = self.enterContext(server.send("POST", target, VALUE))
        harness.wait_for(server.sync_is_waiting, "the sync")
        second = self.enterContext(server.send("POST", target, VALUE))
        with server.client() as client:
            self.assertEqual(404, client.request("GET", "/none")[0])
        remove(server)
        server.release_disk()
        self.assertEqual(200, harness.receive_reply(first)[0])
        status, _, text = harness.receive_reply(second)
        self.assertEqual(500, status)
        self.assertRegex(text, LOST)
        self.check_ends(server, "it was removed")
        self.assertEqual([VALUE], list(records.values(server.bucket("p")).values()))

    def test_a_failed_sync_takes_nothing_back(self):
        """Another server may have written behind it meanwhile."""
        server = self.start(hold=True)
        self.client(server).append("x", VALUE, "p")
        server.hold_sync()
        sock = self.enterContext(server.send("POST", "/append?id=x&storagePrefix=p&sync=1", VALUE))
        harness.wait_for(server.sync_is_waiting, "the sync")
        remove(server)
        with open(server.bucket("p"), "ab") as file:
            file.write(records.encode(b"of another server"))
        server.fail("fdatasync", errno.EIO)
        server.release_disk()
        self.assertEqual(500, harness.receive_reply(sock)[0])
        self.check_ends(server, "it was removed")
        self.assertEqual([VALUE, VALUE, b"of another server"],
                         list(records.values(server.bucket("p")).values()))

    def test_owed_syncs_are_made(self):
        server = self.start("-sync", "interval:3600000")
        client = self.client(server)
        client.append("x", VALUE, "p")
        self.assertEqual(0, server.seen("fdatasync"))
        remove(server)
        self.check_refused(client)
        self.check_ends(server, "it was removed")
        self.assertEqual(1, server.seen("fdatasync"))

    def test_once_a_round_and_not_once_an_append(self):
        server = self.enterContext(faults.Server("-buckets", "1", "-workers", "1", hold=True))
        client = self.client(server)
        client.append("x", VALUE, "p")
        server.heal()
        for _ in range(100):
            client.get("x", 0, "p")
        self.assertEqual(0, server.seen("statx_lock"))
        for _ in range(100):
            client.append("x", VALUE, "p")
        self.assertEqual(100, server.seen("statx_lock"))
        server.hold_disk()
        target = "/append?id=x&storagePrefix=p"
        first = self.enterContext(server.send("POST", target, VALUE))
        harness.wait_for(server.disk_is_waiting, "the write")
        waiting = [self.enterContext(server.send("POST", target, VALUE)) for _ in range(50)]
        with server.client() as other:
            self.assertEqual(404, other.request("GET", "/none")[0])
        server.heal()
        server.release_disk()
        for sock in [first] + waiting:
            self.assertEqual(200, harness.receive_reply(sock)[0])
        self.assertEqual(1, server.seen("statx_lock"))


class Appender(threading.Thread):
    """Appends until it is refused or has done so `limit` times. `stored`: {offset: value}."""

    def __init__(self, server, name, limit=None):
        super().__init__()
        self.server, self.name_of, self.limit = server, name, limit
        self.stored, self.refused = {}, None

    def run(self):
        with self.server.client() as client:
            while self.limit is None or len(self.stored) < self.limit:
                value = b"%s %d" % (self.name_of, len(self.stored))
                status, _, body = client.request("POST", "/append", value, id="x",
                                                 storagePrefix="p")
                if status != 200:
                    self.refused = status, body
                    return
                self.stored[int(re.search(rb'"offset":(\d+)', body).group(1))] = value


class TwoServers(unittest.TestCase):
    def test_after_the_lock_file_was_deleted_only_the_second_server_writes(self):
        """All appends that either has answered read back."""
        for _ in range(3):
            with harness.Server("-buckets", "1", expect_exit=ROOT_LOST) as first:
                before = Appender(first, b"first")
                before.start()
                harness.wait_for(lambda: len(before.stored) > APPENDS, "appends")
                remove(first)
                with harness.Server(root=first.root) as second:
                    after = Appender(second, b"second", APPENDS)
                    after.run()
                    before.join(harness.TIMEOUT_SECONDS)
                    self.assertEqual(500, before.refused[0])
                    self.assertEqual(ROOT_LOST, first.process.wait(harness.TIMEOUT_SECONDS))
                    self.assertIsNone(after.refused)
                    self.assertFalse(before.stored.keys() & after.stored.keys())
                    stored = {**before.stored, **after.stored}
                    with second.client() as client:
                        for offset, value in stored.items():
                            self.assertEqual(value, client.get("x", offset, "p"))
                self.assertEqual(stored, records.values(first.bucket("p")))

    def test_of_two_that_are_started_at_once_one_serves(self):
        with harness.Server() as server:
            root = server.root
            server.kill()
            for number in range(ROUNDS):
                self.start_two(server, root, number)
            server.start()

    def start_two(self, server, root, number):
        log_paths = [os.path.join(server.directory, "log %d %d" % (number, i)) for i in (0, 1)]
        two = [process.Process([harness.BINARY, "-bind", "127.0.0.1:0", "-buckets", "1", "-root",
                                root], path) for path in log_paths]
        try:
            harness.wait_for(lambda: all(one.popen.poll() is not None or re.search(
                process.START_LINE, one.log()) for one in two), "both to start or to end")
            ended = [one for one in two if one.popen.poll() is not None]
            self.assertEqual(1, len(ended), [one.log() for one in two])
            self.assertEqual(1, ended[0].popen.returncode)
            self.assertRegex(ended[0].log(), r"\A[^\n]*another rochefort is using it\n\Z")
            (serving,) = [one for one in two if one is not ended[0]]
            with harness.Client(int(re.search(process.START_LINE,
                                              serving.log()).group(1))) as client:
                offset = client.append("x", b"%d" % number, "p")
                self.assertEqual(b"%d" % number, client.get("x", offset, "p"))
            serving.signal()
            self.assertEqual(0, serving.popen.wait(harness.TIMEOUT_SECONDS))
        finally:
            for one in two:
                if one.popen.poll() is None:
                    one.popen.kill()
                    one.popen.wait(harness.TIMEOUT_SECONDS)


if __name__ == "__main__":
    unittest.main()
