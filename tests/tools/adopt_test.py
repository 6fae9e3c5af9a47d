"""adopt: what it takes and what it refuses, and that it leaves nothing half done."""
import errno
import fcntl
import os
import signal
import stat
import subprocess

import capabilities
import harness
import original
import records
import suite
import tool_case

HASHES = ("fnv1a", "xxh3")


class Adopt(tool_case.Case):
    def make(self, name="root/p", buckets=3):
        """A prefix of the original, with a record in each file."""
        prefix = original.Prefix(self.directory, name, buckets)
        for bucket in range(buckets):
            with open(prefix.path(bucket), "wb") as file:
                file.write(tool_case.three()[2])
        return prefix

    def manifest(self, prefix):
        return tool_case.read(os.path.join(prefix.directory, "MANIFEST")).decode()

    def check_refused(self, status, prefix, *arguments, words="not adopted"):
        """Nothing in the directory is changed."""
        before = self.contents(prefix.directory)
        out, err = self.check(status, "adopt", *arguments)
        self.assertIn(words, err)
        self.assertNotIn(": adopted", out)
        self.assertEqual(before, self.contents(prefix.directory))
        return err

    def contents(self, directory):
        found = {}
        for name in os.listdir(directory):
            path = os.path.join(directory, name)
            found[name] = tool_case.read(path) if os.path.isfile(path) else None
        return found

    def test_adopted(self):
        for hash in HASHES:
            for spelling in (["-hash", hash], ["--hash", hash], ["-hash=" + hash],
                             ["--hash=" + hash, "--"]):
                prefix = self.make("root%d/p" % len(os.listdir(self.directory)))
                out, err = self.check(0, "adopt", *spelling, prefix.directory)
                self.assertEqual("%s: adopted: 3 buckets, hash %s, 9 records\n" % (
                    prefix.directory, hash), out)
                self.assertEqual("", err)
                self.assertEqual(records.manifest(3, hash), self.manifest(prefix))
                self.assertEqual({"append.%d.raw" % n for n in range(3)},
                                 records.bucket_files(prefix.directory))
                self.check(0, "verify", prefix.directory)

    def test_again_is_no_error_and_otherwise_is(self):
        prefix = self.make()
        self.check(0, "adopt", "-hash", "fnv1a", prefix.directory)
        for arguments in (["-hash", "fnv1a"], ["-missing"], ["-hash", "fnv1a", "-missing"]):
            out, _ = self.check(0, "adopt", *arguments, prefix.directory)
            self.assertIn("%s: has a MANIFEST: 3 buckets, hash fnv1a" % prefix.directory, out)
        self.check_refused(1, prefix, "-hash", "xxh3", prefix.directory,
                           words="its MANIFEST says another hash")
        self.check_refused(1, prefix, "-hash", "fnv1a", "-slots", "0-1/4", prefix.directory,
                           words="its MANIFEST says other slots")

    def test_slots(self):
        prefix = self.make()
        out, _ = self.check(0, "adopt", "-hash", "fnv1a", "-slots", "0-1365/4096",
                            prefix.directory)
        self.assertIn("3 buckets, hash fnv1a, slots 0-1365/4096, 9 records", out)
        self.assertEqual(records.manifest(3, "fnv1a") + "slots 0-1365/4096\n",
                         self.manifest(prefix))
        self.check(0, "adopt", "-slots=0-1365/4096", prefix.directory)
        with harness.Server(root=os.path.dirname(prefix.directory)) as server:
            with server.client() as client:  # the line stays
                client.append("a", b"value", "p")
        self.assertIn("slots 0-1365/4096\n", self.manifest(prefix))

    def test_a_root(self):
        prefixes = [self.make("root/" + name) for name in ("a", "b", "append.0.raw")]
        for name in ("lost+found", "logs", "b/nested", ".hidden"):
            os.mkdir(self.path("root/" + name))
        with open(self.path("root/notes"), "w") as file:
            file.write("of others")
        self.make("root/b/inner")
        out, err = self.check(0, "adopt", "-hash", "fnv1a", self.path("root"))
        for prefix in prefixes:
            self.assertEqual(records.manifest(3, "fnv1a"), self.manifest(prefix))
        self.assertEqual(3, out.count(": adopted: 3 buckets"))
        self.assertIn("root/b/inner: not adopted: inside another prefix", err)
        for name in ("root", "root/lost+found", "root/logs", "root/b/nested", "root/b/inner"):
            self.assertNotIn("MANIFEST", os.listdir(self.path(name)))

    def test_one_of_a_root_is_refused_and_the_others_are_not(self):
        good, bad = self.make("root/a"), self.make("root/b")
        os.unlink(bad.path(1))
        err = self.check(1, "adopt", "-hash", "fnv1a", self.path("root"))[1]
        self.assertIn("root/b/append.1.raw: missing\n", err)
        self.assertIn("root/b: not adopted: bring the files back", err)
        self.assertEqual(records.manifest(3, "fnv1a"), self.manifest(good))
        self.assertNotIn("MANIFEST", os.listdir(bad.directory))

    def test_missing_files_are_made_if_asked_for(self):
        prefix = self.make(buckets=5)
        for bucket in (0, 3):
            os.unlink(prefix.path(bucket))
        self.check_refused(1, prefix, "-hash", "fnv1a", prefix.directory,
                           words="append.3.raw: missing")
        out, err = self.check(0, "adopt", "-hash", "fnv1a", "-missing", prefix.directory)
        self.assertIn("5 buckets, hash fnv1a, 2 files made anew, 9 records", out)
        for bucket in (0, 3):
            self.assertIn("append.%d.raw: was missing; made anew, empty" % bucket, err)
            self.assertEqual(b"", tool_case.read(prefix.path(bucket)))
        self.check(0, "verify", prefix.directory)

    def test_missing_files_of_a_prefix_with_a_manifest(self):
        prefix = self.make()
        self.check(0, "adopt", "-hash", "fnv1a", prefix.directory)
        os.unlink(prefix.path(2))
        self.check_refused(1, prefix, "-hash", "fnv1a", prefix.directory,
                           words="append.2.raw: missing")
        self.check(0, "adopt", "-missing", prefix.directory)
        self.assertEqual(b"", tool_case.read(prefix.path(2)))
        self.assertEqual(records.manifest(3, "fnv1a"), self.manifest(prefix))
        for bucket in range(3):
            os.unlink(prefix.path(bucket))
        self.check(0, "adopt", "-missing", prefix.directory)
        self.check(0, "verify", prefix.directory)

    def test_files_that_do_not_belong_to_it(self):
        prefix = self.make()
        self.check(0, "adopt", "-hash", "fnv1a", prefix.directory)
        self.write(b"", "root/p/append.5.raw")
        for missing in ([], ["-missing"]):
            self.check_refused(1, prefix, "-hash", "fnv1a", *missing, prefix.directory,
                               words="append.5.raw: only 3 files were made")
        self.write(b"of others", "root/p/notes")
        self.write(tool_case.three()[2], "root/p/append.07.raw")
        os.unlink(prefix.path(5))
        out, err = self.check(0, "adopt", "-hash", "fnv1a", prefix.directory)
        self.assertIn("append.07.raw: left alone: not the name of a bucket file\n", err)
        self.assertNotIn("notes", out + err)

    def test_a_manifest_that_says_nothing_is_replaced(self):
        for number, text in enumerate(("", "garbage", "rochefort 1\nbuck",
                                       "rochefort 1\r\nbuckets 3\r\nhash xxh3\r\n")):
            prefix = self.make("root/p%d" % number)
            self.write(text.encode(), "root/p%d/MANIFEST" % number)
            self.check(0, "adopt", "-hash", "xxh3", prefix.directory)
            self.assertEqual(records.manifest(3), self.manifest(prefix))
        prefix = self.make("root/later")
        self.write(b"rochefort 2\nsomething new\n", "root/later/MANIFEST")
        self.check_refused(1, prefix, "-hash", "xxh3", prefix.directory, words="a later version")
        prefix = self.make("root/link")
        os.symlink("../later/MANIFEST", os.path.join(prefix.directory, "MANIFEST"))
        self.check_refused(2, prefix, "-hash", "xxh3", prefix.directory, words="cannot be read")

    @capabilities.needs_extended_attributes
    def test_what_an_earlier_server_made_is_not_mistaken(self):
        prefix = self.make()
        os.setxattr(prefix.directory, "user.rochefort.buckets", (3).to_bytes(4, "little"))
        self.check_refused(1, prefix, "-hash", "fnv1a", prefix.directory,
                           words="an earlier rochefort has made it, with -hash xxh3")
        os.unlink(prefix.path(2))
        self.check_refused(1, prefix, "-hash", "xxh3", prefix.directory,
                           words="append.2.raw: missing")
        self.check(0, "adopt", "-missing", prefix.directory)
        self.assertEqual(records.manifest(3), self.manifest(prefix))

    def test_files_of_something_else_are_refused(self):
        prefix = self.make()
        for content in (b"no record" * 1000, bytes(100)):
            self.write(content, "root/p/append.1.raw")
            self.check_refused(1, prefix, "-hash", "fnv1a", prefix.directory,
                               words="append.1.raw: no record is in it")
        os.unlink(prefix.path(1))
        for make in (lambda: os.symlink("append.0.raw", prefix.path(1)),
                     lambda: os.mkfifo(prefix.path(1)), lambda: os.mkdir(prefix.path(1))):
            make()
            self.check_refused(2, prefix, "-hash", "fnv1a", prefix.directory,
                               words="append.1.raw: ")
            (os.rmdir if os.path.isdir(prefix.path(1)) and not os.path.islink(prefix.path(1))
             else os.unlink)(prefix.path(1))

    def test_damage_is_told_and_does_not_keep_the_rest_from_being_served(self):
        prefix = self.make()
        self.write(tool_case.GOLDEN, "root/p/append.1.raw")  # a damaged range, and a torn tail
        out, err = self.check(1, "adopt", "-hash", "fnv1a", prefix.directory)
        self.assertIn("append.1.raw: 1 damaged ranges; rochefort verify says where", err)
        self.assertIn("adopted: 3 buckets, hash fnv1a, 8 records, 1 damaged ranges", out)
        self.assertEqual(records.manifest(3, "fnv1a"), self.manifest(prefix))
        prefix = self.make("root/torn")
        self.write(tool_case.three()[2][:-3], "root/torn/append.0.raw")  # as a kill leaves it
        self.check(0, "adopt", "-hash", "fnv1a", prefix.directory)

    def test_usage(self):
        prefix = self.make()
        for arguments, words in (
                ([], "usage"), (["-hash", "fnv1a"], "usage"), (["-hash"], "its value is missing"),
                (["-hash", "md5", prefix.directory], "must be fnv1a"),
                (["-hash", "", prefix.directory], "must be fnv1a"),
                (["-slots", "3", prefix.directory], "must be A-B/N"),
                (["-slots", "0-4/4", prefix.directory], "must be A-B/N"),
                (["-missing=1", prefix.directory], "unknown flag"),
                (["-x", prefix.directory], "unknown flag"),
                (["-hash", "xxh3", self.path("none")], "No such file"),
                (["-hash", "xxh3", prefix.path(0)], "Not a directory"),
                (["-hash", "xxh3", self.directory], "no directory with append.<N>.raw is in it")):
            self.check_refused(2, prefix, *arguments, words=words)
        self.check_refused(1, prefix, prefix.directory, words="say with -hash")
        out, _ = self.check(0, "adopt", "-help")
        self.assertIn("usage: rochefort adopt [-json] -hash", out)
        self.assertIn("rochefort adopt", self.check(0, "-help")[0])

    def test_a_root_in_use_is_refused(self):
        with harness.Server("-buckets", "1") as server, server.client() as client:
            client.append("a", b"value", "p")
            os.unlink(os.path.join(server.root, "p", "MANIFEST"))
            for path in (server.root, os.path.join(server.root, "p")):
                _, err = self.check(2, "adopt", "-hash", "xxh3", path)
                self.assertIn("a rochefort is using it; stop that first", err)
            self.assertEqual(["append.0.raw"], os.listdir(os.path.join(server.root, "p")))
            server.kill()
            self.check(0, "adopt", "-hash", "xxh3", server.root)
            server.start()

    def start_stopped(self, server, variable):
        """adopt, until it has stopped itself at the call that the variable is about."""
        os.unlink(os.path.join(server.root, "p", "MANIFEST"))
        env = dict(os.environ, **{variable: "0"}, LD_PRELOAD=" ".join(filter(None, (
            harness.sanitizer_runtime() if harness.SANITIZE in ("address", "thread") else "",
            tool_case.FAIL_TOOL))))
        process = subprocess.Popen([harness.BINARY, "adopt", "-hash", "xxh3", server.root],
                                   env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        os.waitid(os.P_PID, process.pid, os.WSTOPPED)
        return process

    def test_a_server_that_starts_before_it_has_the_lock_keeps_it(self):
        """The file that it has opened by then is not the lock file any more."""
        with harness.Server("-buckets", "1") as server:
            with server.client() as client:
                client.append("a", b"value", "p")
            server.kill()
            process = self.start_stopped(server, "STOP_LOCK")
            server.start()
            process.send_signal(signal.SIGCONT)
            out, _ = process.communicate(timeout=harness.TIMEOUT_SECONDS)
            self.assertEqual(2, process.returncode, out)
            self.assertIn(b"a rochefort is using it; stop that first", out)

    def test_no_server_starts_meanwhile(self):
        """It has the lock while it reads; the test stops it there."""
        with harness.Server("-buckets", "1") as server:
            with server.client() as client:
                client.append("a", b"value" * 1000, "p")
            server.kill()
            lock = os.path.join(server.root, ".rochefort.lock")
            process = self.start_stopped(server, "STOP_READS")
            with open(lock) as file, self.assertRaises(BlockingIOError):
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            process.kill()
            process.communicate(timeout=harness.TIMEOUT_SECONDS)
            server.start()

    def test_no_lock_file_is_made(self):
        """That of the original's root would be root's, and keep the server from starting."""
        prefix = self.make()
        self.check(0, "adopt", "-hash", "fnv1a", self.path("root"))
        self.assertEqual(["p"], os.listdir(self.path("root")))
        self.assertEqual(records.manifest(3, "fnv1a"), self.manifest(prefix))

    def test_every_failing_call_leaves_the_directory_as_it_was(self):
        prefix = self.make()
        for call in ("pread", "pwrite", "fsync"):
            for number in (errno.EIO, errno.ENOSPC):
                self.fail_once(prefix, call, number)
        self.check(0, "adopt", "-hash", "fnv1a", prefix.directory)

    def fail_once(self, prefix, call, number):
        before = self.contents(prefix.directory)
        _, err = self.check(2, "adopt", "-hash", "fnv1a", prefix.directory,
                            fail_call=(call, number))
        self.assertIn(os.strerror(number), err)
        self.assertEqual(before, self.contents(prefix.directory))


class Owner(tool_case.Case):
    @capabilities.needs_root
    def test_owner_and_mode_are_those_of_the_directory(self):
        """Also when root does it; otherwise the server's user could not read what it is given."""
        for number, mode in enumerate((0o700, 0o750, 0o755, 0o2770)):
            prefix = original.Prefix(self.directory, "root/p%d" % number, 3)
            os.unlink(prefix.path(1))
            os.chown(prefix.directory, 12345, 23456)
            os.chmod(prefix.directory, mode)
            self.check(0, "adopt", "-hash", "fnv1a", "-missing", prefix.directory)
            for name in ("MANIFEST", "append.1.raw"):
                status = os.stat(os.path.join(prefix.directory, name))
                self.assertEqual((12345, 23456, mode & 0o666), (
                    status.st_uid, status.st_gid, stat.S_IMODE(status.st_mode)))
            status = os.stat(prefix.directory)
            self.assertEqual((12345, 23456, mode), (
                status.st_uid, status.st_gid, stat.S_IMODE(status.st_mode)))


if __name__ == "__main__":
    suite.main()
