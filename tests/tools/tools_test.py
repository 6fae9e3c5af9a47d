"""verify, dump and repair, on files of the real server and on files made without its code."""
import datetime
import errno
import os
import pty
import random
import resource
import select
import shutil
import signal
import stat
import struct
import subprocess
import tempfile
import threading
import unittest
import zlib

import harness
import records

FAIL_TOOL = os.environ["FAIL_TOOL"]
PAGE = 4096
SEEDS = int(os.environ.get("SEEDS", "150"))  # more by hand, to look for new cases

# Bytes worked out by hand, not with the encoder of these tests: "hello" at 2018-02-10 12:06:21 UTC,
# a header with one bit wrong in its length over "!", "hello" again, the beginning of a third.
GOLDEN = bytes.fromhex("05000000" "0022a21069f51115" "e4704544" "68656c6c6f"
                       "03000000" "0100000000000000" "9e8ada2c" "21"
                       "05000000" "0022a21069f51115" "e4704544" "68656c6c6f"
                       "05000000" "0022a21069f51115" "e4704544" "6865")


def run(*arguments, fail_read=None, fail_call=None, **options):
    env = dict(os.environ)
    if fail_read or fail_call:
        preload = [FAIL_TOOL]
        if harness.SANITIZE in ("address", "thread"):
            preload.insert(0, harness.sanitizer_runtime())
        env["LD_PRELOAD"] = " ".join(p for p in preload if p)
        if fail_read:
            env["FAIL_READ"] = "%d-%d" % fail_read
        if fail_call:
            env["FAIL_CALL"] = "%s:%d" % fail_call
    options.setdefault("stdout", subprocess.PIPE)
    return subprocess.run([harness.BINARY, *arguments], stderr=subprocess.PIPE, env=env,
                          timeout=harness.TIMEOUT_SECONDS, **options)


class Case(unittest.TestCase):
    def setUp(self):
        self.directory = tempfile.mkdtemp(prefix="rochefort-tools-")
        self.addCleanup(shutil.rmtree, self.directory)

    def path(self, name="append.0.raw"):
        return os.path.join(self.directory, name)

    def write(self, content, name="append.0.raw"):
        os.makedirs(os.path.dirname(self.path(name)), exist_ok=True)
        with open(self.path(name), "wb") as file:
            file.write(content)
        return self.path(name)

    def check(self, status, *arguments, **options):
        """Runs a tool and answers (standard output, standard error)."""
        result = run(*arguments, **options)
        out = (result.stdout or b"").decode(errors="replace")
        err = result.stderr.decode()
        self.assertNotIn("Sanitizer", err)
        self.assertEqual(status, result.returncode, out + err)
        return out, err

    def dump(self, status, path, **options):
        """{offset: (time, length)}"""
        out, _ = self.check(status, "dump", path, **options)
        found = {}
        for line in out.splitlines():
            offset, time, length = line.split(" ")
            found[int(offset)] = (time, int(length))
        return found


def read(path):
    with open(path, "rb") as file:
        return file.read()


def three():
    values = [b"a" * 20, b"b" * 5000, b"c" * 70]
    encoded = [records.encode(value) for value in values]
    offsets = [sum(len(e) for e in encoded[:i]) for i in range(3)]
    return values, offsets, b"".join(encoded)


