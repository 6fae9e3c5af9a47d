"""A disk that is really full, and one that is really freed: the root is a small tmpfs."""
import concurrent.futures
import errno
import http.client
import json
import os
import shutil
import struct
import unittest

import curl
import harness
import records
import suite
import tmpfs
from capabilities import needs_mounts

MIB = 1 << 20
CONNECTIONS = 40
NO_ROOM = b"; appends go on as soon as there is room"


@needs_mounts
class FullForOneClient(curl.TestCase):
    def start(self):
        return self.enterContext(tmpfs.Server("4m", "-buckets", "10"))

    def fill(self):
        """Writes until nothing more goes in."""
        with open(os.path.join(self.server.inside, "filler"), "wb", buffering=0) as filler:
            with self.assertRaises(OSError) as caught:
                while True:
                    filler.write(bytes(65536))
        self.assertEqual(errno.ENOSPC, caught.exception.errno)

    def test_the_file_is_as_before_and_appends_work_once_there_is_room(self):
        reply = self.expect(200, curl.JSON, "/append?id=x", "-d", "some text")
        file = json.loads(reply)["file"]
        value = os.urandom(1000000)
        path = self.write("value", value)
        self.fill()
        for _ in range(3):
            self.assertEqual(b"disk full: %s%s\n" % (file.encode(), NO_ROOM), self.expect(
                507, curl.TEXT, "/append?id=x", "--data-binary", "@" + path))
            inside = "/proc/%d/root%s" % (self.server.process.pid, file)
            self.assertEqual(25, os.stat(inside).st_size)
        self.assertEqual(b"some text", self.expect(200, curl.BYTES, "/get?id=x&offset=0"))

        self.server.make_room()
        reply = self.expect(200, curl.JSON, "/append?id=x", "--data-binary", "@" + path)
        self.assertEqual(b'{"offset":25,"file":"%s"}' % file.encode(), reply)
        self.assertTrue(value == self.expect(200, curl.BYTES, "/get?id=x&offset=25"))


