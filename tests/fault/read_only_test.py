"""A server with -read-only on a root that somebody else writes to: it reads what is there now, never
anything else, and writes, makes, locks and changes nothing.
"""
import contextlib
import json
import os
import random
import re
import shutil
import signal
import struct
import subprocess
import tempfile
import threading
import unittest

import harness
import protocol
import records
import suite
from capabilities import needs_strace

READS = 20000
OFFSETS_A_REQUEST = 100
REFUSED = rb"this server only reads \(-read-only\); ask [ -~]+\n"

# What may be done with what is below the root.
READING = {"openat", "newfstatat", "fstat", "statx", "close", "pread64", "preadv2", "getdents64",
           "fgetxattr", "fadvise64", "fstatfs", "statfs", "fcntl", "lseek", "stat", "open"}


class TestCase(unittest.TestCase):
    def writer(self, *flags, **options):
        return self.enterContext(harness.Server("-buckets", "1", *flags, **options))

    def reader(self, root, *flags, **options):
        return self.enterContext(harness.Server("-read-only", *flags, root=root, **options))

    def client(self, server):
        return self.enterContext(server.client())

    def directory(self):
        return self.enterContext(tempfile.TemporaryDirectory(prefix="rochefort-test-"))

    def read(self, client, offset, prefix="p", id="x"):
        """(status, body)"""
        status, _, body = client.request("GET", "/get", id=id, offset=offset, storagePrefix=prefix)
        return status, body


def contents(root):
    """{path: (mode, owner, times, bytes or names)} of all that is below it."""
    found = {}
    for directory, names, files in os.walk(root):
        for name in [""] + files:
            path = os.path.join(directory, name)
            status = os.stat(path)
            data = sorted(names) if not name else open(path, "rb").read()
            found[path] = (status.st_mode, status.st_uid, status.st_mtime_ns, status.st_ctime_ns,
                           data, os.listxattr(path))
    return found


class Refused(TestCase):
    def test_what_would_write(self):
        writer = self.writer()
        self.client(writer).append("x", b"value", "p")
        writer.stop()
        before = contents(writer.root)
        client = self.client(self.reader(writer.root))
        for path, body in (("/append", b"value"), ("/appendMulti", protocol.join_multi([b"v"])),
                           ("/append", b"v" * 1000000), ("/close", b"")):
            for prefix in ("p", "new"):
                with self.subTest(path, prefix=prefix):
                    status, _, text = client.request("POST", path, body, id="x",
                                                     storagePrefix=prefix)
                    self.assertEqual(403, status)
                    self.assertRegex(text, REFUSED)
        status, _, text = client.request("GET", "/scan", id="x", offset=0, synced=1,
                                         storagePrefix="p")
        self.assertEqual(403, status)
        self.assertRegex(text, rb"only reads \(-read-only\) and syncs nothing")
        self.assertEqual((200, b"value"), self.read(client, 0))
        self.assertEqual(before, contents(writer.root))

    def test_ready_for_get_alone(self):
        client = self.client(self.reader(self.directory()))
        self.assertEqual(200, client.request("GET", "/healthz")[0])
        self.assertEqual((200, b"ready\n"), client.request("GET", "/readyz", **{"for": "get"})[::2])
        for purpose in (None, "append"):
            status, _, text = client.request("GET", "/readyz", **{"for": purpose})
            self.assertEqual(503, status)
            self.assertIn(b"only reads (-read-only); ask with for=get", text)

    def test_a_root_that_is_missing_is_not_made(self):
        root = os.path.join(self.directory(), "none")
        done = subprocess.run([harness.BINARY, "-read-only", "-bind", "127.0.0.1:0", "-root", root],
                              capture_output=True, text=True, timeout=harness.TIMEOUT_SECONDS)
        self.assertEqual(1, done.returncode)
        self.assertRegex(done.stderr, r"cannot use root \S+: No such file or directory\n\Z")
        self.assertFalse(os.path.exists(root))

    def test_flags_that_do_not_fit(self):
        for flags, why in ((["-read-only", "-lock-wait", "1"], "of no use with -read-only"),
                           (["-lock-wait=1", "--read-only"], "of no use with -read-only"),
                           (["-read-only=true"], "takes no value")):
            done = subprocess.run([harness.BINARY, *flags], capture_output=True, text=True,
                                  timeout=harness.TIMEOUT_SECONDS)
            self.assertEqual(2, done.returncode)
            self.assertIn(why, done.stderr)


