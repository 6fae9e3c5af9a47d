"""A prefix whose MANIFEST is missing or does not fit its files: each request gets one clear 500,
or, where no record can be confused, the prefix is completed. And copies of whole roots."""
import errno
import os
import shutil
import subprocess
import tarfile
import threading
import unittest

import capabilities
import faults
import harness
import original
import records
import suite

XXH3 = "rochefort 1\nbuckets %d\nhash xxh3\n"
RECORD = records.encode(b"value")
NOT_KNOWN = ", so it is not known which file an id is in: "
ADOPT = "; stop the server and run: rochefort adopt -hash xxh3|fnv1a {DIR}"

# What is in the directory: {bucket: content}, MANIFEST or None, the buckets attribute or None.
# What every request is told; {DIR} is the directory.
REFUSED = {
    "none": ({0: RECORD}, None, None, "there is no MANIFEST" + NOT_KNOWN + "{DIR}" + ADOPT),
    "none and a gap": ({0: b"", 2: RECORD}, None, None,
                       "there is no MANIFEST" + NOT_KNOWN + "{DIR}" + ADOPT),
    "empty": ({0: RECORD}, "", None,
              "MANIFEST is empty or cut short" + NOT_KNOWN + "{DIR}/MANIFEST" + ADOPT),
    "zeros": ({0: RECORD}, "\0" * 31, None,
              "MANIFEST is empty or cut short" + NOT_KNOWN + "{DIR}/MANIFEST" + ADOPT),
    "torn": ({0: RECORD, 1: b""}, (XXH3 % 2)[:-3], None,
             "MANIFEST is empty or cut short" + NOT_KNOWN + "{DIR}/MANIFEST" + ADOPT),
    "garbage": ({0: RECORD}, "\x7fELF", None,
                "MANIFEST is not valid" + NOT_KNOWN + "{DIR}/MANIFEST" + ADOPT),
    "garbage and empty files": ({0: b"", 1: b""}, "\x7fELF", None,
                                "MANIFEST is not valid" + NOT_KNOWN + "{DIR}/MANIFEST" + ADOPT),
    "garbage and nothing": ({}, "hello\n", None,
                            "MANIFEST is not valid" + NOT_KNOWN + "{DIR}/MANIFEST" + ADOPT),
    "CRLF": ({0: RECORD}, (XXH3 % 1).replace("\n", "\r\n"), None,
             "MANIFEST is not valid" + NOT_KNOWN + "{DIR}/MANIFEST" + ADOPT),
    "later": ({0: RECORD}, "rochefort 2\nbuckets 1\nhash xxh3\n", None,
              "MANIFEST is of a later version of rochefort: {DIR}/MANIFEST; run that version"),
    "later and nothing": ({}, "rochefort 17\n", None,
                          "MANIFEST is of a later version of rochefort: {DIR}/MANIFEST; run that version"),
    "missing last": ({0: RECORD, 1: RECORD}, XXH3 % 3, None,
                     "bucket files are missing: {DIR}/append.2.raw; bring them back, or stop the "
                     "server and run: rochefort adopt -missing {DIR}"),
    "missing first": ({1: RECORD, 2: RECORD}, XXH3 % 3, None,
                      "bucket files are missing: {DIR}/append.0.raw; bring them back, or stop the "
                      "server and run: rochefort adopt -missing {DIR}"),
    "missing, the others are empty": ({0: b"", 2: b""}, XXH3 % 3, None,
                                      "bucket files are missing: {DIR}/append.1.raw; bring them "
                                      "back, or stop the server and run: rochefort adopt -missing "
                                      "{DIR}"),
    "additional": ({0: RECORD, 1: b"", 2: b""}, XXH3 % 2, None,
                   "there are more bucket files than were made: {DIR}/append.2.raw; move them "
                   "away, or stop the server and look at it: rochefort verify {DIR}"),
    "attribute, missing": ({0: RECORD, 1: b""}, None, 3,
                           "bucket files are missing: {DIR}/append.2.raw; bring them back, or stop "
                           "the server and run: rochefort adopt -missing {DIR}"),
    "attribute, additional": ({0: RECORD, 1: b""}, None, 1,
                              "there are more bucket files than were made: {DIR}/append.1.raw; "
                              "move them away, or stop the server and look at it: rochefort verify "
                              "{DIR}"),
}

