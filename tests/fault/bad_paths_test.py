"""Roots, prefixes and files of the wrong kind, owner or mode: served, or refused with a clear line.

Permissions do not bind root: if the tests run as root the server runs as the user nobody.
"""
import os
import shutil
import subprocess
import tempfile
import unittest

import harness
import records
import suite
from capabilities import mount_namespace, needs_mounts, needs_root
from users import AS_NOBODY, NOBODY, copy_binary


class Nobody(harness.Server):
    """A server without root's privileges, in a directory of its own."""

    def start(self):
        if os.getuid() == 0:
            os.makedirs(self.root, exist_ok=True)
            os.chmod(self.directory, 0o755)
            if os.stat(self.root).st_uid == 0:
                os.chown(self.root, NOBODY, NOBODY)
            self.under = AS_NOBODY
            self.binary = copy_binary(self.directory)
        super().start()


def start_fails(*command):
    """The exit status of a server that does not start, and its standard error."""
    done = subprocess.run(command, capture_output=True, text=True,
                          timeout=harness.TIMEOUT_SECONDS)
    return done.returncode, done.stderr


class Prefixes(unittest.TestCase):
    def setUp(self):
        self.server = self.enterContext(Nobody("-buckets", "1"))
        self.client = self.enterContext(self.server.client())
        self.directory = os.path.join(self.server.root, "p")
        self.file = os.path.join(self.directory, "append.0.raw")
        self.assertEqual(0, self.client.append("x", b"there", "p"))

    def append(self):
        status, _, text = self.client.request("POST", "/append", b"more", id="x",
                                              storagePrefix="p")
        return status, text

    def check_refused(self, *words):
        status, text = self.append()
        self.assertEqual(500, status)
        for word in words:
            self.assertIn(word.encode(), text)
        self.assertRegex(text, rb"\A[ -~]+\n\Z")

    def reopen(self, change):
        """Changes something while the prefix is closed."""
        self.client.close("p")
        change()

    def test_file_that_may_not_be_written(self):
        self.reopen(lambda: os.chmod(self.file, 0o444))
        self.check_refused("Permission denied", self.file)
        self.assertEqual(b"there", self.client.get("x", 0, "p"))  # but read
        os.chmod(self.file, 0o644)
        self.assertEqual((200, 21), (self.append()[0], os.stat(self.file).st_size - 20))

    def test_file_that_may_not_be_read(self):
        self.reopen(lambda: os.chmod(self.file, 0))
        self.check_refused("Permission denied", self.file)
        status, _, text = self.client.request("GET", "/get", id="x", offset=0, storagePrefix="p")
        self.assertEqual((500, True), (status, b"Permission denied" in text))

    @needs_root
    def test_file_of_another_user(self):
        def change():
            os.chown(self.file, 0, 0)
            os.chmod(self.file, 0o600)
        self.reopen(change)
        self.check_refused("Permission denied", self.file)

    def test_directory_that_may_not_be_written(self):
        """Existing files are served; missing ones cannot be created."""
        self.reopen(lambda: os.chmod(self.directory, 0o555))
        self.assertEqual(200, self.append()[0])
        self.client.close("p")
        os.chmod(self.directory, 0o755)
        os.unlink(self.file)
        os.chmod(self.directory, 0o555)
        self.check_refused("Permission denied", self.directory)
        os.chmod(self.directory, 0o755)
        self.assertEqual(200, self.append()[0])

    def check_no_access(self, forbid, allow):
        """Prefixes of all lengths whose directory the server may not open."""
        for length in (1, 2, 100, 254, 255):
            name = "n" * length
            directory = os.path.join(self.server.root, name)
            offset = self.client.append("x", b"there", name)
            self.client.close(name)
            forbid(directory)
            try:
                for method, path, body in (("POST", "/append", b"refused"), ("GET", "/get", None),
                                           ("POST", "/getMulti", bytes(8))):
                    status, headers, text = self.client.request(
                        method, path, body, id="x", offset=offset, storagePrefix=name)
                    self.assertEqual((500, "text/plain"), (status, headers["Content-Type"]))
                    self.assertEqual(b"Permission denied: %s\n" % directory.encode(), text)
                self.assertEqual(500, self.client.request("HEAD", "/get", id="x", offset=offset,
                                                          storagePrefix=name)[0])
                self.client.close(name)
            finally:
                allow(directory)
            self.assertEqual(["MANIFEST", "append.0.raw"], sorted(os.listdir(directory)))
            self.assertEqual(21, os.stat(os.path.join(directory, "append.0.raw")).st_size)
            self.assertEqual(b"there", self.client.get("x", offset, name))
            self.assertEqual(21, self.client.append("x", b"again", name))
            self.client.close(name)
        self.assertEqual(200, self.append()[0])  # other prefixes are still served

    def test_directory_that_may_not_be_entered(self):
        self.check_no_access(lambda directory: os.chmod(directory, 0),
                             lambda directory: os.chmod(directory, 0o755))

    @needs_root
    def test_directory_of_another_user(self):
        def forbid(directory):
            os.chown(directory, 0, 0)
            os.chmod(directory, 0o700)
        self.check_no_access(forbid, lambda directory: os.chown(directory, NOBODY, NOBODY))

    def test_root_that_may_not_be_written(self):
        os.chmod(self.server.root, 0o555)
        status, _, text = self.client.request("POST", "/append", b"x", id="x", storagePrefix="new")
        self.assertEqual(500, status)
        self.assertIn(b"Permission denied: %s/new" % self.server.root.encode(), text)
        self.assertEqual(200, self.append()[0])
        os.chmod(self.server.root, 0o755)
        self.assertEqual(0, self.client.append("x", b"x", "new"))

    def test_wrong_kinds(self):
        outside = os.path.join(self.server.directory, "outside")
        os.mkdir(outside)
        kinds = (("not a regular file", lambda: os.mkfifo(self.file)),
                 ("Is a directory", lambda: os.mkdir(self.file)),
                 ("symbolic link", lambda: os.symlink(os.path.join(outside, "x"), self.file)))
        for words, make in kinds:
            self.client.close("p")
            shutil.rmtree(self.directory)
            os.mkdir(self.directory)
            make()
            if os.getuid() == 0:
                os.chown(self.directory, NOBODY, NOBODY)
                os.lchown(self.file, NOBODY, NOBODY)
            self.check_refused(words, self.file)
        self.assertEqual([], os.listdir(outside))

    def test_files_of_other_names_are_left_alone(self):
        self.client.close("p")
        names = ("notes", "append.00.raw", "append.1.raw.bak", ".hidden")
        for name in names:
            with open(os.path.join(self.directory, name), "w") as file:
                file.write(name)
        self.assertEqual(200, self.append()[0])
        for name in names:
            with open(os.path.join(self.directory, name)) as file:
                self.assertEqual(name, file.read())

    def test_other_buckets_after_a_restart(self):
        self.server.kill()
        for buckets in ("7", "128"):
            self.server.flags = ["-buckets", buckets]
            self.server.start()
            with self.server.client() as client:
                self.assertEqual(b"there", client.get("x", 0, "p"))
                client.append("y", b"one file", "p")
                client.append("y", b"more", "new" + buckets)
            self.assertEqual({"append.0.raw"}, records.bucket_files(self.directory))
            new = records.bucket_files(os.path.join(self.server.root, "new" + buckets))
            self.assertEqual(int(buckets), len(new))
            self.server.kill()
        self.server.start()


