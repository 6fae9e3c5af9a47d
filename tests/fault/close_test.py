"""close and shutdown with requests in flight: nothing is lost, nothing hangs, and the disk space
of a closed and deleted prefix is free. Requests that come after a close do not wait for the readers
that it waits for."""
import concurrent.futures
import errno
import http.client
import json
import os
import shutil
import struct
import threading
import time
import unittest

import faults
import harness
import records

MIB = 1 << 20
MEANINGS = {errno.ENOSPC: "disk full", errno.EDQUOT: "disk quota used up"}


def deleted_but_open(server):
    base = "/proc/%d/fd" % server.process.pid
    found = []
    for fd in os.listdir(base):
        try:
            path = os.readlink(os.path.join(base, fd))
        except FileNotFoundError:
            continue
        if path.endswith(" (deleted)") and path.startswith(server.root):
            found.append(path)
    return found


def all_records(server, prefix):
    return {(name, offset): value
            for name, file in records.decode_prefix(server.root, prefix).items()
            for offset, (_, value) in file.items()}


class Appender(threading.Thread):
    """Appends until `enough` is set or the server ends. Keeps what was acknowledged."""

    def __init__(self, server, number):
        super().__init__()
        self.server, self.number = server, number
        self.stored, self.count, self.enough, self.wrong = {}, 0, False, []

    def run(self):
        try:
            with self.server.client() as client:
                while not self.enough:
                    value = b"%d.%d " % (self.number, self.count) + b"v" * (self.count % 3000)
                    status, _, body = client.request(
                        "POST", "/append", value, id="id %d" % (self.count % 17),
                        storagePrefix="p")
                    if status == 200:
                        reply = json.loads(body)
                        self.stored[(os.path.basename(reply["file"]), reply["offset"])] = value
                    elif status != 503:
                        self.wrong.append((status, body))
                    self.count += 1
        except OSError:
            pass  # the end of the server
        except Exception as exception:
            if "RemoteDisconnected" not in repr(exception) and "Incomplete" not in repr(exception):
                self.wrong.append(exception)


def appenders(server, count):
    threads = [Appender(server, number) for number in range(count)]
    for thread in threads:
        thread.start()
    return threads


