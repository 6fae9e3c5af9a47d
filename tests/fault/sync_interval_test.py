"""-sync interval:MS: files are synced by themselves, in time, and before they are closed."""
import errno
import os
import signal
import time
import unittest

import harness
import synced
from synced import NAMES, RECORD_BYTES, REFUSED, VALUE, target


class Interval(synced.TestCase):
    def check_synced(self, server, count):
        harness.wait_for(lambda: server.seen("fdatasync") >= count, "the sync")
        self.assertEqual(count, server.seen("fdatasync"))

    def test_an_append_is_synced_once_after_the_interval(self):
        server = self.start("-sync", "interval:1")
        client = self.client(server)
        for count in range(1, 6):
            self.assertEqual(200, self.append(client)[0])
            self.check_synced(server, count)
        self.assertEqual(NAMES, server.seen("fsync"))
        client.close()
        client.hang_up()
        self.assertEqual(0, server.stop())
        self.assertEqual(5, server.seen("fdatasync"))

    def test_in_time_with_a_single_client(self):
        """Loop and worker spin, waiting for its next request, instead of sleeping."""
        server = self.start("-sync", "interval:20")
        sock = self.enterContext(server.connect())
        request = harness.request_bytes("POST", target(), VALUE)

        def go_on_until(happened):
            """Returns how many requests are unanswered: one if a sync delays it."""
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

    def test_a_file_is_synced_before_it_is_closed(self):
        """A close and a stop report a sync that has failed; a request that needs a descriptor does
        not."""
        def close(server, client, error):
            status, _, body = client.request("POST", "/close", storagePrefix="p")
            wanted = (200, b'{"success":true}')
            if error:
                wanted = (500, ("could not be synced: %s: %s/p/append.0.raw\n"
                                % (os.strerror(error), server.root)).encode())
            self.assertEqual(wanted, (status, body))
            # the file is closed all the same, and a second close has nothing to report
            self.assertEqual([], server.open_files("p"))
            client.close("p")

        def evict(server, client, _):
            """Another file needs the only descriptor."""
            server.fail("openat", errno.EMFILE, 2)  # the directory, then the file
            self.assertEqual(200, client.request("POST", target(None, "q"), VALUE)[0])

        def stop(server, client, error):
            client.hang_up()
            self.assertEqual(1 if error else 0, server.stop(signal.SIGTERM))

        for end in (close, evict, stop):
            for error in (0, errno.EIO):
                server = self.start("-sync", "interval:3600000")
                client = self.client(server)
                self.assertEqual(200, self.append(client, None, "q")[0])
                client.close("q")
                self.assertEqual(200, self.append(client, None, "p")[0])
                server.heal("fdatasync")
                if error:
                    server.fail("fdatasync", error)
                end(server, client, error)
                self.check_synced(server, 1)
                line = ("%s/p/append.0.raw: appends that were answered could not be synced: %s; "
                        % (server.root, os.strerror(error)))
                if error:
                    harness.wait_for(lambda: line in server.log(), "the line in the log")
                else:
                    server.stop()  # its log is complete
                    self.assertNotIn(line, server.log())

    def test_all_appends_are_refused_after_a_failure(self):
        server = self.start("-sync", "interval:1")
        client = self.client(server)
        server.fail("fdatasync", errno.EIO)
        self.assertEqual((200, 0), self.append(client))
        self.check_synced(server, 1)
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
