"""Synced appends: answered after fdatasync has returned and not before, those that wait together
share one, and a sync that has failed is never retried."""
import errno
import json
import os
import re
import unittest

import faults
import harness
import synced
from synced import NAMES, RECORD_BYTES, REFUSED, VALUE


class Order(synced.TestCase):
    def test_the_reply_comes_after_the_sync(self):
        for flags, sync in ((("-sync", "always"), None), (("-sync", "always"), 0),
                            (("-sync", "interval:3600000"), 1), ((), 1)):
            with self.subTest(flags=flags, sync=sync):
                server = self.start(*flags)
                server.hold_sync()
                sock = self.send(server, sync)
                harness.wait_for(server.sync_is_waiting, "the sync")
                self.check_file(server, [0])  # it is written
                self.assertEqual(NAMES, server.seen("fsync"))  # and its name is synced
                self.assertFalse(harness.is_readable(sock))
                server.release_sync()
                self.assertEqual(200, harness.receive_reply(sock)[0])
                self.assertEqual(1, server.seen("fdatasync"))

    def test_appends_that_wait_share_a_sync_and_no_other_append_waits_for_it(self):
        server = self.start()
        client = self.client(server)
        self.assertEqual((200, 0), self.append(client))
        server.hold_disk()
        first = self.send(server)
        harness.wait_for(server.disk_is_waiting, "the write")
        synced, others = [], []
        for _ in range(20):  # the worker takes them together, once the disk is released
            synced.append(self.send(server, 1))
            others.append(self.send(server))
        self.wait_until_all_are_read(server)
        server.hold_sync()
        os.unlink(server.hold_file)
        offsets = []
        for sock in [first] + others:
            status, _, body = harness.receive_reply(sock)
            self.assertEqual(200, status)
            offsets.append(json.loads(body)["offset"])
        self.assertEqual([RECORD_BYTES * (1 + n) for n in range(21)], offsets)
        harness.wait_for(server.sync_is_waiting, "the sync")
        self.assertFalse(any(harness.is_readable(sock, 0) for sock in synced[:-1]))
        self.assertFalse(harness.is_readable(synced[-1]))
        server.release_disk()
        for number, sock in enumerate(synced):
            status, _, body = harness.receive_reply(sock)
            self.assertEqual((200, RECORD_BYTES * (22 + number)),
                             (status, json.loads(body)["offset"]))
        self.assertEqual(1, server.seen("fdatasync"))
        self.check_file(server, [RECORD_BYTES * n for n in range(42)])

    def test_sync_never_syncs_nothing(self):
        server = self.start()
        server.heal()  # the start syncs the directories that it has created
        client = self.client(server)
        for sync in (None, 0):
            for prefix in "pq":
                self.assertEqual(200, self.append(client, sync, prefix)[0])
        client.close("p")
        client.hang_up()
        self.assertEqual(0, server.stop())
        self.assertEqual((0, 0), (server.seen("fdatasync"), server.seen("fsync")))


# The status and the words are those of what happened, as without a sync.
SYNC_ERRORS = {
    errno.EIO: (500, os.strerror(errno.EIO)),
    errno.EINTR: (500, os.strerror(errno.EINTR)),
    errno.ENOSPC: (507, "disk full"),
    errno.EDQUOT: (507, "disk quota used up"),
    errno.ENOMEM: (503, "out of memory"),
}


