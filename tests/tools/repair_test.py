"""repair: copies that keep every offset, and what is left behind when one fails."""
import errno
import os
import resource
import signal
import stat
import subprocess

import capabilities
import harness
import records
import suite
import tool_case


class Repair(tool_case.Case):
    def repair(self, path, out):
        before = tool_case.read(path)
        printed, _ = self.check(0, "repair", path, out)
        self.assertEqual(before, tool_case.read(path))
        self.assertEqual(os.path.getsize(path), os.path.getsize(out))
        self.check(0, "verify", out)
        return printed

    def test_whole_file_is_copied_as_it_is(self):
        path = self.write(tool_case.three()[2] + records.encode(bytes(100000)) +
                          records.encode(b"end"))
        os.chmod(path, 0o640)
        self.check(0, "repair", path)
        out = path + ".repaired"
        self.assertEqual(tool_case.read(path), tool_case.read(out))
        self.assertEqual(0o640, stat.S_IMODE(os.stat(out).st_mode))
        self.assertEqual([os.path.basename(path), os.path.basename(out)],
                         sorted(os.listdir(self.directory)))

    def test_golden(self):
        path, out = self.write(tool_case.GOLDEN), self.path("out")
        printed = self.repair(path, out)
        self.assertEqual("%s: offset 21: dropped: damaged range, 17 bytes\n"
                         "%s: offset 59: dropped: torn tail, 18 bytes\n"
                         "%s: kept 2 records of 42 bytes, dropped 2 ranges of 35 bytes; "
                         "all offsets are as before\n" % (path, path, out), printed)
        # a gap: length 0, the number of bytes after it in place of the time, the sum, zeros
        gap_1, gap_2 = records.encode(b"", 1) + b"\0", records.encode(b"", 2) + b"\0\0"
        self.assertEqual(tool_case.GOLDEN[:21] + gap_1 + tool_case.GOLDEN[38:59] + gap_2,
                         tool_case.read(out))
        again = self.path("again")
        self.assertIn("dropped 0 ranges", self.repair(out, again))
        self.assertEqual(tool_case.read(out), tool_case.read(again))

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
        printed, _ = self.check(0, "repair", path, out,
                                fail_read=(tool_case.PAGE, tool_case.PAGE + 4))
        self.assertIn("offset 36: dropped: a record that the disk cannot read, 20016 bytes",
                      printed)
        self.assertEqual({0, 36 + 20016}, set(self.dump(0, out)))

    def test_a_file_without_a_record_is_refused(self):
        for content in (b"x", b"no record" * 1000, bytes(100000), tool_case.three()[2][1:17]):
            path = self.write(content)
            _, err = self.check(1, "repair", path, self.path("out"))
            self.assertIn("%s: no record is in it, so nothing can be repaired; no copy is made\n" %
                          path, err)
            self.assertEqual(["append.0.raw"], os.listdir(self.directory))
        path = self.write(b"")  # whole: nothing is lost
        self.check(0, "repair", path, self.path("out"))
        self.assertEqual(b"", tool_case.read(self.path("out")))

    def test_an_empty_record_is_kept(self):
        path = self.write(records.encode(b"") + b"damage" + records.encode(b""))
        self.check(0, "repair", path, self.path("out"))
        self.assertEqual({0, 22}, set(self.dump(0, self.path("out"))))

    def test_a_directory_is_refused_with_what_to_do(self):
        self.write(tool_case.GOLDEN, "p/append.0.raw")
        for directory in (self.directory, self.path("p")):
            _, err = self.check(2, "repair", directory)
            self.assertIn("%s: a directory; repair takes one file: rochefort verify %s says which" %
                          (directory, directory), err)

    def test_never_over_a_file(self):
        path, out = self.write(tool_case.three()[2]), self.write(b"precious", "out")
        self.check(1, "repair", path, out)
        self.check(1, "repair", path, path)
        self.assertEqual(b"precious", tool_case.read(out))
        for name in ("dangling", "dangling2.partial"):
            os.symlink("nowhere", self.path(name))
            self.check(1, "repair", path, self.path(name).removesuffix(".partial"))
            self.assertTrue(os.path.islink(self.path(name)))
        self.assertEqual({"append.0.raw", "out", "dangling", "dangling2.partial"},
                         set(os.listdir(self.directory)))

    def test_every_failing_call_leaves_nothing_behind(self):
        path, out = self.write(tool_case.GOLDEN), self.path("out")
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

    @capabilities.needs_mounts
    def test_disk_full(self):
        """A real one: OUT is on a tmpfs of 1 MiB, in a mount namespace of its own."""
        path = self.write(records.encode(os.urandom(3 << 20)))
        os.mkdir(self.path("small"))
        script = ('mount -t tmpfs -o size=1m none "$1" || exit 3\n'
                  '"$2" repair "$3" "$1/out"; status=$?\n'
                  'ls -A "$1"; exit $status')
        result = subprocess.run([*capabilities.mount_namespace(), "sh", "-c", script, "sh",
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
        """Of a value that is one hole of a sparse file: long to read, quick to make. Answers
        (process, OUT)."""
        with open(self.path(), "wb") as file:
            file.write(records.header((1 << 32) - 1, records.TIME_NS))
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
        self.assertEqual(b"precious", tool_case.read(out))
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


if __name__ == "__main__":
    suite.main()
