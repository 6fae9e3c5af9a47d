"""verify: what it prints and how it ends, on files of the server and on files made without it."""
import errno
import os
import pty
import select
import shutil
import signal
import subprocess
import threading

import capabilities
import harness
import records
import suite
import tool_case


class Verify(tool_case.Case):
    def test_whole(self):
        path = self.write(tool_case.three()[2])
        out, err = self.check(0, "verify", path)
        self.assertEqual("%s: 3 records, 5138 bytes: whole\n"
                         "total: 1 files, 3 records, 5138 bytes: whole\n" % path, out)
        self.assertEqual("", err)

    def test_golden_damage(self):
        path = self.write(tool_case.GOLDEN)
        out, _ = self.check(1, "verify", path)
        self.assertEqual("%s: offset 21: damaged range, 17 bytes\n"
                         "%s: offset 59: torn tail, 18 bytes\n"
                         "%s: 2 records, 77 bytes, 1 damaged range (17 bytes), "
                         "1 torn tail (18 bytes): damaged\n"
                         "total: 1 files, 2 records, 77 bytes, 1 damaged range (17 bytes), "
                         "1 torn tail (18 bytes): damaged\n" % (path, path, path), out)

    def test_root_and_prefix(self):
        for name in ("p/append.10.raw", "p/append.9.raw", "p/notes", "q/append.0.raw", "r/other"):
            self.write(tool_case.three()[2], name)
        for number in range(9):
            self.write(b"", "p/append.%d.raw" % number)
        out, _ = self.check(0, "verify", self.directory)
        names = [os.path.relpath(line.split(":")[0], self.directory)
                 for line in out.splitlines()[:-1]]
        self.assertEqual(["p/append.%d.raw" % n for n in range(11)] + ["q/append.0.raw"], names)
        self.assertIn("total: 12 files, 9 records", out)
        out, _ = self.check(0, "verify", self.path("p"), self.path("q/append.0.raw"))
        self.assertIn("total: 12 files, 9 records", out)

    def make_root(self):
        """Three prefixes with MANIFESTs."""
        for prefix in ("p", "q", "r"):
            for number in range(3):
                self.write(tool_case.three()[2], "%s/append.%d.raw" % (prefix, number))
            records.write_manifest(self.directory, prefix, 3)

    def check_root(self, status, *lines):
        """These lines are printed, and the last one says how it ends."""
        out, err = self.check(status, "verify", self.directory)
        for line in lines:
            self.assertIn(line.replace("DIR", self.directory) + "\n", (out + err).replace(
                "rochefort: ", ""))
        self.assertRegex(out, r"\ntotal: [^\n]*: %s\n\Z" % ("damaged" if status else "whole"))

    def test_it_says_which_prefix_is_damaged(self):
        self.make_root()
        self.check_root(0)
        os.unlink(self.path("p/append.2.raw"))  # without MANIFEST it would not be noticed
        self.check_root(1, "DIR/p/append.2.raw: missing",
                        "DIR/p: 2 files, 1 missing or not made with it: damaged")
        self.write(tool_case.GOLDEN, "q/append.1.raw")
        self.write(b"", "r/append.7.raw")
        self.check_root(1, "DIR/p: 2 files, 1 missing or not made with it: damaged",
                        "DIR/q: 3 files, 1 of them damaged: damaged",
                        "DIR/r/append.7.raw is there, but only 3 files were made")

    def test_everything_but_the_manifest_is_lost(self):
        self.make_root()
        for number in range(3):
            os.unlink(self.path("q/append.%d.raw" % number))
        self.check_root(1, *("DIR/q/append.%d.raw: missing" % n for n in range(3)))

    def test_manifests_that_are_not_right(self):
        self.make_root()
        for text, words in (("", "MANIFEST is empty or cut short"),
                            ("garbage\n", "MANIFEST is not valid"),
                            ("rochefort 1\r\nbuckets 3\r\nhash xxh3\r\n", "MANIFEST is not valid")):
            self.write(text.encode(), "q/MANIFEST")
            self.check_root(1, "DIR/q/MANIFEST: %s, so it is not known which file an id is in; "
                            "see rochefort adopt" % words,
                            "DIR/q: 3 files, MANIFEST not valid: damaged")
        for text, words in (("rochefort 2\n", "MANIFEST is of a later version"),
                            (None, "MANIFEST cannot be read")):
            os.unlink(self.path("q/MANIFEST"))
            if text:
                self.write(text.encode(), "q/MANIFEST")
            else:
                os.symlink("../p/MANIFEST", self.path("q/MANIFEST"))
            out, err = self.check(2, "verify", self.directory)
            self.assertIn("q/MANIFEST: " + words, err)
            self.assertNotIn("total: 9 files, 27 records, 46242 bytes: whole", out)
            self.assertIn("not all could be read", out)
        os.unlink(self.path("q/MANIFEST"))  # then the server refuses the prefix
        _, err = self.check(0, "verify", self.directory)
        self.assertIn("q: no MANIFEST, so the server refuses it", err)

    def test_what_is_no_prefix_is_skipped(self):
        self.make_root()
        for name in ("lost+found", "logs", ".hidden"):
            self.write(b"of others", name + "/notes")
        os.symlink("logs", self.path("link"))
        self.write(b"of others", "file")
        self.write(tool_case.three()[2], "append.0.raw/append.0.raw")  # a prefix of that name
        records.write_manifest(self.directory, "append.0.raw", 1)
        out, err = self.check(0, "verify", self.directory)
        self.assertIn("total: 10 files", out)
        self.assertIn("append.0.raw/append.0.raw: 3 records", out)
        self.assertEqual("", err)
        self.write(tool_case.GOLDEN, "append.0.raw/append.0.raw")
        self.check_root(1, "DIR/append.0.raw: 1 files, 1 of them damaged: damaged")

    @capabilities.needs_root
    def test_lost_and_found_is_skipped_also_if_it_may_not_be_read(self):
        self.make_root()
        os.mkdir(self.path("lost+found"), 0o700)
        os.chmod(self.directory, 0o755)
        program = self.path("rochefort")
        shutil.copy(harness.BINARY, program)
        result = subprocess.run([program, "verify", self.directory], capture_output=True,
                                text=True, timeout=60, user=65534, group=65534, extra_groups=[])
        self.assertEqual((0, ""), (result.returncode, result.stderr), result.stdout)

    def test_empty_records_are_named(self):
        path = self.write(records.encode(b"a") + records.encode(b"") + records.encode(b"b"))
        out, _ = self.check(0, "verify", path)
        self.assertEqual("%s: the record at offset 17 is empty\n"
                         "%s: 3 records, 50 bytes, 1 of them empty: whole\n"
                         "total: 1 files, 3 records, 50 bytes, 1 of them empty: whole\n" %
                         (path, path), out)
        self.assertEqual({0, 17, 33}, set(self.dump(0, path)))
        self.assertEqual("", self.check(0, "dump", path, "17")[0])
        self.assertEqual("b", self.check(0, "dump", path, "33")[0])

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
        self.write(tool_case.GOLDEN, "p/append.0.raw")
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

    @capabilities.needs_root
    def test_permissions(self):
        os.chmod(self.directory, 0o755)
        path = self.write(tool_case.three()[2], "p/append.0.raw")
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
        out, _ = self.check(1, "verify", path, fail_read=(tool_case.PAGE, tool_case.PAGE + 4))
        self.assertIn("offset 36: record, 20016 bytes, of which the disk cannot read 4096\n", out)
        self.assertIn("%s: 3 records, 20073 bytes, 1 unreadable record (4096 bytes): damaged\n" %
                      path, out)
        _, err = self.check(2, "verify", path, fail_call=("pread", errno.ESTALE))
        self.assertIn(path + ": Stale", err)

    def test_bad_sector_over_headers(self):
        values = [b"%03d" % n + bytes(97) for n in range(300)]
        path = self.write(b"".join(map(records.encode, values)))
        found = self.dump(1, path, fail_read=(2 * tool_case.PAGE, 3 * tool_case.PAGE))
        wanted = {n * 116 for n in range(300)
                  if not (n * 116 + 16 > 2 * tool_case.PAGE and n * 116 < 3 * tool_case.PAGE)}
        self.assertEqual(wanted, set(found))

    def test_bad_sector_in_bytes_that_are_read_twice(self):
        """The first record claims 20000 bytes and was cut short; the one after it is alone between
        two that were cut short."""
        torn = records.encode(b"a" * 20000)[:9000], records.encode(b"c" * 50)[:9]
        path = self.write(torn[0] + records.encode(b"b" * 20) + torn[1] +
                          records.encode(b"d" * 20000) + records.encode(b"e"))
        out, _ = self.check(1, "verify", path, fail_read=(tool_case.PAGE, tool_case.PAGE + 4))
        self.assertEqual("%s: offset 0: damaged range, begins with a record cut short, 9000 bytes, "
                         "of which the disk cannot read 4096\n"
                         "%s: offset 9036: damaged range, 9 bytes\n" % (path, path),
                         "".join(out.splitlines(True)[:2]))
        self.assertIn("3 records", out)

    def test_full_output_and_closed_pipe(self):
        path = self.write(tool_case.three()[2] * 20000)
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
        self.assertIn(b": 0 of %d bytes" % os.path.getsize(self.path()), shown)
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


class InUse(tool_case.Case):
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
                    out = tool_case.run("verify", file).stdout.decode()
                    # A tail under way may be seen, damage never.
                    self.assertNotIn("damaged range", out)
            finally:
                stop.set()
                for thread in threads:
                    thread.join()
            self.check(0, "verify", file)


if __name__ == "__main__":
    suite.main()