class Verify(Case):
    def test_whole(self):
        path = self.write(three()[2])
        out, err = self.check(0, "verify", path)
        self.assertEqual("%s: 3 records, 5138 bytes: whole\n"
                         "total: 1 files, 3 records, 5138 bytes: whole\n" % path, out)
        self.assertEqual("", err)

    def test_golden_damage(self):
        path = self.write(GOLDEN)
        out, _ = self.check(1, "verify", path)
        self.assertEqual("%s: offset 21: damaged range, 17 bytes\n"
                         "%s: offset 59: torn tail, 18 bytes\n"
                         "%s: 2 records, 77 bytes, 1 damaged range (17 bytes), "
                         "1 torn tail (18 bytes): damaged\n"
                         "total: 1 files, 2 records, 77 bytes, 1 damaged range (17 bytes), "
                         "1 torn tail (18 bytes): damaged\n" % (path, path, path), out)

    def test_root_and_prefix(self):
        for name in ("p/append.10.raw", "p/append.9.raw", "p/notes", "q/append.0.raw", "r/other"):
            self.write(three()[2], name)
        for number in range(9):
            self.write(b"", "p/append.%d.raw" % number)
        out, _ = self.check(0, "verify", self.directory)
        names = [os.path.relpath(line.split(":")[0], self.directory)
                 for line in out.splitlines()[:-1]]
        self.assertEqual(["p/append.%d.raw" % n for n in range(11)] + ["q/append.0.raw"], names)
        self.assertIn("total: 12 files, 9 records", out)
        out, _ = self.check(0, "verify", self.path("p"), self.path("q/append.0.raw"))
        self.assertIn("total: 12 files, 9 records", out)

    def test_missing_bucket_is_damage(self):
        for number in (0, 1, 3):
            self.write(b"", "p/append.%d.raw" % number)
        out, err = self.check(1, "verify", self.directory)
        self.assertIn("total: 3 files, 1 missing, 0 records", out)
        self.assertIn("append.2.raw: missing", err)

    def test_creation_cut_short_is_no_damage(self):
        self.write(b"", "p/append.3.raw")
        _, err = self.check(0, "verify", self.directory)
        self.assertIn("append.0.raw to append.2.raw are missing", err)

    def test_unreadable_is_2_also_if_the_rest_is_damaged_or_whole(self):
        self.write(GOLDEN, "p/append.0.raw")
        os.symlink("append.0.raw", self.path("p/append.1.raw"))
        out, err = self.check(2, "verify", self.directory)
        self.assertIn("p/append.1.raw: a symbolic link", err)
        self.assertIn("1 damaged range", out)
        os.unlink(self.path("p/append.1.raw"))
        os.mkfifo(self.path("p/append.1.raw"))
        _, err = self.check(2, "verify", self.directory)
        self.assertIn("not a regular file", err)
        os.unlink(self.path("p/append.1.raw"))
        os.symlink("p", self.path("link"))
        _, err = self.check(2, "verify", self.directory)
        self.assertIn("link: not followed", err)
        self.check(1, "verify", self.path("link"))  # named by the user: followed
        for path in (self.path("none"), "/dev/null", self.write(b"", "x/y") and self.path("x")):
            out, err = self.check(2, "verify", path)
            self.assertRegex(err, r"\Arochefort: %s: [^\n]+\n\Z" % path)
            self.assertNotIn("whole", out)

    @unittest.skipIf(os.getuid() != 0, "only root can become somebody who may not read")
    def test_permissions(self):
        os.chmod(self.directory, 0o755)
        path = self.write(three()[2], "p/append.0.raw")
        os.chmod(path, 0)
        program = self.path("rochefort")  # where that user may come, wherever the build is
        shutil.copy(harness.BINARY, program)

        def become_nobody():
            os.setgroups([])
            os.setgid(65534)
            os.setuid(65534)
        for argument, what in ((path, path), (self.path("p"), path), (self.directory, path)):
            result = subprocess.run([program, "verify", argument], capture_output=True,
                                    text=True, timeout=60, preexec_fn=become_nobody)
            self.assertEqual(2, result.returncode)
            self.assertIn(what + ": Permission denied", result.stderr)

    def test_bad_sector_in_a_value(self):
        # 36 bytes, 20016 bytes, 21 bytes: the page lies inside the second value
        path = self.write(b"".join(map(records.encode, (b"a" * 20, b"b" * 20000, b"c" * 5))))
        out, _ = self.check(1, "verify", path, fail_read=(PAGE, PAGE + 4))
        self.assertIn("offset 36: record, 20016 bytes, of which the disk cannot read 4096\n", out)
        self.assertIn("%s: 3 records, 20073 bytes, 1 unreadable record (4096 bytes): damaged\n" %
                      path, out)
        _, err = self.check(2, "verify", path, fail_call=("pread", errno.ESTALE))
        self.assertIn(path + ": Stale", err)

    def test_bad_sector_over_headers(self):
        values = [b"%03d" % n + bytes(97) for n in range(300)]
        path = self.write(b"".join(map(records.encode, values)))
        found = self.dump(1, path, fail_read=(2 * PAGE, 3 * PAGE))
        wanted = {n * 116 for n in range(300)
                  if not (n * 116 + 16 > 2 * PAGE and n * 116 < 3 * PAGE)}
        self.assertEqual(wanted, set(found))

    def test_full_output_and_closed_pipe(self):
        path = self.write(three()[2] * 20000)
        for command in ("verify", "dump"):
            with open("/dev/full", "wb") as full:
                _, err = self.check(1, command, path, stdout=full)
            self.assertIn("standard output: No space left", err)
        for restore in (True, False):  # SIGPIPE as a shell sets it, and ignored as by nohup
            process = subprocess.Popen([harness.BINARY, "dump", path], stdout=subprocess.PIPE,
                                       stderr=subprocess.PIPE, restore_signals=restore)
            process.stdout.readline()
            process.stdout.close()
            self.assertEqual(b"", process.stderr.read())
            process.stderr.close()
            self.assertEqual(-signal.SIGPIPE if restore else 1, process.wait(60))

    def test_progress_only_on_a_terminal(self):
        with open(self.path(), "wb") as file:
            for _ in range(40):
                file.write(records.encode(bytes(1 << 20)))
        _, err = self.check(0, "verify", self.path())
        self.assertEqual("", err)
        ours, theirs = pty.openpty()
        process = subprocess.Popen([harness.BINARY, "verify", self.path()], stderr=theirs,
                                   stdout=subprocess.DEVNULL)
        os.close(theirs)
        shown = b""
        while select.select([ours], [], [], harness.TIMEOUT_SECONDS)[0]:
            try:
                part = os.read(ours, 4096)
            except OSError:  # the other side is closed
                break
            shown += part
        os.close(ours)
        self.assertEqual(0, process.wait(60))
        self.assertIn(b"of 40 MiB", shown)
        self.assertTrue(shown.endswith(b"\r\033[K"), shown)

    def test_usage(self):
        for arguments in ([], ["-x"], ["--nonsense", "f"]):
            for command in ("verify", "dump", "repair"):
                out, err = self.check(2, command, *arguments)
                self.assertEqual("", out)
                self.assertRegex(err, r"\A[^\n]*usage: rochefort %s [^\n]*\n\Z" % command)
        self.check(2, "repair", "a", "b", "c")
        for command in ("verify", "dump", "repair"):
            out, _ = self.check(0, command, "-help")
            self.assertIn("usage: rochefort " + command, out)
            self.assertIn("rochefort " + command, self.check(0, "-help")[0])