class Close(unittest.TestCase):
    def check_stored(self, server, threads):
        stored = {}
        for thread in threads:
            self.assertEqual([], thread.wrong)
            self.assertFalse(stored.keys() & thread.stored.keys(), "an offset was given twice")
            stored.update(thread.stored)
        self.assertEqual(stored, all_records(server, "p"))
        self.assertGreater(len(stored), 100)

    def test_many_close_while_many_append(self):
        with harness.Server("-buckets", "8") as server:
            threads = appenders(server, 8)

            def close():
                with server.client() as client:
                    for _ in range(50):
                        client.close("p")
            closers = [threading.Thread(target=close) for _ in range(8)]
            for thread in closers:
                thread.start()
            for thread in closers:
                thread.join()
            harness.wait_for(lambda: sum(t.count for t in threads) > 200, "some appends")
            for thread in threads:
                thread.enough = True
            for thread in threads:
                thread.join()
            with server.client() as client:
                client.close("p")
            self.assertEqual([], server.open_files("p"))
            self.check_stored(server, threads)

    def test_shutdown_while_many_append(self):
        with harness.Server("-buckets", "8") as server:
            threads = appenders(server, 16)
            harness.wait_for(lambda: sum(t.count for t in threads) > 500, "some appends")
            self.assertEqual(0, server.stop())
            for thread in threads:
                thread.join()
            # the files may hold more: appends whose client was disconnected before the reply
            found = all_records(server, "p")
            for thread in threads:
                self.assertEqual([], thread.wrong)
                for place, value in thread.stored.items():
                    self.assertEqual(value, found[place])

    def test_close_waits_for_appends_at_the_disk(self):
        with harness.Server("-buckets", "1", hold=True) as server, server.client() as client:
            client.append("x", b"opens the file", "p")
            server.hold_disk()
            socks = [server.connect() for _ in range(10)]
            for sock in socks:
                sock.sendall(harness.request_bytes("POST", "/append?id=x&storagePrefix=p", b"v"))
            harness.wait_for(server.disk_is_waiting, "an append to reach the disk")
            closing = [server.connect() for _ in range(5)]
            for sock in closing:
                sock.sendall(harness.request_bytes("POST", "/close?storagePrefix=p", b""))
            for sock in closing:
                self.assertFalse(harness.is_readable(sock, 0.02))
            server.release_disk()
            replies = [harness.receive_reply(sock) for sock in socks]
            offsets = sorted(json.loads(body)["offset"] for _, _, body in replies)
            self.assertEqual([30 + 17 * n for n in range(10)], offsets)
            for sock in closing:
                self.assertEqual((200, b'{"success":true}'), harness.receive_reply(sock)[::2])
            self.assertEqual([], server.open_files("p"))
            for sock in socks + closing:
                sock.close()

    def test_close_while_a_reply_streams(self):
        """The close waits for the end of the reply."""
        with harness.Server("-buckets", "1") as server, server.client() as client:
            values = [os.urandom(2 * MIB) for _ in range(8)]
            offsets = [client.append("x", value, "p") for value in values]
            reader = server.connect(receive_buffer=4096)
            reader.sendall(harness.request_bytes(
                "POST", "/getMulti?id=x&storagePrefix=p",
                struct.pack("<8Q", *offsets), ["Connection: close"]))
            reply = http.client.HTTPResponse(reader)
            reply.begin()
            closing = [server.connect() for _ in range(3)]
            for sock in closing:
                sock.sendall(harness.request_bytes("POST", "/close?storagePrefix=p", b""))
            for sock in closing:
                self.assertFalse(harness.is_readable(sock, 0.02))
            self.assertEqual(1, len(server.open_files("p")))
            got, error = harness.split_multi(reply.read())
            reader.close()
            self.assertIsNone(error)
            self.assertTrue(values == got, "the reply has other values than were stored")
            for sock in closing:
                self.assertEqual((200, b'{"success":true}'), harness.receive_reply(sock)[::2])
                sock.close()
            self.assertEqual([], server.open_files("p"))
            shutil.rmtree(os.path.join(server.root, "p"))
            self.assertEqual([], deleted_but_open(server))

    def test_close_does_not_wait_for_a_reader_that_has_disconnected(self):
        with harness.Server("-buckets", "1") as server, server.client() as client:
            offset = client.append("x", b"v" * (16 * MIB), "p")
            reader = server.connect(receive_buffer=4096)
            reader.sendall(harness.request_bytes(
                "GET", "/get?id=x&storagePrefix=p&offset=%d" % offset))
            reader.recv(1)
            harness.reset(reader)
            client.close("p")
            self.assertEqual([], server.open_files("p"))

    def test_space_is_free_after_close_and_delete(self):
        with harness.Server("-buckets", "16") as server, server.client() as client:
            for round_number in range(3):
                for number in range(200):
                    client.append("id %d" % number, b"v" * 10000, "p")
                    client.get("id %d" % number, 0, "p")
                client.close("p")
                self.assertEqual([], server.open_files("p"))
                shutil.rmtree(os.path.join(server.root, "p"))
                self.assertEqual([], deleted_but_open(server))
            # deleted without a close: the next append to each file closes it
            for number in range(200):
                client.append("id %d" % number, b"v" * 10000, "p")
            self.assertEqual(16, len(server.open_files("p")))
            shutil.rmtree(os.path.join(server.root, "p"))
            self.assertEqual(16, len(deleted_but_open(server)))
            for number in range(200):
                client.append("id %d" % number, b"v", "p")
            self.assertEqual([], deleted_but_open(server))
            shutil.rmtree(os.path.join(server.root, "p"))
            client.close("p")
            self.assertEqual([], deleted_but_open(server))


class Errors(unittest.TestCase):
    """close(2) of a file that was written: on a network's file system it may be the first to know
    that a write has failed. No file is left open by that."""

    def start(self, *flags, expect_exit=0):
        server = self.enterContext(faults.Server("-buckets", "4", "-workers", "2", *flags,
                                                 expect_exit=expect_exit))
        return server, self.enterContext(server.client())

    def check_log(self, server, number, error):
        line = "%s: could not be closed, it may not be as it was written: %s\n" % (
            server.bucket("p", number), os.strerror(error))
        harness.wait_for(lambda: line in server.log(), "the line in the log")

    def test_a_close_names_the_file(self):
        for error in (errno.EIO, errno.ENOSPC, errno.EDQUOT, errno.EINTR):
            with self.subTest(error=errno.errorcode[error]):
                server, client = self.start()
                reply = json.loads(client.request("POST", "/append", b"v", id="x",
                                                  storagePrefix="p")[2])
                server.fail("close", error)
                status, _, body = client.request("POST", "/close", storagePrefix="p")
                self.assertEqual((500, "could not be closed: %s: %s\n" % (
                    MEANINGS.get(error, os.strerror(error)), reply["file"])),
                    (status, body.decode()))
                self.check_log(server, int(reply["file"].split(".")[-2]), error)
                self.assertEqual([], server.open_files("p"))
                client.close("p")
                self.assertEqual(b"v", client.get("x", 0, "p"))

    def test_each_of_several_files(self):
        """The first error is told, and all files are closed."""
        server, client = self.start()
        ids = {}
        for number in range(64):
            status, _, body = client.request("POST", "/append", b"v", id=str(number),
                                             storagePrefix="p")
            ids[json.loads(body)["file"]] = number
        self.assertEqual(4, len(ids))
        for nth in range(1, 6):
            for number in ids.values():
                client.append(str(number), b"v", "p")
            server.fail("close", errno.EIO, nth)
            status, _, body = client.request("POST", "/close", storagePrefix="p")
            self.assertEqual(500 if nth <= 4 else 200, status, body)
            self.assertEqual([], server.open_files("p"))

    def test_a_file_that_makes_room_for_another(self):
        """The log has it; the file is opened again when it is needed."""
        server, client = self.start("-buckets", "1", "-workers", "1")
        client.append("x", b"v", "p")
        client.append("x", b"v", "q")
        client.close("q")
        server.fail("openat", errno.EMFILE, 2)  # the directory, then the file
        server.fail("close", errno.EIO)
        self.assertEqual(b"v", client.get("x", 0, "q"))
        self.check_log(server, 0, errno.EIO)
        self.assertEqual([], server.open_files("p"))
        self.assertEqual(17, client.append("x", b"v", "p"))

    def test_a_stop_exits_with_1(self):
        server, client = self.start(expect_exit=1)
        client.append("x", b"v", "p")
        client.hang_up()
        number = next(n for n in range(4) if os.path.getsize(server.bucket("p", n)) > 0)
        server.fail("close", errno.EIO)
        self.assertEqual(1, server.stop())
        self.check_log(server, number, errno.EIO)


