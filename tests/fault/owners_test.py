"""Who may read new files, and a root like /tmp: what another user has put there is refused."""
import os
import shutil
import stat
import subprocess
import tempfile
import unittest

import harness
import records
import suite
from capabilities import needs_root
from users import AS_NOBODY, NOBODY, copy_binary

OTHER = 12345
MODES = (((), 0o600, 0o700), (("-mode", "0600"), 0o600, 0o700), (("-mode=640",), 0o640, 0o750),
         (("-mode", "0644"), 0o644, 0o755), (("-mode", "0660"), 0o660, 0o770),
         (("-mode", "0664"), 0o664, 0o775), (("-mode", "0604"), 0o604, 0o705))


def modes_below(root):
    """{path below the root: mode}, with "" for the root itself."""
    paths = [root] + [os.path.join(directory, name)
                      for directory, directories, files in os.walk(root)
                      for name in directories + files]
    return {"" if path == root else os.path.relpath(path, root):
            stat.S_IMODE(os.lstat(path).st_mode) for path in paths}


class Modes(unittest.TestCase):
    def setUp(self):
        self.directory = self.enterContext(tempfile.TemporaryDirectory(prefix="rochefort-modes-"))

    def test_new_files_and_directories_have_the_mode_whatever_the_umask_is(self):
        for number, (flags, file_mode, directory_mode) in enumerate(MODES):
            for umask in ("0000", "0077", "0777"):
                with self.subTest(flags, umask=umask):
                    self.check_new(os.path.join(self.directory, "%d-%s" % (number, umask)), umask,
                                   flags, file_mode, directory_mode)

    def check_new(self, parent, umask, flags, file_mode, directory_mode):
        under = ["sh", "-c", 'umask "$1"; shift; exec "$@"', "sh", umask]
        root = os.path.join(parent, "root")
        with harness.Server("-buckets", "3", *flags, under=under, root=root) as server:
            with server.client() as client:
                client.append("x", b"value", "p")
        modes = modes_below(parent)
        directories = {"", "root", "root/p"}
        self.assertLessEqual(directories | {"root/.rochefort.lock", "root/p/append.0.raw",
                                            "root/p/append.2.raw"}, set(modes))
        for name, mode in modes.items():
            want = directory_mode if name in directories else file_mode
            self.assertEqual(oct(want), oct(mode), name)

    def test_what_is_there_keeps_its_mode(self):
        root = os.path.join(self.directory, "root")
        with harness.Server("-buckets", "2", root=root) as server, server.client() as client:
            client.append("x", b"value", "p")
        for name, mode in (("", 0o711), ("p", 0o751), ("p/append.0.raw", 0o604),
                           (".rochefort.lock", 0o644)):
            os.chmod(os.path.join(root, name), mode)
        before = modes_below(root)
        with harness.Server("-mode", "0640", root=root) as server, server.client() as client:
            for number in range(10):
                client.append("id %d" % number, b"value", "p")
            client.append("x", b"value", "new")
        after = modes_below(root)
        self.assertEqual(before, {name: after[name] for name in before})
        self.assertEqual((0o750, 0o640), (after["new"], after["new/append.0.raw"]))

    def test_a_wrong_mode_is_named_with_those_that_are_right(self):
        done = subprocess.run([harness.BINARY, "-mode", "0755"], capture_output=True, text=True,
                              timeout=harness.TIMEOUT_SECONDS)
        self.assertEqual((2, 'rochefort: -mode: "0755" is not 0600, 0604, 0640, 0644, 0660 or '
                          '0664\n'), (done.returncode, done.stderr))


