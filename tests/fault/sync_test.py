"""What is promised about the disk: a synced append is answered when fdatasync has returned and not
before, those that wait together share one, and one that failed is never made good by a second."""
import errno
import json
import os
import re
import signal
import time
import unittest

import faults
import harness
import records

VALUE = b"value"
NAMES = 3  # in the prefix's directory, in the root, and the root's own, which the server has made
RECORD_BYTES = records.HEADER_BYTES + len(VALUE)
REFUSED = rb"\Aan earlier sync of this file failed; [ -~]+: [ -~]+/append\.0\.raw\n\Z"


def target(sync=None, prefix=None, id="x"):
    return "/append?id=%s%s%s" % (id, "" if sync is None else "&sync=%d" % sync,
                                  "" if prefix is None else "&storagePrefix=" + prefix)


class Case(unittest.TestCase):
    def start(self, *flags, **options):
        flags = ("-buckets", "1", "-workers", "1") + flags
        return self.enterContext(faults.Server(*flags, hold=True, **options))

    def client(self, server):
        return self.enterContext(server.client())

    def append(self, client, sync=None, prefix=None):
        """Answers the status and the offset, or the text."""
        status, _, body = client.request("POST", target(sync, prefix), VALUE)
        return status, json.loads(body)["offset"] if status == 200 else body

    def send(self, server, *arguments):
        sock = self.enterContext(server.connect())
        sock.sendall(harness.request_bytes("POST", target(*arguments), VALUE))
        return sock

    def wait_until_all_are_read(self, server):
        """Clients are accepted, and then served, in the order in which they came: what those before
        this one have sent is read when it is answered. An older one could be answered before."""
        with server.client() as client:
            self.assertEqual(404, client.request("GET", "/none")[0])

    def check_file(self, server, offsets, prefix="default"):
        """There are records at these offsets, and nothing else is in the file."""
        file = os.path.join(server.root, prefix, "append.0.raw")
        self.assertEqual({offset: VALUE for offset in offsets},
                         {offset: value for offset, (_, value) in
                          records.decode_file(file).items()})


class Order(Case):
    def test_the_reply_comes_after_the_sync(self):
        for flags, sync in ((("-sync", "always"), None), (("-sync", "always"), 0),
                            (("-sync", "interval:3600000"), 1), ((), 1)):
            with self.subTest(flags=flags, sync=sync):
                server = self.start(*flags)
                server.hold_sync()
                sock = self.send(server, sync)
                harness.wait_for(server.sync_is_waiting, "the sync")
                self.check_file(server, [0])  # it is written
                self.assertEqual(NAMES, server.seen("fsync"))  # and so is its name
                self.assertFalse(harness.is_readable(sock))
                server.release_sync()
                self.assertEqual(200, harness.receive_reply(sock)[0])
                self.assertEqual(1, server.seen("fdatasync"))

    def test_a_group_shares_a_sync_and_nobody_else_waits_for_it(self):
        server = self.start()
        client = self.client(server)
        self.assertEqual((200, 0), self.append(client))
        server.hold_disk()
        first = self.send(server)
        harness.wait_for(server.disk_is_waiting, "the write")
        synced, others = [], []
        for _ in range(20):  # they become one drain while the disk is held
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

    def test_never_is_never(self):
        server = self.start()
        server.heal()  # what was made for the root is synced at the start
        client = self.client(server)
        for sync in (None, 0):
            for prefix in "pq":
                self.assertEqual(200, self.append(client, sync, prefix)[0])
        client.close("p")
        client.hang_up()
        self.assertEqual(0, server.stop())
        self.assertEqual((0, 0), (server.seen("fdatasync"), server.seen("fsync")))


class Failure(Case):
    def test_every_sync_fails_once(self):
        """fdatasync, and each fsync: of the prefix's directory and the root."""
        for call, times in (("fdatasync", 3), ("fsync", 2)):
            for error in (errno.EIO, errno.EINTR, errno.ENOSPC):
                nth = 0
                while True:
                    nth += 1
                    with self.subTest(call=call, error=errno.errorcode[error], nth=nth):
                        if not self.fail_nth(call, error, nth):
                            break
                self.assertEqual(times + 1, nth)

    def fail_nth(self, call, error, nth):
        """Answers whether there was an Nth call."""
        with faults.Server("-buckets", "1", "-workers", "1") as server, server.client() as client:
            server.fail(call, error, nth)
            offsets, failed = [], False
            for number in range(3):
                status, reply = self.append(client, 1)
                if status == 200:
                    offsets.append(reply)
                    continue
                failed = True
                self.assertEqual(500, status)
                text = "could not be synced: %s: %s/default/append.0.raw\n" % (
                    os.strerror(error), server.root)
                self.assertEqual(text.encode(), reply)
                break
            self.check_file(server, offsets)  # what failed is not in it
            self.assertEqual(failed, server.seen(call) == nth)
            if not failed:
                self.assertLess(server.seen(call), nth)
                return False
            self.assertEqual(nth, server.seen(call))
            self.assertRegex(server.log(), r"/default/append\.0\.raw: \w+( \w+)? could not be "
                             "synced: " + re.escape(os.strerror(error)))
            # the disk is well again, and it makes no difference
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
            if call == "fsync" and nth > 1:
                # the root's is for good: it is the last that knows of the prefix
                self.assertEqual(500, status)
                self.assertIn(b"could not be synced", reply)
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

    def test_a_group_fails_together(self):
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
        """A write that is cut short: what is whole is synced and answered, the rest is not there."""
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
        """The Nth openat finds none: another file is closed for it, or the client is told."""
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


