"""A sync of one file that hangs: reads of it, and all that other files are asked for, go on."""
import json
import signal
import time
import unittest

import harness
import records
import synced
from synced import RECORD_BYTES, VALUE

THREADS = 4  # the default of -sync-threads
HUNG = "hung/append.0.raw"  # the end of the path of every file that hangs here
LAST_SYNC_SECONDS = 30  # how long a stop waits for a sync to end


class TestCase(synced.TestCase):
    def hang(self, server, *prefixes, kind="sync", path=HUNG):
        """Sends each prefix a synced append that does not come back."""
        server.hold_sync(path, kind)
        socks = [self.send(server, 1, prefix) for prefix in prefixes]
        harness.wait_for(lambda: server.sync_is_waiting(kind), "the sync")
        self.wait_until_all_are_read(server)
        return socks

    def check_reads_and_unsynced_appends(self, server, prefixes):
        with server.client() as client:
            for prefix in prefixes:
                status, offset = self.append(client, None, prefix)
                self.assertEqual(200, status)
                self.assertEqual(VALUE, client.get("x", offset, prefix))
                self.assertEqual(harness.split_multi(client.get_multi("x", [offset], prefix)),
                                 ([VALUE], None))

    def check_all_goes_on(self, server, *prefixes):
        """Reads, appends, synced appends to old and to new prefixes, closes."""
        self.check_reads_and_unsynced_appends(server, prefixes)
        with server.client() as client:
            for prefix in prefixes:
                self.assertEqual(200, self.append(client, 1, prefix)[0])
                client.close(prefix)
                self.assertEqual(200, self.append(client, 1, prefix)[0])

    def check_replies(self, socks, status=200):
        for sock in socks:
            self.assertEqual(status, harness.receive_reply(sock)[0])