class Dump(Case):
    def test_lines(self):
        times = [0, 1, 1518264381123456789, 2**64 - 1]
        path = self.write(b"".join(records.encode(b"v" * n, t) for n, t in enumerate(times)))
        out, _ = self.check(0, "dump", path)
        wanted = []
        for n, time_ns in enumerate(times):
            moment = datetime.datetime(1970, 1, 1) + datetime.timedelta(seconds=time_ns // 10**9)
            offset = sum(16 + k for k in range(n))
            wanted.append("%d %s.%09dZ %d" % (offset, moment.isoformat(), time_ns % 10**9, n))
        # length 0 and time 0 is a gap of 16 bytes, not a record
        self.assertEqual(wanted[1:], out.splitlines())

    def test_values(self):
        values, offsets, data = three()
        path = self.write(data)
        out = run("dump", path, str(offsets[2]), str(offsets[0])).stdout
        self.assertEqual(values[2] + values[0], out)
        self.assertEqual(values[1], run("dump", "--", path, str(offsets[1])).stdout)
        for offset in (1, 37, len(data), len(data) - 3, 2**63 - 1):
            out, err = self.check(1, "dump", path, str(offset))
            self.assertEqual(("", "rochefort: %s: offset %d: no record starts there\n" %
                              (path, offset)), (out, err))
        for offset in ("-1", "x", "1x", "", " 1", str(2**63)):
            self.check(2, "dump", path, offset)
        self.write(data[:-1])
        self.assertIn("cut short", self.check(1, "dump", path, str(offsets[2]))[1])
        self.assertIn("Input/output", self.check(1, "dump", path, str(offsets[1]),
                                                 fail_read=(4096, 4097))[1])


class Repair(Case):
    def repair(self, path, out):
        before = read(path)
        printed, _ = self.check(0, "repair", path, out)
        self.assertEqual(before, read(path))
        self.assertEqual(os.path.getsize(path), os.path.getsize(out))
        self.check(0, "verify", out)
        return printed

    def test_whole_file_is_copied_as_it_is(self):
        path = self.write(three()[2] + records.encode(bytes(100000)) + records.encode(b"end"))
        os.chmod(path, 0o640)
        self.check(0, "repair", path)
        out = path + ".repaired"
        self.assertEqual(read(path), read(out))
        self.assertEqual(0o640, stat.S_IMODE(os.stat(out).st_mode))
        self.assertEqual([os.path.basename(path), os.path.basename(out)],
                         sorted(os.listdir(self.directory)))

    def test_golden(self):
        path, out = self.write(GOLDEN), self.path("out")
        printed = self.repair(path, out)
        self.assertEqual("%s: offset 21: dropped: damaged range, 17 bytes\n"
                         "%s: offset 59: dropped: torn tail, 18 bytes\n"
                         "%s: kept 2 records of 42 bytes, dropped 2 ranges of 35 bytes; "
                         "all offsets are as before\n" % (path, path, out), printed)
        # a gap: length 0, the number of bytes after it in place of the time, the sum, zeros
        gap_1, gap_2 = records.encode(b"", 1) + b"\0", records.encode(b"", 2) + b"\0\0"
        self.assertEqual(GOLDEN[:21] + gap_1 + GOLDEN[38:59] + gap_2, read(out))
        again = self.path("again")
        self.assertIn("dropped 0 ranges", self.repair(out, again))
        self.assertEqual(read(out), read(again))

    def test_pieces_smaller_than_a_header(self):
        for count in range(1, 16):
            path = self.write(records.encode(b"a") + b"\1" * count + records.encode(b"b"))
            out = self.path("out%d" % count)
            self.repair(path, out)
            self.assertEqual({0, 17 + count}, set(self.dump(0, out)))

    def test_the_server_goes_on_with_the_copy_and_no_offset_lies(self):
        with harness.Server("-buckets", "1") as server:
            file = os.path.join(server.root, "default", "append.0.raw")
            values = {}
            with server.client() as client:
                for n in range(60):
                    value = b"value %d " % n + b"x" * (n * 7 % 50)
                    values[client.append("a", value)] = value
            server.kill()
            offsets = sorted(values)
            with open(file, "r+b") as damaged:
                for lost in (offsets[3], offsets[4], offsets[30]):
                    damaged.seek(lost + 13)
                    byte = damaged.read(1)[0]
                    damaged.seek(lost + 13)
                    damaged.write(bytes([byte ^ 0xa5]))  # another one, whatever it was
                damaged.truncate(offsets[-1] + 20)
            lost = {offsets[3], offsets[4], offsets[30], offsets[-1]}
            self.repair(file, file + ".repaired")
            os.rename(file + ".repaired", file)
            server.start()
            with server.client() as client:
                for _ in range(5):
                    offset = client.append("a", b"new")
                    self.assertNotIn(offset, values)
                for offset in offsets:
                    status, _, body = client.request("GET", "/get", id="a", offset=offset)
                    if offset in lost:
                        self.assertEqual(404, status)
                    else:
                        self.assertEqual((200, values[offset]), (status, body))
            self.check(0, "verify", file)

    def test_bad_sector(self):
        path = self.write(b"".join(map(records.encode, (b"a" * 20, b"b" * 20000, b"c" * 5))))
        out = self.path("out")
        printed, _ = self.check(0, "repair", path, out, fail_read=(PAGE, PAGE + 4))
        self.assertIn("offset 36: dropped: a record that the disk cannot read, 20016 bytes", printed)
        self.assertEqual({0, 36 + 20016}, set(self.dump(0, out)))

    def test_never_over_a_file(self):
        path, out = self.write(three()[2]), self.write(b"precious", "out")
        self.check(1, "repair", path, out)
        self.check(1, "repair", path, path)
        self.assertEqual(b"precious", read(out))
        for name in ("dangling", "dangling2.partial"):
            os.symlink("nowhere", self.path(name))
            self.check(1, "repair", path, self.path(name).removesuffix(".partial"))
            self.assertTrue(os.path.islink(self.path(name)))
        self.assertEqual({"append.0.raw", "out", "dangling", "dangling2.partial"},
                         set(os.listdir(self.directory)))

    def test_every_failing_call_leaves_nothing_behind(self):
        path, out = self.write(GOLDEN), self.path("out")
        for call in ("pwrite", "ftruncate", "fsync", "renameat2"):
            for number in (errno.EIO, errno.ENOSPC):
                _, err = self.check(1, "repair", path, out, fail_call=(call, number))
                self.assertIn(os.strerror(number), err)
                self.assertIn(out, err)
                self.assertEqual(["append.0.raw"], os.listdir(self.directory), call)
        _, err = self.check(2, "repair", path, out, fail_call=("pread", errno.ESTALE))
        self.assertIn(path + ": Stale", err)
        self.assertEqual(["append.0.raw"], os.listdir(self.directory))
        # a file system that cannot rename so
        self.check(0, "repair", path, out, fail_call=("renameat2", errno.EINVAL))
        self.assertEqual({"append.0.raw", "out"}, set(os.listdir(self.directory)))

    def test_disk_full(self):
        """A real one: OUT is on a tmpfs of 1 MiB, in a mount namespace of its own."""
        path = self.write(records.encode(os.urandom(3 << 20)))
        os.mkdir(self.path("small"))
        script = ('mount -t tmpfs -o size=1m none "$1" || exit 77\n'
                  '"$2" repair "$3" "$1/out"; status=$?\n'
                  'ls -A "$1"; exit $status')
        become_root = [] if os.getuid() == 0 else ["--user", "--map-root-user"]
        result = subprocess.run(["unshare", *become_root, "--mount", "sh", "-c", script, "sh",
                                 self.path("small"), harness.BINARY, path],
                                capture_output=True, text=True, timeout=60)
        self.assertEqual((1, ""), (result.returncode, result.stdout), result.stderr)
        self.assertIn("No space left on device", result.stderr)

    def test_file_size_limit(self):
        path = self.write(records.encode(os.urandom(1 << 20)))
        limit = (1 << 19, resource.getrlimit(resource.RLIMIT_FSIZE)[1])
        _, err = self.check(1, "repair", path, self.path("out"), preexec_fn=lambda:
                            resource.setrlimit(resource.RLIMIT_FSIZE, limit))
        self.assertIn("File too large", err)
        self.assertEqual(["append.0.raw"], os.listdir(self.directory))

    def start_long_repair(self):
        """Of a value that is one hole of a sparse file: long to read, quick to make. Answers (process, OUT)."""
        with open(self.path(), "wb") as file:
            file.write(header_of((1 << 32) - 1))
            file.truncate(file.tell() + (1 << 32) - 1)
        out = self.path("out")
        process = subprocess.Popen([harness.BINARY, "repair", self.path(), out],
                                   stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        self.addCleanup(process.stderr.close)
        harness.wait_for(lambda: os.path.exists(out + ".partial"), "the output")
        return process, out

    def test_interrupted(self):
        process, _ = self.start_long_repair()
        process.send_signal(signal.SIGTERM)
        self.assertEqual(1, process.wait(harness.TIMEOUT_SECONDS))
        self.assertIn("interrupted", process.stderr.read().decode())
        self.assertEqual(["append.0.raw"], os.listdir(self.directory))

    def test_file_that_appears_meanwhile_is_not_written_over(self):
        process, out = self.start_long_repair()
        self.write(b"precious", "out")
        self.assertEqual(1, process.wait(harness.TIMEOUT_SECONDS))
        self.assertIn(out, process.stderr.read().decode())
        self.assertEqual(b"precious", read(out))
        self.assertEqual({"append.0.raw", "out"}, set(os.listdir(self.directory)))

    def test_sparse_stays_sparse(self):
        path, out = self.path(), self.path("out")
        with open(path, "wb") as file:
            file.write(records.encode(b"first"))
            file.seek(1 << 40)
            file.write(records.encode(b"last"))
        self.check(0, "repair", path, out)
        self.assertEqual((1 << 40) + 20, os.path.getsize(out))
        self.assertLess(os.stat(out).st_blocks * 512, 1 << 20)
        self.assertEqual({0, 1 << 40}, set(self.dump(0, out)))


def is_header(data):
    return len(data) == 16 and data[12:] == struct.pack("<I", zlib.crc32(data[:12]))


def header_of(length, time_ns=1518264381000000000):
    """A header without its value."""
    head = struct.pack("<IQ", length, time_ns)
    return head + struct.pack("<I", zlib.crc32(head))


class InUse(Case):
    def test_is_reported_and_the_lock_is_left_alone(self):
        with harness.Server("-buckets", "2") as server, server.client() as client:
            client.append("a", b"value")
            file = os.path.join(server.root, "default", "append.0.raw")
            for path in (server.root, os.path.join(server.root, "default"), file):
                _, err = self.check(0, "verify", path)
                self.assertIn("a rochefort is using it", err)
            _, err = self.check(0, "repair", file, self.path("out"))
            self.assertIn("not in the copy", err)
            server.kill()
            _, err = self.check(0, "verify", server.root)
            self.assertEqual("", err)
            server.start()

    def test_file_that_is_appended_to_is_never_damaged(self):
        with harness.Server("-buckets", "1") as server:
            file = os.path.join(server.root, "default", "append.0.raw")
            stop = threading.Event()

            def append():
                with server.client() as client:
                    while not stop.is_set():
                        client.append("a", os.urandom(300000))
            threads = [threading.Thread(target=append) for _ in range(3)]
            for thread in threads:
                thread.start()
            try:
                harness.wait_for(lambda: os.path.exists(file) and os.path.getsize(file) > 0,
                                 "an append")
                for _ in range(20):
                    out = run("verify", file).stdout.decode()
                    # A tail under way may be seen, damage never.
                    self.assertNotIn("damaged range", out)
            finally:
                stop.set()
                for thread in threads:
                    thread.join()
            self.check(0, "verify", file)


class Random(Case):
    """Damage at random, with printed seeds: what it has not touched is found."""

    def setUp(self):
        super().setUp()
        self.copies = []  # (offset, length) of each with damage on both sides, of all seeds

    def make(self, chance):
        """[(offset, length)] and the bytes"""
        data, places = b"", []
        for n in range(chance.randrange(2, 60)):
            length = chance.choice((1, 5, 20, 100, chance.randrange(1, 5000)))
            value = chance.randbytes(length)
            if chance.random() < 0.1:  # a copy of an older file, maybe cut
                value = b"".join(records.encode(chance.randbytes(30), 10**18 + k)
                                 for k in range(chance.randrange(1, 8)))
                if chance.random() < 0.5:
                    value = value[:-chance.randrange(1, 30)]
            places.append((len(data), 16 + len(value)))
            data += records.encode(value, 1518264381 * 10**9 + n)
        return places, bytearray(data)

    def check_found(self, seed, places, data, touched):
        path = self.write(data, "append.%d.raw" % seed)
        found = self.dump(1, path)
        hidden = []
        for offset, size in places:
            if any(a < offset + size and b > offset for a, b in touched):
                continue
            if offset not in found and self.is_inside_a_copy(found, offset, offset + size):
                hidden.append((offset, size))
                continue
            if offset not in found and self.is_copy_between_damage(found, data, touched, offset,
                                                                   size):
                self.copies.append((offset, size))
                continue
            self.assertIn(offset, found, "seed %d" % seed)
            self.assertEqual(size - 16, found[offset][1])
        return path, found, hidden

    def is_inside_a_copy(self, found, begin, end):
        """The documented case: the header over a copy is damaged, the copy is cut off, and the last
        record in it claims all of a later record."""
        return any(time.startswith("2001-") and offset < begin and end <= offset + 16 + length
                   for offset, (time, length) in found.items())

    def is_copy_between_damage(self, found, data, touched, offset, size):
        """The documented case: there is damage before and after a copy, so the records in it are
        found in its place."""
        before = [end for _, end in touched if end <= offset]
        after = [begin for begin, _ in touched if offset + size <= begin < offset + size + 16]
        skipped = [o for o, (time, _) in found.items()
                   if before and max(before) <= o < offset and not time.startswith("2001-")]
        return bool(before and after and not skipped and is_header(data[offset + 16:offset + 32])
                    and found.get(offset + 16, ("",))[0].startswith("2001-"))

    def test_overwritten(self):
        exempted = 0
        for seed in range(SEEDS):
            with self.subTest(seed=seed):
                chance = random.Random(seed)
                places, data = self.make(chance)
                touched = []
                for _ in range(chance.randrange(1, 4)):
                    # begins in a header, so that it shows; may run over the next ones
                    offset, _ = chance.choice(places)
                    begin = offset + chance.randrange(16)
                    count = min(chance.choice((1, 3, 16, 200, 3000)), len(data) - begin)
                    data[begin] ^= chance.randrange(1, 256)
                    for at in range(begin + 1, begin + count):
                        data[at] = chance.choice((0, chance.randrange(256)))
                    touched.append((begin, begin + count))
                path, found, hidden = self.check_found(seed, places, data, touched)
                # what else is found lies in records that were touched
                true = {offset for offset, _ in places}
                for offset in set(found) - true:
                    self.assertTrue(any(o < offset < o + s and (
                        (o, s) in self.copies or any(a < o + s and b > o for a, b in touched))
                        for o, s in places), offset)
                self.check(0, "repair", path, path + ".out")
                self.assertEqual(found, self.dump(0, path + ".out"))
                repaired = read(path + ".out")
                for offset, (_, length) in found.items():
                    end = offset + 16 + length
                    self.assertEqual(data[offset:end], repaired[offset:end])
                for offset, size in hidden:  # not listed, but where it was
                    self.assertEqual(data[offset + 16:offset + size],
                                     run("dump", path + ".out", str(offset)).stdout)
                exempted += bool(hidden)
        self.assertLessEqual(exempted + len(self.copies), SEEDS // 50)  # must not hide a fault

    def test_cut_out_and_written_over(self):
        exempted = 0
        for seed in range(1000, 1000 + SEEDS):
            with self.subTest(seed=seed):
                chance = random.Random(seed)
                places, data = self.make(chance)
                torn = chance.randrange(len(places))
                offset, size = places[torn]
                keep = chance.randrange(1, size)
                gone = size - keep
                del data[offset + keep:offset + size]
                claimed = offset + size
                if torn + 1 < len(places) and (claimed == len(data) or
                                               is_header(data[claimed:claimed + 16])):
                    continue  # documented: its false end fits
                places = places[:torn] + [(o - gone, s) for o, s in places[torn + 1:]]
                _, _, hidden = self.check_found(seed, places, data, [(offset, offset + keep)])
                exempted += bool(hidden)
        self.assertLessEqual(exempted, SEEDS // 50)
        self.assertEqual([], self.copies)  # one damage has no two sides


if __name__ == "__main__":
    unittest.main()