@needs_root
class SharedRoot(unittest.TestCase):
    """Served by root, where the kernel refuses nothing."""

    UID, OTHER = 0, OTHER
    MODES = (0o600, 0o666)  # of files that another user owns

    def setUp(self):
        self.root = tempfile.mkdtemp(prefix="rochefort-owners-")
        self.addCleanup(shutil.rmtree, self.root)
        os.chmod(self.root, 0o1777)
        self.options = {"root": self.root}

    def serve(self):
        self.server = self.enterContext(harness.Server("-buckets", "1", **self.options))
        self.client = self.enterContext(self.server.client())

    def requests(self, prefix):
        """The replies to an append, a get and a getMulti."""
        for method, path, body in (("POST", "/append", b"more"), ("GET", "/get", None),
                                   ("POST", "/getMulti", bytes(8))):
            yield self.client.request(method, path, body, id="a", offset=0, storagePrefix=prefix)

    def check_refused(self, prefix, path, words=b"belongs to another user"):
        for status, headers, text in self.requests(prefix):
            if os.path.isdir(path) or headers["Content-Type"] == "text/plain":
                self.assertEqual((500, "text/plain"), (status, headers["Content-Type"]), text)
                self.assertRegex(text, rb"\A[ -~]+\n\Z")
            else:  # a getMulti whose prefix is good
                self.assertEqual([], harness.split_multi(text)[0])
            self.assertIn(words, text)
            self.assertIn(path.encode(), text)
        self.client.close(prefix)

    def make_prefix(self, prefix, owner, file_owner, file_mode=0o644):
        """The path of its one file."""
        records.write_bucket(self.root, prefix, [b"value"])
        directory = os.path.join(self.root, prefix)
        path = os.path.join(directory, "append.0.raw")
        os.chmod(directory, 0o777)
        os.chmod(path, file_mode)
        for name in ("", "MANIFEST"):
            os.chown(os.path.join(directory, name), owner, owner)
        os.chown(path, file_owner, file_owner)
        return path

    def test_directory_of_another_user(self):
        self.serve()
        for mode in (0o700, 0o755, 0o777):
            prefix = "directory %o" % mode
            path = self.make_prefix(prefix, self.OTHER, self.UID)
            os.chmod(os.path.dirname(path), mode)
            self.check_refused(prefix, os.path.dirname(path))
            self.assertEqual([b"value"], list(records.values(path).values()))

    def test_empty_directory_of_another_user(self):
        self.serve()
        directory = os.path.join(self.root, "empty")
        os.mkdir(directory)
        os.chmod(directory, 0o777)
        os.chown(directory, self.OTHER, self.OTHER)
        self.check_refused("empty", directory)
        self.assertEqual([], os.listdir(directory))

    def test_file_of_another_user(self):
        self.serve()
        for mode in self.MODES:
            prefix = "file %o" % mode
            path = self.make_prefix(prefix, self.UID, self.OTHER, mode)
            self.check_refused(prefix, path)
            self.assertEqual([b"value"], list(records.values(path).values()))

    def test_manifest_of_another_user(self):
        """It says how many buckets there are: with another number ids get others' values."""
        self.serve()
        for mode in self.MODES:
            prefix = "manifest %o" % mode
            self.make_prefix(prefix, self.UID, self.UID)
            manifest = os.path.join(self.root, prefix, "MANIFEST")
            with open(manifest, "w") as file:
                file.write("rochefort 1\nbuckets 1\nhash fnv1a\n")
            os.chmod(manifest, mode)
            os.chown(manifest, self.OTHER, self.OTHER)
            self.check_refused(prefix, manifest)
            os.chown(manifest, self.UID, self.UID)
            self.assertEqual([200, 200, 200],
                             [status for status, _, _ in self.requests(prefix)])
            self.client.close(prefix)

    def test_links_to_a_file_of_another_user(self):
        self.serve()
        for name, make, words in (("hard", os.link, b"belongs to another user"),
                                  ("symbolic", os.symlink, b"symbolic link")):
            path = self.make_prefix(name, self.UID, self.UID)
            target = os.path.join(self.root, "target of " + name)
            os.rename(path, target)
            os.chown(target, self.OTHER, self.OTHER)
            make(target, path)
            self.check_refused(name, path, words)
            self.assertEqual([b"value"], list(records.values(target).values()))

    def test_what_is_the_servers_own_is_served(self):
        self.serve()
        self.make_prefix("own", self.UID, self.UID)
        statuses = [status for status, _, _ in self.requests("own")]
        self.assertEqual([200, 200, 200], statuses)
        self.assertEqual(0, self.client.append("a", b"value", "new"))

    def test_lock_file_of_another_user(self):
        lock = os.path.join(self.root, ".rochefort.lock")
        for mode in self.MODES:
            with open(lock, "w"):
                pass
            os.chmod(lock, mode)
            os.chown(lock, self.OTHER, self.OTHER)
            with self.assertRaisesRegex(harness.process.Failure, r"cannot use root %s: "
                                        r"[^\n]*belongs to another user[^\n]*\n\Z" % self.root):
                harness.Server(**self.options)
            os.unlink(lock)

    def test_in_a_root_of_its_owner_alone_others_files_are_served(self):
        os.chmod(self.root, 0o755)
        os.chown(self.root, self.UID, self.UID)
        self.serve()
        self.make_prefix("p", self.OTHER, self.OTHER, 0o666)
        self.assertEqual([200, 200, 200], [status for status, _, _ in self.requests("p")])


class SharedRootOfNobody(SharedRoot):
    """Served by a user who may not open all that others own."""

    UID, OTHER = NOBODY, 0

    def setUp(self):
        super().setUp()
        binaries = self.enterContext(tempfile.TemporaryDirectory(prefix="rochefort-binary-"))
        os.chmod(binaries, 0o755)
        self.options.update(under=AS_NOBODY, binary=copy_binary(binaries))


if __name__ == "__main__":
    suite.main()