class Beside(TestCase):
    """A server that writes, and others that read, on one root."""

    def test_what_was_answered_is_there(self):
        writer = self.writer()
        readers = [self.reader(writer.root) for _ in range(2)]
        source, clients = self.client(writer), [self.client(reader) for reader in readers]
        stored = []
        for number in range(50):
            value = b"%d" % number * (1 + 997 * (number % 5))
            stored.append((source.append("x", value, "p"), value))
            for client in clients:  # the file has grown since they have read from it
                self.assertEqual((200, value), self.read(client, stored[-1][0]))
        offsets, values = zip(*stored)
        for client in clients:
            self.assertEqual((list(values), None),
                             harness.split_multi(client.get_multi("x", offsets, "p")))
            end = os.path.getsize(writer.bucket("p"))
            self.assertEqual(404, self.read(client, end)[0])
            self.assertEqual(404, self.read(client, offsets[-1] + 1)[0])
            for path, parameters in (("/ends", {"storagePrefix": "p"}), ("/prefixes", {}),
                                     ("/scan", {"bucket": 0, "offset": 0, "storagePrefix": "p"})):
                self.assertEqual(source.request("GET", path, **parameters)[::2],
                                 client.request("GET", path, **parameters)[::2])
        source.append("x", b"next", "p")
        for client in clients:
            ends = json.loads(client.request("GET", "/ends", storagePrefix="p")[2])["ends"]
            self.assertEqual([end + 20], ends)

    def test_it_keeps_no_writer_out(self):
        reader = self.reader(self.directory())
        writer = self.writer(root=reader.root)
        self.client(writer).append("x", b"value", "p")
        self.assertEqual((200, b"value"), self.read(self.client(reader), 0))

    def test_a_scan_that_waits_gets_what_is_appended(self):
        writer = self.writer()
        source = self.client(writer)
        reader = self.reader(writer.root)
        offset = source.append("x", b"value", "p") + 21
        sock = self.enterContext(reader.send(
            "GET", "/scan?bucket=0&storagePrefix=p&wait=60&offset=%d" % offset))
        self.assertFalse(harness.is_readable(sock))
        source.append("x", b"more", "p")
        status, headers, body = harness.receive_reply(sock)
        self.assertEqual((200, b"more"), (status, body[16:]))
        self.assertEqual("%d" % (offset + 20), headers["rochefort-next-offset"])
        status, headers, _ = self.client(reader).request(
            "GET", "/scan", bucket=0, storagePrefix="p", wait=1, offset=offset + 20)
        self.assertEqual((204, "%d" % (offset + 20)), (status, headers["Rochefort-Next-Offset"]))

    def test_more_files_than_descriptors(self):
        """A file whose descriptor was closed meanwhile has grown."""
        writer = self.writer("-buckets", "128")
        reader = self.reader(writer.root, under=["prlimit", "--nofile=128"])
        source, client = self.client(writer), self.client(reader)
        for round in range(3):
            stored = []
            for number in range(300):
                id, value = "id %d" % number, b"%d %d" % (round, number)
                stored.append((id, source.append(id, value, "p"), value))
            for id, offset, value in stored:
                self.assertEqual((200, value), self.read(client, offset, id=id))
        self.assertLess(len(reader.open_files()), 100)