class Failure(synced.TestCase):
    def test_every_sync_fails_once(self):
        """fdatasync, and each fsync: of the file, MANIFEST, the prefix's directory and the root."""
        for call, times in (("fdatasync", 3), ("fsync", 4)):
            for error in SYNC_ERRORS:
                nth = 0
                while True:
                    nth += 1
                    with self.subTest(call=call, error=errno.errorcode[error], nth=nth):
                        if not self.fail_nth(call, error, nth):
                            break
                self.assertEqual(times + 1, nth)

    def fail_nth(self, call, error, nth):
        """Returns whether there was an Nth call."""
        with faults.Server("-buckets", "1", "-workers", "1") as server, server.client() as client:
            server.fail(call, error, nth)
            offsets, failed = [], False
            for number in range(3):
                status, reply = self.append(client, 1)
                if status == 200:
                    offsets.append(reply)
                    continue
                failed = True
                wanted, meaning = SYNC_ERRORS[error]
                self.assertEqual(wanted, status)
                text = "could not be synced: %s: %s/default/append.0.raw\n" % (
                    meaning, server.root)
                self.assertEqual(text.encode(), reply)
                break
            self.check_file(server, offsets)  # without the append that failed
            self.assertEqual(failed, server.seen(call) == nth)
            if not failed:
                self.assertLess(server.seen(call), nth)
                return False
            self.assertEqual(nth, server.seen(call))
            line = (r"/default/append\.0\.raw: \w+( \w+)? could not be synced: "
                    + re.escape(os.strerror(error)))
            harness.wait_for(lambda: re.search(line, server.log()), "the line in the log")
            # the disk works again, and appends are still refused
            for _ in range(3):
                status, reply = self.append(client, 1)
                self.assertEqual(500, status)
                self.assertRegex(reply, REFUSED)
            self.assertEqual(nth, server.seen(call))
            status, offset = self.append(client, 0)
            self.assertEqual((200, len(offsets) * RECORD_BYTES), (status, offset))
            offsets.append(offset)
            for offset in offsets:
                self.assertEqual(VALUE, client.get("x", offset))
            client.close()
            status, reply = self.append(client, 1)
            if call == "fsync" and nth > 3:
                # a failed sync of the root is remembered until a restart, for all prefixes
                self.assertEqual(500, status)
                self.assertRegex(reply, REFUSED)
                status, reply = self.append(client, 1, "other")
                self.assertEqual((500, True), (status, b"an earlier sync" in reply), reply)
            else:
                self.assertEqual((200, len(offsets) * RECORD_BYTES), (status, reply))
                offsets.append(reply)
            self.check_file(server, offsets)
            server.kill()
            server.start()
            with server.client() as again:
                status, offset = self.append(again, 1)
                self.assertEqual(200, status)
                offsets.append(offset)
            self.check_file(server, offsets)
        return True

    def test_appends_that_share_a_sync_fail_together(self):
        server = self.start()
        client = self.client(server)
        self.assertEqual((200, 0), self.append(client))
        server.hold_disk()
        first = self.send(server)
        harness.wait_for(server.disk_is_waiting, "the write")
        synced = [self.send(server, 1) for _ in range(7)]
        other = self.send(server)
        self.wait_until_all_are_read(server)
        server.fail("fdatasync", errno.EIO)
        server.release_disk()
        for sock in synced:
            status, _, body = harness.receive_reply(sock)
            self.assertEqual((500, True), (status, body.startswith(b"could not be synced: ")))
        for sock in (first, other):
            self.assertEqual(200, harness.receive_reply(sock)[0])
        self.assertEqual(1, server.seen("fdatasync"))
        self.check_file(server, [0, RECORD_BYTES, 2 * RECORD_BYTES])

    def test_cutting_back_fails_too(self):
        server = self.start()
        client = self.client(server)
        self.assertEqual((200, 0), self.append(client, 1))
        server.fail("fdatasync", errno.EIO)
        server.fail("ftruncate", errno.EIO, times=faults.EVER)
        self.assertEqual(500, self.append(client, 1)[0])
        server.heal()
        status, reply = self.append(client)
        self.assertEqual((500, True), (status, b"takes no appends" in reply), reply)
        self.assertRegex(self.append(client, 1)[1], REFUSED)
        self.assertEqual(VALUE, client.get("x", 0))
        status, _, _ = client.request("GET", "/get", id="x", offset=RECORD_BYTES)
        self.assertEqual(404, status)
        client.close()
        self.assertEqual(200, self.append(client, 1)[0])

    def test_every_write_before_the_sync_fails_once(self):
        """A short write: whole records are synced and answered, the rest is truncated."""
        server = self.start("-sync", "always")
        client = self.client(server)
        self.assertEqual((200, 0), self.append(client))
        server.hold_disk()
        first = self.send(server)
        harness.wait_for(server.disk_is_waiting, "the write")
        socks = [self.send(server) for _ in range(3)]
        self.wait_until_all_are_read(server)
        server.fail("pwritev", errno.ENOSPC, 3, bytes=RECORD_BYTES + 3)  # of first, of the rest
        server.heal("fdatasync")
        server.release_disk()
        self.assertEqual(200, harness.receive_reply(first)[0])
        self.assertEqual([200, 507, 507], [harness.receive_reply(sock)[0] for sock in socks])
        self.assertEqual(2, server.seen("fdatasync"))
        self.check_file(server, [0, RECORD_BYTES, 2 * RECORD_BYTES])

    def test_without_a_descriptor_for_the_directory(self):
        """The Nth openat fails with EMFILE: another file is closed, and the append succeeds."""
        server = self.start("-buckets", "4")
        client = self.client(server)
        for id in "abcdefgh":
            client.append(id, b"there are files to be closed")
        nth = 0
        while True:
            nth += 1
            prefix = "p%d" % nth
            server.fail("openat", errno.EMFILE, nth)
            self.assertEqual((200, 0), self.append(client, 1, prefix))
            seen = server.seen("openat")
            server.heal()
            if seen < nth:
                break
        self.assertGreater(nth, 5)

    def test_no_descriptor_is_not_a_failed_sync(self):
        server = self.start()
        client = self.client(server)
        self.assertEqual((200, 0), self.append(client))
        server.fail("openat", errno.EMFILE, times=faults.EVER)
        status, reply = self.append(client, 1)
        self.assertEqual((500, True), (status, b"could not be synced: Too many" in reply), reply)
        server.heal()
        self.assertEqual((200, RECORD_BYTES), self.append(client, 1))


if __name__ == "__main__":
    unittest.main()