# No record is there: the next append makes the rest, for so many buckets.
COMPLETED = {
    "nothing": ({}, None, None, 9),
    "nothing but an empty MANIFEST": ({}, "", None, 9),
    "one file": ({4: b""}, None, None, 5),
    "a run": ({3: b"", 4: b""}, None, None, 5),
    "all": ({0: b"", 1: b"", 2: b""}, None, None, 3),
    "all and an empty MANIFEST": ({0: b"", 1: b"", 2: b""}, "", None, 3),
    "a torn MANIFEST": ({0: b"", 1: b"", 2: b""}, (XXH3 % 3)[:20], None, 3),
    "zeros": ({0: b"", 2: b""}, "\0" * 31, None, 3),
    "some": ({0: b"", 3: b"", 5: b""}, None, None, 6),
    "nothing but a MANIFEST": ({}, XXH3 % 4, None, 9),
    "nothing but an attribute": ({}, None, 4, 9),
}


def listing(directory):
    """Names and contents."""
    found = {}
    for name in sorted(os.listdir(directory)):
        with open(os.path.join(directory, name), "rb") as file:
            found[name] = file.read()
    return found


class Case(unittest.TestCase):
    def setUp(self):
        self.server = self.enterContext(faults.Server("-buckets", "9"))
        self.client = self.enterContext(self.server.client())

    def make(self, number, files, manifest, attribute):
        """The prefix's name and directory."""
        directory = os.path.join(self.server.root, "p%d" % number)
        os.mkdir(directory)
        for bucket, content in files.items():
            with open(os.path.join(directory, "append.%d.raw" % bucket), "wb") as file:
                file.write(content)
        if manifest is not None:
            with open(os.path.join(directory, "MANIFEST"), "w", newline="") as file:
                file.write(manifest)
        if attribute is not None:
            if not capabilities.has_extended_attributes():
                self.skipTest("needs a file system with extended attributes")
            os.setxattr(directory, "user.rochefort.buckets", attribute.to_bytes(4, "little"))
        return os.path.basename(directory), directory

    def requests(self, name):
        for method, path, body in (("POST", "/append", b"new"), ("GET", "/get", None),
                                   ("HEAD", "/get", None), ("POST", "/getMulti", bytes(8)),
                                   ("POST", "/append", b"new")):
            yield method, self.client.request(method, path, body, id="a", offset=0,
                                              storagePrefix=name)


class Directories(Case):
    def test_refused(self):
        for number, (what, (files, manifest, attribute, text)) in enumerate(REFUSED.items()):
            with self.subTest(what):
                name, directory = self.make(number, files, manifest, attribute)
                before = listing(directory)
                for method, (status, headers, body) in self.requests(name):
                    self.assertEqual((500, "text/plain"), (status, headers["Content-Type"]), body)
                    if method != "HEAD":
                        self.assertEqual(text.replace("{DIR}", directory) + "\n", body.decode())
                self.assertEqual(before, listing(directory))
                self.client.close(name)

    def test_completed(self):
        for number, (what, (files, manifest, attribute, buckets)) in enumerate(COMPLETED.items()):
            with self.subTest(what):
                name, directory = self.make(number, files, manifest, attribute)
                before = listing(directory)
                status, _, body = self.client.request("GET", "/get", id="a", offset=0,
                                                      storagePrefix=name)
                self.assertEqual(404, status, body)
                self.assertEqual(before, listing(directory))
                self.assertEqual(0, self.client.append("a", b"value", name))
                self.assertEqual(b"value", self.client.get("a", 0, name))
                self.assertEqual({"append.%d.raw" % n for n in range(buckets)},
                                 records.bucket_files(directory))
                with open(os.path.join(directory, "MANIFEST")) as file:
                    self.assertEqual(records.manifest(buckets), file.read())
                self.client.close(name)
                self.assertEqual(b"value", self.client.get("a", 0, name))

    def test_something_else_with_that_name(self):
        for number, make in enumerate((os.mkdir, os.mkfifo,
                                       lambda path: os.symlink("append.0.raw", path))):
            name, directory = self.make(number, {0: RECORD}, None, None)
            make(os.path.join(directory, "MANIFEST"))
            for method, (status, _, body) in self.requests(name):
                self.assertEqual(500, status)
                if method != "HEAD":
                    self.assertEqual(
                        "MANIFEST cannot be read: it must be a regular file that the server's user "
                        "may read: %s/MANIFEST\n" % directory, body.decode())

    def test_a_disk_that_cannot_read_it(self):
        name, directory = self.make(0, {0: RECORD}, XXH3 % 1, None)
        self.server.fail("pread", errno.EIO)
        status, _, body = self.client.request("GET", "/get", id="a", offset=0, storagePrefix=name)
        self.assertEqual((500, "Input/output error: %s/MANIFEST\n" % directory),
                         (status, body.decode()))
        self.server.heal()
        self.assertEqual(b"value", self.client.get("a", 0, name))

    def test_it_is_refused_again_when_it_is_put_right_or_wrong(self):
        """Nothing is remembered of a prefix that could not be opened."""
        name, directory = self.make(0, {0: RECORD}, None, None)
        for _ in range(3):
            status, _, _ = self.client.request("GET", "/get", id="a", offset=0,
                                               storagePrefix=name)
            self.assertEqual(500, status)
            records.write_manifest(self.server.root, name, 1)
            self.assertEqual(b"value", self.client.get("a", 0, name))
            self.client.close(name)
            os.unlink(os.path.join(directory, "MANIFEST"))