class Growing(TestCase):
    """The test itself writes the files, as slowly as it likes."""

    def setUp(self):
        self.root = self.directory()
        self.server = self.reader(self.root)
        self.reading = self.client(self.server)
        self.path = self.server.bucket("p")

    def make(self, values=(), buckets=1):
        return records.write_bucket(self.root, "p", values, buckets=buckets)

    def add(self, data):
        with open(self.path, "ab") as file:
            file.write(data)

    def scan(self, offset):
        status, headers, body = self.reading.request("GET", "/scan", bucket=0, storagePrefix="p",
                                                     offset=offset)
        return status, headers["Rochefort-Next-Offset"], body

    def test_a_record_is_there_when_all_of_it_is(self):
        first = self.make([b"first"])[0]
        self.assertEqual((200, b"first"), self.read(self.reading, first))
        for size in (1, 5000):
            record = records.encode(b"v" * size)
            begin = os.path.getsize(self.path)
            for cut in sorted({1, 4, 15, 16, 16 + size // 2, 15 + size} - {16 + size}):
                self.add(record[os.path.getsize(self.path) - begin:cut])
                self.assertEqual(404, self.read(self.reading, begin)[0], cut)
                self.assertEqual((204, "%d" % begin, b""), self.scan(begin))
                self.assertEqual(200, self.scan(0)[0])
                self.assertEqual("%d" % begin, self.scan(0)[1])
                _, _, body = self.reading.request(
                    "POST", "/getMulti", struct.pack("<2Q", begin, first), id="x",
                    storagePrefix="p", errors="each")
                entries = protocol.split_each(body)
                self.assertEqual((404, b"first"), (entries[0][0], entries[1]))
            self.add(record[os.path.getsize(self.path) - begin:])
            self.assertEqual((200, b"v" * size), self.read(self.reading, begin))
            self.assertEqual((200, "%d" % (begin + len(record)), record), self.scan(begin))

    def test_the_same_where_the_end_is_far_away(self):
        """Too far to be found from the beginning of a copy, which has no checkpoints."""
        self.make()
        begin = 0
        with open(self.path, "r+b") as file:
            for _ in range(400):
                file.seek(begin)
                file.write(records.header(1 << 20, records.TIME_NS))
                last, begin = begin, begin + 16 + (1 << 20)
            file.truncate(begin)
        record = records.encode(b"value")
        for cut in (1, 15, 16, 20):
            self.add(record[os.path.getsize(self.path) - begin:cut])
            self.assertEqual((204, "%d" % begin, b""), self.scan(begin))
            self.assertEqual("%d" % begin, self.scan(last)[1])
        self.add(record[20:])
        self.assertEqual((200, "%d" % (begin + 21), record), self.scan(begin))

    def test_what_is_not_there_yet(self):
        self.assertEqual(404, self.read(self.reading, 0)[0])
        os.mkdir(os.path.join(self.root, "p"))
        self.assertEqual(404, self.read(self.reading, 0)[0])
        records.write_manifest(self.root, "p", 2)
        self.assertEqual(404, self.read(self.reading, 0)[0])
        for number in (1, 0):  # whichever the id has: the other is missing meanwhile
            path = self.server.bucket("p", number)
            with open(path, "wb"):
                pass
            self.assertEqual(404, self.read(self.reading, 0)[0])
            status, headers, _ = self.reading.request("GET", "/scan", bucket=1 - number, offset=0,
                                                      storagePrefix="p")
            self.assertEqual((204, "0"), (status, headers["Rochefort-Next-Offset"]))
        with open(self.server.bucket("p", 1), "ab") as file:
            file.write(records.encode(b"one"))
        with open(self.server.bucket("p", 0), "ab") as file:
            file.write(records.encode(b"nul"))
        status, value = self.read(self.reading, 0)
        self.assertEqual(200, status)
        self.assertIn(value, (b"one", b"nul"))

    def test_a_missing_bucket_file(self):
        self.make([b"value"], buckets=2)  # append.0.raw alone
        with open(self.server.bucket("p", 1), "wb"):
            pass
        ids = ["id %d" % number for number in range(64)]
        of_first = [id for id in ids if self.read(self.reading, 0, id=id)[0] == 200]
        os.unlink(self.server.bucket("p", 1))
        for id in ids:
            status, text = self.read(self.reading, 0, id=id)
            self.assertEqual(200 if id in of_first else 404, status, text)
        self.assertTrue(0 < len(of_first) < len(ids))
        ends = json.loads(self.reading.request("GET", "/ends", storagePrefix="p")[2])["ends"]
        self.assertEqual([21, 0], ends)
        self.assertEqual(416, self.reading.request("GET", "/scan", bucket=1, offset=1,
                                                   storagePrefix="p")[0])

    def test_without_a_manifest_nothing_is_guessed(self):
        self.make([b"value"], buckets=0)
        for text in (None, "", "rochefort 1\nbuck"):
            if text is not None:
                with open(os.path.join(self.root, "p", "MANIFEST"), "w") as file:
                    file.write(text)
            status, why = self.read(self.reading, 0)
            self.assertEqual(500, status)
            self.assertRegex(why, rb"MANIFEST.*only reads \(-read-only\).*may not be complete yet")
            self.assertNotIn(b"adopt", why)
        records.write_manifest(self.root, "p", 1)
        self.assertEqual((200, b"value"), self.read(self.reading, 0))

    def test_a_file_that_was_replaced_is_read(self):
        """As rsync does, which renames a new copy into place."""
        self.make([b"value"])
        self.assertEqual((200, b"value"), self.read(self.reading, 0))
        for round in range(3):
            with open(self.path + ".new", "wb") as file:
                file.write(records.encode(b"other %d" % round) * 2)
            os.rename(self.path + ".new", self.path)
            self.assertEqual((200, b"other %d" % round), self.read(self.reading, 23))
            self.assertEqual(200, self.scan(0)[0])
            os.rename(self.path, self.path + ".new")
            self.assertEqual(404, self.read(self.reading, 0)[0])
            os.rename(self.path + ".new", self.path)

    def test_a_prefix_that_was_made_anew_is_another_one(self):
        """What an id's file is in the new one decides, also for files that were not open."""
        ids = ["id %d" % number for number in range(32)]
        buckets_of = {}
        for buckets in (2, 4, 3, 1):
            self.make_anew(buckets)
            with contextlib.ExitStack() as stack:
                fresh = stack.enter_context(stack.enter_context(harness.Server(
                    "-read-only", root=self.root)).client())
                for id in ids:
                    value = self.read(fresh, 0, id=id)
                    self.assertEqual(value, self.read(self.reading, 0, id=id))
                    buckets_of.setdefault(id, set()).add(value)
                ends = self.reading.request("GET", "/ends", storagePrefix="p")[2]
                self.assertEqual(buckets, json.loads(ends)["buckets"])
        self.assertTrue(all(len(values) == 4 for values in buckets_of.values()))
        shutil.rmtree(os.path.join(self.root, "p"))
        for id in ids:
            self.assertEqual(404, self.read(self.reading, 0, id=id)[0])

    def make_anew(self, buckets):
        shutil.rmtree(os.path.join(self.root, "p"), ignore_errors=True)
        for index in range(buckets):
            self.make_bucket(buckets, index)

    def test_a_file_that_was_not_open_belongs_to_the_new_prefix(self):
        """Read first, when nothing else shows that the prefix is another one."""
        ids = ["id %d" % number for number in range(24)]
        values = {}
        for buckets in (2, 4):
            self.make_anew(buckets)
            with harness.Server("-read-only", root=self.root) as server, server.client() as client:
                values[buckets] = {id: self.read(client, 0, id=id) for id in ids}
        moved = [id for id in ids if values[2][id][1].startswith(b"bucket 1")
                 and not values[4][id][1].startswith(b"bucket 1")]
        opens_other = next(id for id in ids if values[2][id][1].startswith(b"bucket 0"))
        self.assertGreater(len(moved), 2)
        for id in moved:
            self.make_anew(2)
            self.assertEqual(values[2][opens_other], self.read(self.reading, 0, id=opens_other))
            self.make_anew(4)
            self.assertEqual(values[4][id], self.read(self.reading, 0, id=id))

    def make_bucket(self, buckets, index):
        records.write_bucket(self.root, "p", [b"bucket %d of %d" % (index, buckets)], index=index,
                             buckets=buckets)

    def test_a_reply_goes_on_in_the_file_that_it_has_begun_in(self):
        value = random.Random(1).randbytes(8 << 20)
        self.make([value])
        sock = self.enterContext(self.server.send("GET", "/get?id=x&offset=0&storagePrefix=p",
                                                  receive_buffer=4096))
        status, headers = harness.receive_head(sock)
        for number in range(5):
            shutil.rmtree(os.path.join(self.root, "p"))
            self.make([b"other %d" % number])
            self.assertEqual((200, b"other %d" % number), self.read(self.reading, 0))
        self.assertEqual(value, harness.receive_body(sock, int(headers["content-length"])))

    def test_many_reads_beside_growing_files(self):
        """Of each offset: 404 before it is whole, the value afterwards, and nothing else."""
        draw = random.Random(3)
        values = [draw.randbytes(draw.choice((1, 100, 3000))) for _ in range(3000)]
        offsets, data = [], bytearray()
        for value in values:
            offsets.append(len(data))
            data += records.encode(value)
        self.make([])
        self.grown, self.asked = 0, 0

        def grow():
            """As far as the reads are, in pieces that end anywhere."""
            while self.grown < len(data):
                due = len(data) * self.asked // (READS * 9 // 10)
                if self.grown <= due:
                    end = self.grown + random.randrange(1, 4000)
                    self.add(data[self.grown:end])
                    self.grown = min(end, len(data))
                else:
                    wakes.wait(harness.TIMEOUT_SECONDS)
                    wakes.clear()

        wakes = threading.Event()
        thread = threading.Thread(target=grow)
        thread.start()
        found = missing = 0
        while self.asked < READS:
            low = self.grown
            last = sum(offset < low for offset in offsets[::30]) * 30 + 60
            chosen = [draw.randrange(min(last, len(values))) for _ in range(OFFSETS_A_REQUEST)]
            body = self.reading.request(
                "POST", "/getMulti", struct.pack("<%dQ" % len(chosen),
                                                 *(offsets[i] for i in chosen)),
                id="x", storagePrefix="p", errors="each")[2]
            for i, entry in zip(chosen, protocol.split_each(body), strict=True):
                if entry == values[i]:
                    found += 1
                    continue
                self.assertEqual(404, entry[0], entry)
                self.assertGreater(offsets[i] + 16 + len(values[i]), low)
                missing += 1
            self.asked += len(chosen)
            wakes.set()
        thread.join()
        self.assertGreater(missing, READS // 100)
        self.assertGreater(found, READS // 2)
        for i, offset in enumerate(offsets[-100:], len(offsets) - 100):
            self.assertEqual((200, values[i]), self.read(self.reading, offset))


@unittest.skipUnless(harness.SANITIZE == "none", "sanitizers make system calls of their own")
@needs_strace
class Calls(TestCase):
    def test_nothing_is_written_made_locked_or_changed(self):
        writer = self.writer("-buckets", "3")
        source = self.client(writer)
        trace = os.path.join(self.directory(), "trace")
        reader = self.enterContext(TracedReader(writer.root, trace))
        client = self.client(reader)
        stored = [(id, source.append(id, b"value of " + id.encode(), "p"))
                  for id in ("a", "b", "c", "d")]
        for id, offset in stored:
            self.assertEqual((200, b"value of " + id.encode()), self.read(client, offset, id=id))
            client.get_multi(id, [offset], "p")
            for path in ("/append", "/appendMulti"):
                self.assertEqual(403, client.request("POST", path, b"\1\0\0\0x", id=id, sync=1,
                                                     storagePrefix="new")[0])
        for bucket in range(3):
            client.request("GET", "/scan", bucket=bucket, offset=0, storagePrefix="p")
            client.request("GET", "/scan", bucket=bucket, offset=0, storagePrefix="p", synced=1)
        for path in ("/ends", "/prefixes", "/readyz", "/metrics", "/close"):
            client.request("GET", path, storagePrefix="p")
        self.add_torn(writer.bucket("p"))
        client.request("GET", "/scan", bucket=0, offset=0, storagePrefix="p")
        client.request("GET", "/ends", storagePrefix="p")
        shutil.copytree(os.path.join(writer.root, "p"), os.path.join(writer.root, "torn"))
        os.unlink(os.path.join(writer.root, "torn", "MANIFEST"))
        client.request("GET", "/get", id="a", offset=0, storagePrefix="torn")
        reader.stop()
        calls = {}
        with open(trace, errors="replace") as file:
            for line in file:
                # one that another thread interrupts has a second line, without its arguments
                found = re.match(r"(?:\d+ +)?(\w+)\(", line)
                if found and writer.root in line:
                    calls.setdefault(found.group(1), []).append(line)
        self.assertLessEqual({"openat", "statx", "fgetxattr"}, set(calls))
        self.assertEqual({}, {name: lines for name, lines in calls.items()
                              if name not in READING and name not in ("execve", "write", "writev")})
        for name in ("write", "writev"):  # the log, and replies, which name files
            for line in calls.get(name, ()):
                self.assertNotRegex(line, r"\w+\(\d+<%s" % re.escape(writer.root))
        for line in calls["openat"] + calls.get("open", []):
            self.assertRegex(line, r"O_RDONLY")
            self.assertNotRegex(line, r"O_(CREAT|TRUNC|WRONLY|RDWR|APPEND|TMPFILE)")

    def add_torn(self, path):
        with open(path, "ab") as file:
            file.write(records.encode(b"torn")[:-1])


class TracedReader(harness.Server):
    """self.process is strace, which shows the path of each descriptor."""

    def __init__(self, root, trace):
        super().__init__("-read-only", root=root,
                         under=["strace", "-f", "-y", "-s", "4096", "-o", trace])

    def stop(self, signal_number=signal.SIGTERM):
        if self.process.poll() is None:
            with open("/proc/%d/task/%d/children" % (2 * (self.process.pid,))) as file:
                os.kill(int(file.read().split()[0]), signal_number)
        return self.process.wait(harness.TIMEOUT_SECONDS)


if __name__ == "__main__":
    suite.main()