class Interval(Case):
    def synced(self, server, count):
        harness.wait_for(lambda: server.seen("fdatasync") >= count, "the sync")
        self.assertEqual(count, server.seen("fdatasync"))

    def test_it_is_synced_by_itself_and_then_no_more(self):
        server = self.start("-sync", "interval:1")
        client = self.client(server)
        for count in range(1, 6):
            self.assertEqual(200, self.append(client)[0])
            self.synced(server, count)
        self.assertEqual(NAMES, server.seen("fsync"))
        client.close()
        client.hang_up()
        self.assertEqual(0, server.stop())
        self.assertEqual(5, server.seen("fdatasync"))

    def test_in_time_with_a_client_alone(self):
        """Loop and worker look out for its next request instead of going to sleep."""
        server = self.start("-sync", "interval:20")
        sock = self.enterContext(server.connect())
        request = harness.request_bytes("POST", target(), VALUE)

        def go_on_until(happened):
            """Answers how many have no answer yet: one if a sync holds it up."""
            until = time.monotonic() + harness.TIMEOUT_SECONDS
            while not happened():
                self.assertLess(time.monotonic(), until, "no sync comes")
                sock.sendall(request)
                while not harness.is_readable(sock, 0.05):
                    if server.sync_is_waiting():
                        return 1
                self.assertEqual(200, harness.receive_reply(sock)[0])
            return 0

        self.assertEqual(0, go_on_until(lambda: server.seen("fdatasync") >= 3))
        server.hold_sync()
        unanswered = go_on_until(server.sync_is_waiting)
        sock.sendall(request)  # this one is written after that sync, so it needs another
        before = server.seen("fdatasync")
        server.release_sync()
        for _ in range(unanswered + 1):
            self.assertEqual(200, harness.receive_reply(sock)[0])
        harness.wait_for(lambda: server.seen("fdatasync") >= before + 2, "the last sync")

    def test_what_is_owed_is_synced_at_the_end(self):
        def give_up(server, client):
            """Another file wants the only descriptor."""
            server.fail("openat", errno.EMFILE, 2)  # the directory, then the file
            self.assertEqual(200, client.request("POST", target(None, "q"), VALUE)[0])

        def stop(server, client):
            client.hang_up()
            self.assertEqual(0, server.stop(signal.SIGTERM))

        for end in (lambda server, client: client.close("p"), give_up, stop):
            for error in (0, errno.EIO):
                server = self.start("-sync", "interval:3600000")
                client = self.client(server)
                self.assertEqual(200, self.append(client, None, "q")[0])
                client.close("q")
                self.assertEqual(200, self.append(client, None, "p")[0])
                server.heal("fdatasync")
                if error:
                    server.fail("fdatasync", error)
                end(server, client)
                self.synced(server, 1)
                line = ("%s/p/append.0.raw: appends that were answered could not be synced: %s; "
                        % (server.root, os.strerror(error)))
                self.assertEqual(error != 0, line in server.log(), server.log())

    def test_all_appends_are_refused_after_a_failure(self):
        server = self.start("-sync", "interval:1")
        client = self.client(server)
        server.fail("fdatasync", errno.EIO)
        self.assertEqual((200, 0), self.append(client))
        self.synced(server, 1)
        for sync in (None, 0, 1):
            status, reply = self.append(client, sync)
            self.assertEqual(500, status)
            self.assertRegex(reply, REFUSED)
        self.assertEqual(VALUE, client.get("x", 0))
        self.assertEqual(200, self.append(client, None, "other")[0])
        client.close()
        self.assertEqual((200, RECORD_BYTES), self.append(client))
        self.check_file(server, [0, RECORD_BYTES])

    def test_the_second_signal_ends_a_sync_that_hangs(self):
        server = self.start("-sync", "interval:3600000", expect_exit=3)
        with server.client() as client:
            self.assertEqual((200, 0), self.append(client))
        server.hold_sync()
        server.process.send_signal(signal.SIGTERM)
        harness.wait_for(server.sync_is_waiting, "the last sync")
        self.assertIsNone(server.process.poll())
        self.assertEqual(3, server.stop(signal.SIGTERM))


if __name__ == "__main__":
    unittest.main()