@capabilities.needs_extended_attributes
class Earlier(Case):
    """A directory of a server that noted the number of buckets in an attribute."""

    def test_it_gets_its_manifest_at_the_first_request(self):
        requests = (lambda name: self.client.get("a", 0, name),
                    lambda name: self.client.append("a", b"new", name),
                    lambda name: self.client.get_multi("a", [0], name))
        for number, request in enumerate(requests):
            name, directory = self.make(number, {0: RECORD}, None, 1)
            request(name)
            self.assertEqual((XXH3 % 1).encode(), listing(directory)["MANIFEST"])
            os.removexattr(directory, "user.rochefort.buckets")  # it is not needed any more
            self.client.close(name)
            self.assertEqual(b"value", self.client.get("a", 0, name))

    def test_a_manifest_that_cannot_be_written_fails_nothing(self):
        """As on a file system that is read-only."""
        for number, (call, error, nth) in enumerate((
                ("pwrite", errno.ENOSPC, 1), ("renameat", errno.EROFS, 1),
                ("openat", errno.EROFS, 5))):
            with self.subTest(call):
                name, directory = self.make(number, {0: RECORD}, None, 1)
                self.server.fail(call, error, nth)
                self.assertEqual(b"value", self.client.get("a", 0, name))
                self.assertGreaterEqual(self.server.seen(call), nth)
                self.server.heal()
                self.assertEqual({"append.0.raw"}, set(listing(directory)))
                self.assertEqual(len(RECORD), self.client.append("a", b"new", name))
                self.client.close(name)
                self.assertEqual(b"new", self.client.get("a", len(RECORD), name))
                self.assertIn("MANIFEST", listing(directory))  # now it could

    @capabilities.needs_mounts
    def test_a_file_system_that_is_read_only(self):
        """A real one. The lock file is there, and the prefix of an earlier server is read."""
        name, directory = self.make(0, {0: RECORD}, None, 1)
        self.server.stop()
        script = ('mount --bind "$0/%s" "$0/%s" && mount -o remount,ro,bind "$0/%s" || exit 3; '
                  'exec "$@"' % (name, name, name))
        self.server.under = [*capabilities.mount_namespace(), "sh", "-c", script,
                             self.server.root]
        self.server.start()
        with self.server.client() as client:
            self.assertEqual(b"value", client.get("a", 0, name))
            status, _, text = client.request("POST", "/append", b"x", id="a", storagePrefix=name)
            self.assertEqual((500, True), (status, b"Read-only file system" in text), text)
        self.assertNotIn("MANIFEST", listing(directory))