class Roots(unittest.TestCase):
    def setUp(self):
        temporary = tempfile.TemporaryDirectory(prefix="rochefort-paths-")
        self.addCleanup(temporary.cleanup)
        self.directory = temporary.name
        self.root = os.path.join(self.directory, "root")
        self.flags = [harness.BINARY, "-bind", "127.0.0.1:0", "-root", self.root]

    def check_line(self, status, line, words):
        self.assertEqual(1, status, line)
        self.assertRegex(line, r"\A[^\n]*cannot use root %s: %s\n\Z" % (self.root, words))

    def test_not_a_directory(self):
        with open(self.root, "w"):
            pass
        self.check_line(*start_fails(*self.flags), "Not a directory")

    def test_lock_file_that_is_a_symbolic_link(self):
        os.mkdir(self.root)
        os.symlink("/etc/passwd", os.path.join(self.root, ".rochefort.lock"))
        self.check_line(*start_fails(*self.flags), "Too many levels of symbolic links")

    @needs_mounts
    def test_read_only_mount(self):
        os.mkdir(self.root)
        mount = 'mount -t tmpfs -o ro none "$1" && shift && exec "$@"'
        self.check_line(*start_fails(*mount_namespace(), "sh", "-c", mount, "sh", self.root,
                                     *self.flags), "Read-only file system")

    def test_may_not_be_written(self):
        os.mkdir(self.root)
        os.chmod(self.directory, 0o755)
        os.chmod(self.root, 0o555)
        command = self.flags
        if os.getuid() == 0:
            command = AS_NOBODY + [copy_binary(self.directory)] + self.flags[1:]
        self.check_line(*start_fails(*command), "Permission denied")

    def test_creation_cut_short_by_a_full_disk_and_a_kill(self):
        """Only the highest-numbered files exist: the next append creates the rest."""
        with harness.Server("-buckets", "3") as server:
            directory = os.path.join(server.root, "p")
            os.mkdir(directory)
            for number in (6, 5):
                records.write_bucket(server.root, "p", [], number, buckets=0)
            server.kill()
            server.start()
            with server.client() as client:
                for number in range(30):
                    client.append("id %d" % number, b"x", "p")
            self.assertEqual({"append.%d.raw" % n for n in range(7)},
                             records.bucket_files(directory))


if __name__ == "__main__":
    suite.main()