class Readers(unittest.TestCase):
    """Clients that do not take their long replies, while the prefix is closed."""

    READERS, SECONDS = 3, 2
    VALUE = bytes(range(256)) * (32 * MIB // 256)

    def start(self, *flags):
        self.server = self.enterContext(harness.Server("-buckets", "4", *flags))
        with self.server.client() as client:
            self.offset = client.append("long", self.VALUE, "p")
            client.append("other", b"v", "p")

    def stalled(self):
        """A reader that has its first bytes and takes no more."""
        sock = self.server.send("GET", "/get?id=long&storagePrefix=p&offset=%d" % self.offset,
                                receive_buffer=4096)
        self.addCleanup(sock.close)
        self.assertEqual(200, harness.receive_head(sock)[0])
        return sock

    def close_sent(self):
        sock = self.server.send("POST", "/close?storagePrefix=p", b"")
        self.addCleanup(sock.close)
        return sock

    def appends_in(self, seconds):
        """How many are answered to two clients of this prefix, and to two of another one."""
        limit = time.monotonic() + seconds

        def append(prefix):
            count = 0
            with self.server.client() as client:
                while time.monotonic() < limit:
                    client.append("other", b"v", prefix)
                    count += 1
            return count
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            here, there, also_here, also_there = pool.map(append, ("p", "q", "p", "q"))
        return here + also_here, there + also_there

    def test_requests_after_a_close_do_not_wait_for_its_readers(self):
        self.start()
        readers, closing = [], []
        with self.server.client() as client:
            for number in range(self.READERS):
                readers.append(self.stalled())
                closing.append(self.close_sent())
                for count in range(20):
                    value = b"%d %d" % (number, count)
                    offset = client.append("other", value, "p")
                    self.assertEqual(value, client.get("other", offset, "p"))
        for sock in closing:
            self.assertFalse(harness.is_readable(sock, 0.02))
        for sock in readers:
            self.assertTrue(self.VALUE == harness.receive_body(sock, len(self.VALUE)))
        for sock in closing:
            self.assertEqual((200, b'{"success":true}'), harness.receive_reply(sock)[::2])
        with self.server.client() as client:
            client.close("p")
        self.assertEqual([], self.server.open_files("p"))

    def test_close_is_answered_although_readers_stall_and_then_no_file_of_them_is_open(self):
        self.start()
        stalled = [self.stalled() for _ in range(self.READERS)]
        closing = self.close_sent()
        with self.server.client() as client:
            for _ in range(20):
                client.append("other", b"v", "p")
        self.assertEqual(200, harness.receive_reply(closing)[0])
        for sock in stalled:
            with self.assertRaises(ConnectionResetError):
                harness.receive_all(sock)
        # only what the appends have opened since
        self.assertEqual(1, len(self.server.open_files("p")))
        with self.server.client() as client:
            client.close("p")
        shutil.rmtree(os.path.join(self.server.root, "p"))
        self.assertEqual([], deleted_but_open(self.server))

    def test_close_in_a_loop_leaves_others_half_of_their_appends(self):
        self.start()
        for _ in range(self.READERS):
            self.stalled()
        ended = threading.Event()

        def close():
            with self.server.client() as client:
                while not ended.is_set():
                    client.close("p")
        closer = threading.Thread(target=close)
        closer.start()
        here, elsewhere = self.appends_in(self.SECONDS)
        ended.set()
        closer.join()
        print("%d appends to the prefix, %d to another one" % (here, elsewhere))
        self.assertGreaterEqual(here, elsewhere / 2)


if __name__ == "__main__":
    unittest.main()
