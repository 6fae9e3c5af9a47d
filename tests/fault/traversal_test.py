"""No spelling of a storagePrefix leads out of the root, over raw HTTP."""
import os
import unittest

import harness

REFUSED = (
    # plain, and with every byte encoded or not
    "..", ".", "../", "./", "../x", "./x", "x/..", "x/../..", "x/../../y", "../../../../etc",
    "/", "//", "/etc", "//etc", "/etc/passwd", "x/", "x/y", "x//y",
    "%2e%2e", "%2E%2E", ".%2e", "%2e.", "%2e", "%2e%2e%2f", "%2e%2e/", "..%2f", "..%2Fx",
    "%2e%2e%2fx", "%2f", "%2Fetc", "%2f%2fetc", "x%2f", "x%2f..", "x%2f..%2f..%2fy", "x%2fy",
    "%2e%2e%2f%2e%2e%2f%2e%2e%2fetc%2fpasswd", "..%2f..%2f..%2f..%2f..%2f..%2ftmp",
    # with something before, behind or between
    "..;", "..;/", "..;/x", "..%3b%2fx", ".;.", "..%20", "...", "....", "....//", "....%2f%2fx",
    "..%5c", "..\\", "..\\x", "..%5c..%5cx", "%2e%2e%5cx", "..%c0%af", "..%c0%afx", "..%e0%80%af",
    "..%ef%bc%8fx", ".%00.", "..%00", "..%00/x", "x%00", "x%00/../y", "%00", "%00..",
    # the server's lock file, and hidden names
    ".rochefort.lock", "%2erochefort.lock", ".x", "%2ex",
    # control characters
    "%0a", "x%0a", "x%0d%0a", "%7f", "x%09y", "%1b", "%01..",
    # broken escapes
    "%", "%2", "%2g", "%%2e", "%u002e%u002e", "..%", "x%2",
    # very long
    "x" * 256, "x" * 4096, "x" * 10000, "%41" * 256, "../" * 1000, "%2e%2e%2f" * 500, "x/" * 200,
)
# These are dots and slashes to a decoder of UTF-8 that takes more bytes than are needed. They are
# names, and a directory that has one is used, but none is made.
NOT_MADE = ("%c0%ae%c0%ae", "%c0%af", "%e0%80%ae", "%f0%80%80%ae", "..%c0%af..")
# What these decode to is a plain name: a directory of it right inside the root.
ACCEPTED = (
    ("%252e%252e", b"%2e%2e"), ("%252e%252e%252f", b"%2e%2e%2f"), ("%252fetc", b"%2fetc"),
    ("x%252f..", b"x%2f.."), ("%25252e", b"%252e"), ("%2500", b"%00"),
    ("%ef%bc%8f", b"\xef\xbc\x8f"),
    ("%ef%bc%8e%ef%bc%8e", b"\xef\xbc\x8e\xef\xbc\x8e"), ("%e2%80%a5", b"\xe2\x80\xa5"),
    ("\\..\\x", b"\\..\\x"), ("%5c", b"\\"), ("x%5c..%5cy", b"x\\..\\y"), ("c:", b"c:"),
    ("x;/..".replace("/", "%3b"), b"x;;.."), ("x..", b"x.."), ("x;", b"x;"), ("~", b"~"),
    ("~root", b"~root"), ("-rf", b"-rf"), ("*", b"*"), ("$HOME", b"$HOME"), ("x%20", b"x "),
    ("append.0.raw", b"append.0.raw"), ("n" * 255, b"n" * 255), ("%6e" * 254, b"n" * 254),
)


def tree(directory):
    """Everything below, with kind, size and times."""
    found = {}
    for path, directories, files in os.walk(os.fsencode(directory)):
        for name in directories + files:
            status = os.lstat(os.path.join(path, name))
            found[os.path.join(path, name)] = (status.st_mode, status.st_size, status.st_ino,
                                               status.st_mtime_ns, status.st_ctime_ns)
    return found


class Traversal(unittest.TestCase):
    def ask(self, method, target, body=None):
        sock = self.server.connect()
        self.addCleanup(sock.close)
        sock.sendall(harness.request_bytes(method, target, body))
        status, _, text = harness.receive_reply(sock)
        sock.close()
        return status, text

    def setUp(self):
        self.server = self.enterContext(harness.Server("-buckets", "2"))
        # files that a bad name could reach: beside the root, and in it
        with open(os.path.join(self.server.directory, "append.0.raw"), "w") as file:
            file.write("not to be touched")
        self.assertEqual(200, self.ask("POST", "/append?id=a&storagePrefix=x", b"v")[0])

    def test_refused_names_change_nothing(self):
        self.assertGreater(len(set(REFUSED)), 80)
        before = tree(self.server.directory)
        for name in REFUSED:
            for method, path, body in (("POST", "/append?id=a&", b"v"),
                                       ("GET", "/get?id=a&offset=0&", None),
                                       ("POST", "/getMulti?id=a&", bytes(8)),
                                       ("POST", "/close?", b"")):
                status, text = self.ask(method, path + "storagePrefix=" + name, body)
                self.assertEqual(400, status, (name[:50], path, text))
            self.assertEqual(before, tree(self.server.directory), name[:50])

    def test_overlong_utf_8_leads_nowhere(self):
        before = tree(self.server.directory)
        for name in NOT_MADE:
            for method, path, body, want in (("POST", "/append?id=a&", b"v", 400),
                                             ("GET", "/get?id=a&offset=0&", None, 404),
                                             ("POST", "/getMulti?id=a&", bytes(8), 404),
                                             ("POST", "/close?", b"", 200)):
                # a name cannot begin with a dot
                want = 400 if name.startswith(".") else want
                status, text = self.ask(method, path + "storagePrefix=" + name, body)
                self.assertEqual(want, status, (name, path, text))
            self.assertEqual(before, tree(self.server.directory), name)

    def test_accepted_names_are_directories_right_inside_the_root(self):
        outside = {path: status for path, status in tree(self.server.directory).items()
                   if os.path.basename(path) in (b"append.0.raw", b"append.1.raw")}
        for name, directory in ACCEPTED:
            status, text = self.ask("POST", "/append?id=a&storagePrefix=" + name, b"v")
            self.assertEqual(200, status, (name, text))
            status, text = self.ask("GET", "/get?id=a&offset=0&storagePrefix=" + name)
            self.assertEqual((200, b"v"), (status, text), name)
            inside = os.path.join(os.fsencode(self.server.root), directory)
            self.assertEqual({b"MANIFEST", b"append.0.raw", b"append.1.raw"},
                             set(os.listdir(inside)))
        self.assertEqual({directory for _, directory in ACCEPTED} | {b"x", b".rochefort.lock"},
                         set(os.listdir(os.fsencode(self.server.root))))
        now = tree(self.server.directory)
        for path, status in outside.items():
            self.assertEqual(status, now[path])
        self.assertEqual({b"append.0.raw", b"log", b"root"},
                         set(os.listdir(os.fsencode(self.server.directory))))


if __name__ == "__main__":
    unittest.main()