class OneFile(TestCase):
    def test_all_else_goes_on(self):
        """With one worker, which has all the files."""
        server = self.start()
        client = self.client(server)
        for prefix in ("hung", "old"):
            self.assertEqual((200, 0), self.append(client, 1, prefix))
        socks = self.hang(server, "hung")
        self.check_all_goes_on(server, "old", "new")
        self.assertEqual(VALUE, client.get("x", 0, "hung"))  # reads of the file itself
        self.assertFalse(harness.is_readable(socks[0], 0))
        server.release_sync()
        self.check_replies(socks)
        self.check_file(server, [0, RECORD_BYTES], "hung")

    def test_appends_to_the_file_wait_and_share_the_next_sync(self):
        server = self.start()
        client = self.client(server)
        self.assertEqual((200, 0), self.append(client, 1, "hung"))
        socks = self.hang(server, "hung")
        waiting = [self.send(server, sync, "hung") for sync in (1, None, 1, 1, None)]
        self.wait_until_all_are_read(server)
        for sock in waiting:
            self.assertFalse(harness.is_readable(sock, 0.02))
        self.check_file(server, [0, RECORD_BYTES], "hung")  # nothing is written meanwhile
        server.heal("fdatasync")
        server.release_sync()
        self.check_replies(socks)
        offsets = []
        for sock in waiting:
            status, _, body = harness.receive_reply(sock)
            self.assertEqual(200, status)
            offsets.append(json.loads(body)["offset"] // RECORD_BYTES)
        self.assertEqual([4, 2, 5, 6, 3], offsets)  # those without a sync first
        self.assertEqual(2, server.seen("fdatasync"))  # the one that hung, one for the others
        self.check_file(server, [RECORD_BYTES * n for n in range(7)], "hung")

    def test_a_hung_sync_that_fails_takes_back_its_own_appends_only(self):
        """Those that have waited for it are written after that, and are not cut."""
        server = self.start()
        client = self.client(server)
        self.assertEqual((200, 0), self.append(client, 1, "hung"))
        server.fail("fdatasync", 5)
        failing = self.hang(server, "hung")
        unsynced = [self.send(server, None, "hung") for _ in range(3)]
        refused = self.send(server, 1, "hung")
        self.wait_until_all_are_read(server)
        server.release_sync()
        self.check_replies(failing + [refused], 500)
        offsets = []
        for sock in unsynced:
            status, _, body = harness.receive_reply(sock)
            self.assertEqual(200, status)
            offsets.append(json.loads(body)["offset"])
        self.assertEqual([RECORD_BYTES * n for n in (1, 2, 3)], offsets)
        self.check_file(server, [0] + offsets, "hung")

    def test_a_close_waits_for_it(self):
        server = self.start()
        with server.client() as client:
            for prefix in ("hung", "other"):
                self.assertEqual((200, 0), self.append(client, 1, prefix))
        socks = self.hang(server, "hung")
        close = self.enterContext(server.send("POST", "/close?storagePrefix=hung"))
        behind = self.send(server, None, "hung")
        self.check_all_goes_on(server, "other")
        for sock in (close, behind):
            self.assertFalse(harness.is_readable(sock, 0.02))
        server.release_sync()
        self.check_replies(socks + [close, behind])
        self.check_file(server, [0, RECORD_BYTES, 2 * RECORD_BYTES], "hung")


class Interval(TestCase):
    def test_all_else_goes_on(self):
        """In particular the syncs of other files that are owed."""
        server = self.start("-sync", "interval:1")
        client = self.client(server)
        server.hold_sync(HUNG)
        self.assertEqual((200, 0), self.append(client, None, "hung"))
        harness.wait_for(server.sync_is_waiting, "the sync")
        before = server.seen("fdatasync")
        for prefix in ("a", "b", "c"):
            self.assertEqual((200, 0), self.append(client, None, prefix))
            before += 1
            harness.wait_for(lambda: server.seen("fdatasync") >= before, "the sync of another")
        self.check_all_goes_on(server, "a", "new")
        self.assertEqual(VALUE, client.get("x", 0, "hung"))
        waiting = self.send(server, None, "hung")
        self.assertFalse(harness.is_readable(waiting, 0.05))
        server.release_sync()
        self.check_replies([waiting])

    def test_without_a_descriptor_others_are_closed_first(self):
        """And a file is opened although the only one that is open hangs."""
        server = self.start("-sync", "interval:3600000")
        client = self.client(server)
        for prefix in ("hung", "clean"):
            self.assertEqual((200, 0), self.append(client, None, prefix))
        self.assertEqual((200, RECORD_BYTES), self.append(client, 1, "clean"))
        server.fail("openat", 24, 2)  # EMFILE: the directory, then the file
        server.hold_sync(HUNG)
        self.assertEqual((200, 0), self.append(client, None, "more"))
        self.assertFalse(server.sync_is_waiting())
        self.assertEqual([], server.open_files("clean"))
        self.assertEqual(1, len(server.open_files("hung")))


class AllThreads(TestCase):
    def prefixes(self):
        return ["%dhung" % n for n in range(THREADS)]

    def test_reads_and_unsynced_appends_go_on(self):
        """As many hang as there are threads; a synced append waits until one is free."""
        server = self.start()
        with server.client() as client:
            for prefix in self.prefixes() + ["old"]:
                self.assertEqual((200, 0), self.append(client, 1, prefix))
        server.heal()
        socks = self.hang(server, *self.prefixes())
        self.check_reads_and_unsynced_appends(server, ["old", "new"])
        synced_append = self.send(server, 1, "old")
        self.assertFalse(harness.is_readable(synced_append))
        self.check_reads_and_unsynced_appends(server, ["new", "more"])
        server.release_sync()
        self.check_replies(socks + [synced_append])

    def test_one_thread_is_enough_while_none_hangs(self):
        server = self.start("-sync-threads", "1")
        self.check_all_goes_on(server, "a", "b")
        with server.client() as client:
            self.assertEqual((200, 0), self.append(client, 1, "0hung"))
        socks = self.hang(server, "0hung")
        self.check_reads_and_unsynced_appends(server, ["a", "new"])
        server.release_sync()
        self.check_replies(socks)


class Names(TestCase):
    """The syncs that make a new prefix one that is found again."""

    def test_a_file_that_hangs_takes_one_thread(self):
        """However many appends to its prefix wait for it: they may be to other buckets."""
        server = self.start("-buckets", "16", "-workers", "2")
        server.hold_sync(HUNG, "names")
        ids = ["id %d" % n for n in range(8 * THREADS)]
        socks = [self.send(server, 1, "hung", id.replace(" ", "%20")) for id in ids]
        harness.wait_for(lambda: server.sync_is_waiting("names"), "the sync")
        self.wait_until_all_are_read(server)
        self.check_all_goes_on(server, "other", "more")
        with server.client() as client:  # that prefix too, without a sync
            self.assertEqual(404, client.request("GET", "/get", id="x", offset=1,
                                                 storagePrefix="hung")[0])
        for sock in socks:
            self.assertFalse(harness.is_readable(sock, 0))
        server.release_sync()
        self.check_replies(socks)

    def test_the_root_that_hangs_takes_one_thread(self):
        """Old prefixes are not affected, and new ones can be used without a sync."""
        server = self.start()
        with server.client() as client:
            self.assertEqual((200, 0), self.append(client, 1, "old"))
        prefixes = ["new %d" % n for n in range(2 * THREADS)]
        server.hold_sync(server.root, "names")
        socks = [self.send(server, 1, prefix.replace(" ", "%20")) for prefix in prefixes]
        harness.wait_for(lambda: server.sync_is_waiting("names"), "the sync")
        self.wait_until_all_are_read(server)
        self.check_reads_and_unsynced_appends(server, ["old", "more"])
        with server.client() as client:
            for number in range(1, 4):
                self.assertEqual(200, self.append(client, 1, "old")[0])
        for sock in socks:
            self.assertFalse(harness.is_readable(sock, 0))
        server.release_sync()
        self.check_replies(socks)


class Stop(TestCase):
    def test_what_is_owed_is_synced_although_another_file_hangs(self):
        """The stop waits for it so long that no sync has ended, and exits with 1."""
        server = self.start("-sync", "interval:3600000", expect_exit=1)
        prefixes = ["p%d" % n for n in range(6)]
        with server.client() as client:
            for prefix in ["hung"] + prefixes:
                self.assertEqual((200, 0), self.append(client, None, prefix))
        server.heal()
        server.hold_sync(HUNG)
        began = time.monotonic()
        server.process.send_signal(signal.SIGTERM)
        harness.wait_for(lambda: server.seen("fdatasync") >= len(prefixes), "the other syncs")
        self.assertEqual(1, server.process.wait(LAST_SYNC_SECONDS + 30))
        self.assertGreaterEqual(time.monotonic() - began, LAST_SYNC_SECONDS)
        self.assertIn("the disk holds up the last syncs of 1 files; not waiting", server.log())
        self.assertEqual([VALUE], list(records.values(server.bucket("hung")).values()))

    def test_a_request_that_hangs_is_not_waited_for(self):
        server = self.start(expect_exit=1)
        with server.client() as client:
            self.assertEqual((200, 0), self.append(client, 1, "hung"))
        self.hang(server, "hung")
        server.process.send_signal(signal.SIGTERM)
        self.assertEqual(1, server.process.wait(harness.TIMEOUT_SECONDS))
        self.assertIn("the disk holds up 1 requests; not waiting", server.log())

    def test_a_sync_that_ends_in_time_is_waited_for(self):
        server = self.start("-sync", "interval:3600000")
        with server.client() as client:
            self.assertEqual((200, 0), self.append(client, None, "hung"))
        server.hold_sync(HUNG)
        server.process.send_signal(signal.SIGTERM)
        harness.wait_for(server.sync_is_waiting, "the last sync")
        self.assertIsNone(server.process.poll())
        server.release_sync()
        self.assertEqual(0, server.process.wait(harness.TIMEOUT_SECONDS))
        self.assertEqual(1, server.seen("fdatasync"))


if __name__ == "__main__":
    unittest.main()