@needs_mounts
class Full(unittest.TestCase):
    BUCKETS = 3

    def burst(self, server, values, held):
        """All values at once, each on its own connection: [(value, status, body)]"""
        sockets = [server.connect() for _ in values]
        if held:  # so that many are one write
            server.hold_disk()
        for number, (sock, value) in enumerate(zip(sockets, values)):
            target = "/append?id=%d" % (number % 7)
            sock.sendall(harness.request_bytes("POST", target, value))
            if held and number == 0:
                harness.wait_for(server.disk_is_waiting, "the first write")
        if held:
            with server.client() as client:  # by its reply the loop has looked at all of them
                self.assertEqual(404, client.request("GET", "/none")[0])
            server.release_disk()
        replies = [harness.receive_reply(sock) for sock in sockets]
        for sock in sockets:
            sock.close()
        return [(value, status, body) for value, (status, _, body) in zip(values, replies)]

    def check_stored(self, server, stored):
        """Exactly what was answered is in the files, and is what the server reads there."""
        found = {name: {offset: value for offset, (_, value) in file.items()}
                 for name, file in records.decode_prefix(server.inside, "default").items()}
        self.assertEqual(self.BUCKETS, len(found))
        self.assertTrue({name: {offset: value for offset, (_, value) in file.items()}
                         for name, file in stored.items()} == {
                             name: file for name, file in found.items() if file},
                        "the files hold something else than what was answered")
        with server.client() as client:
            for file in stored.values():
                for offset, (id, value) in file.items():
                    self.assertTrue(value == client.get(id, offset), (id, offset))

    def check(self, *flags):
        with tmpfs.Server("16m", "-buckets", str(self.BUCKETS), *flags, hold=True) as server:
            stored = {}

            def note(body, id, value):
                reply = json.loads(body)
                file = stored.setdefault(os.path.basename(reply["file"]), {})
                self.assertNotIn(reply["offset"], file, "an offset was given twice")
                file[reply["offset"]] = (id, value)

            def append(number, value):
                with server.client() as client:
                    status, _, body = client.request("POST", "/append", value, id=str(number % 7))
                self.assertEqual(200, status, body)
                note(body, str(number % 7), value)

            for number in range(7):
                append(number, b"first")
            for room in (0, 4096, 20480, 65536, 300000, MIB, 3 * MIB):
                for held in (True, False):
                    # twice what fits, and more than the last pages of the files have left
                    size = max(2 * room, 20000 * self.BUCKETS) // CONNECTIONS
                    values = [os.urandom(size // 2 + size * i // CONNECTIONS)
                              for i in range(CONNECTIONS)]
                    server.leave_room(room // 4096 * 4096)
                    failed = 0
                    for number, (value, status, body) in enumerate(
                            self.burst(server, values, held)):
                        if status == 200:
                            note(body, str(number % 7), value)
                        else:
                            failed += 1
                            self.assertEqual(507, status, body)
                            self.assertRegex(body, rb"\Adisk full: %s/default/append\.\d\.raw%s\n\Z"
                                             % (server.root.encode(), NO_ROOM))
                    self.assertGreater(failed, 0)
                    if room >= 20480:
                        self.assertLess(failed, CONNECTIONS)
                    self.check_stored(server, stored)
                    server.make_room()
                    for number in range(7):
                        append(number, b"there is room")
                    self.check_stored(server, stored)

    def test_a_burst_of_which_a_part_fits(self):
        self.check()

    def test_a_burst_of_which_a_part_fits_with_syncs(self):
        self.check("-sync", "always")


@needs_mounts
class Freed(unittest.TestCase):
    VALUES, VALUE_BYTES = 8, MIB

    def fill(self, server):
        """Many clients append. Returns the offsets and values of one id."""
        def append(number):
            with server.client() as client:
                for count in range(30):
                    id = "id %d" % (number * 30 + count)
                    offset = client.append(id, b"v" * 10000, "p")
                    assert client.get(id, offset, "p") == b"v" * 10000
        with concurrent.futures.ThreadPoolExecutor(16) as pool, server.client() as client:
            others = pool.map(append, range(16))
            values = [os.urandom(self.VALUE_BYTES) for _ in range(self.VALUES)]
            offsets = [client.append("x", value, "p") for value in values]
            list(others)  # raises what they did
        return offsets, values

    def test_what_is_closed_and_deleted_takes_no_room(self):
        with tmpfs.Server("64m", "-buckets", "16") as server, server.client() as client:
            blocks, inodes = server.free()
            for _ in range(3):
                offsets, values = self.fill(server)
                reader = server.connect(receive_buffer=4096)
                reader.sendall(harness.request_bytes(
                    "POST", "/getMulti?id=x&storagePrefix=p",
                    struct.pack("<%dQ" % len(offsets), *offsets), ["Connection: close"]))
                reply = http.client.HTTPResponse(reader)
                reply.begin()  # it is under way while the prefix is closed
                closing = server.connect()
                closing.sendall(harness.request_bytes("POST", "/close?storagePrefix=p", b""))
                self.assertTrue((values, None) == harness.split_multi(reply.read()))
                reader.close()
                self.assertEqual((200, b'{"success":true}'), harness.receive_reply(closing)[::2])
                closing.close()
                self.assertLess(server.free()[0], blocks - 12 * MIB // 4096)
                shutil.rmtree(os.path.join(server.inside, "p"))
                self.assertEqual((blocks, inodes), server.free())
            # and that this can be seen at all: what is deleted without a close stays
            self.fill(server)
            shutil.rmtree(os.path.join(server.inside, "p"))
            self.assertLess(server.free()[0], blocks - 12 * MIB // 4096)
            client.close("p")
            self.assertEqual((blocks, inodes), server.free())


if __name__ == "__main__":
    suite.main()