class Copies(unittest.TestCase):
    """Copies of a root made by real programs, while it is served and while it is written to, are
    served by another server with another -buckets."""

    PREFIXES = {"default": 5, "p": 8}
    IDS = original.ids()

    def setUp(self):
        self.server = self.enterContext(harness.Server("-buckets", "5", "-workers", "2"))
        self.stored = {}
        for prefix, buckets in self.PREFIXES.items():
            self.server.stop()
            self.server.flags[1] = str(buckets)
            self.server.start()
            with self.server.client() as client:
                for id in self.IDS:
                    value = ("%s of %s" % (id[:20], prefix)).encode()
                    self.stored[prefix, id] = client.append(id, value, prefix), value

    # Each program reads a directory and then its files. Under load a file may have been renamed
    # between the two, as MANIFEST is when all bucket files of its prefix are made.

    def cp(self, source, target, *options):
        done = subprocess.run(["cp", "-r", *options, source, target], capture_output=True,
                              env=dict(os.environ, LC_ALL="C"), text=True, check=False)
        for line in done.stderr.splitlines():
            self.assertRegex(line, r"/\.MANIFEST\.new'( for reading)?: No such file or directory$")
        self.assertIn(done.returncode, (0, 1) if done.stderr else (0,))

    def cp_without_attributes(self, source, target):
        self.cp(source, target, "--no-preserve=all")

    def rsync(self, source, target):
        if shutil.which("rsync") is None:
            self.skipTest("needs rsync")
        done = subprocess.run(["rsync", "-a", source + "/", target], capture_output=True,
                              text=True, check=False)
        self.assertIn(done.returncode, (0, 24), done.stderr)  # 24: a file has vanished

    def tar(self, source, target):
        archive = target + ".tar"
        done = subprocess.run(["tar", "-C", source, "-cf", archive, "."], capture_output=True,
                              text=True, check=False)
        self.assertIn(done.returncode, (0, 1), done.stderr)  # 1: a file changed as it was read
        os.mkdir(target)
        subprocess.run(["tar", "-C", target, "-xf", archive], check=True, capture_output=True)

    def python(self, source, target):
        with tarfile.open(target + ".tgz", "w:gz") as archive:
            archive.add(source, ".")
        with tarfile.open(target + ".tgz") as archive:
            archive.extractall(target)

    def check_copy(self, target):
        for buckets in ("1", "9", "128"):
            with harness.Server("-buckets", buckets, root=target) as copy, copy.client() as client:
                for (prefix, id), (offset, value) in self.stored.items():
                    self.assertEqual(value, client.get(id, offset, prefix))
                for id in self.IDS:
                    offset = client.append(id, b"in the copy", "p")
                    self.assertEqual(b"in the copy", client.get(id, offset, "p"))
        for prefix, count in self.PREFIXES.items():
            self.assertEqual(count, len(records.bucket_files(os.path.join(target, prefix))))

    def check_program(self, copy):
        target = os.path.join(self.server.directory, "at rest")
        copy(self.server.root, target)
        self.check_copy(target)
        target = os.path.join(self.server.directory, "under load")
        stop = threading.Event()
        failed = []

        def write(number):
            try:
                with self.server.client() as client:
                    turn = 0
                    while not stop.is_set():
                        prefix = ("default", "p", "new %d.%d" % (number, turn // 50))[turn % 3]
                        client.append(self.IDS[turn % len(self.IDS)], os.urandom(5000), prefix)
                        turn += 1
            except Exception as error:  # told by the main thread
                failed.append(error)
        threads = [threading.Thread(target=write, args=(number,)) for number in range(3)]
        for thread in threads:
            thread.start()
        try:
            harness.wait_for(lambda: os.path.exists(os.path.join(self.server.root, "new 0.1")),
                             "the load")
            copy(self.server.root, target)
        finally:
            stop.set()
            for thread in threads:
                thread.join()
        self.assertEqual([], failed)
        self.check_copy(target)
        self.check_new_prefixes(target)

    def check_new_prefixes(self, target):
        """Those that were made meanwhile: right, or refused, or not there yet; never confused."""
        with harness.Server("-buckets", "9", root=target) as copy, copy.client() as client:
            for name in os.listdir(self.server.root):
                if not name.startswith("new "):
                    continue
                for id in self.IDS[:20]:
                    status, _, body = client.request("GET", "/get", id=id, offset=0,
                                                     storagePrefix=name)
                    with self.server.client() as whole:
                        there, _, value = whole.request("GET", "/get", id=id, offset=0,
                                                        storagePrefix=name)
                    self.assertIn(status, (200, 404, 500), body)
                    if status == 200:
                        self.assertEqual((200, value), (there, body))

    def test_cp(self):
        self.check_program(self.cp)

    def test_cp_without_attributes(self):
        self.check_program(self.cp_without_attributes)

    def test_rsync(self):
        self.check_program(self.rsync)

    def test_tar(self):
        self.check_program(self.tar)

    def test_tarfile(self):
        target = os.path.join(self.server.directory, "of Python")
        self.python(self.server.root, target)
        self.check_copy(target)


if __name__ == "__main__":
    suite.main()
