"""The query string, paths, methods, and names of storage prefixes."""
import json
import os
import shutil
import struct
import unittest
import urllib.parse

import harness
import records

NAME_BYTES_MAX = 255


def tree(directory):
    """All paths below it but the server's log, with the content of the files."""
    found = {}
    for path, directories, files in os.walk(directory):
        for name in directories:
            found[os.path.join(path, name)] = None
        for name in files:
            if name != "log":
                with open(os.path.join(path, name), "rb") as file:
                    found[os.path.join(path, name)] = file.read()
    return found


class Raw(unittest.TestCase):
    """Queries go out exactly as written here."""

    def setUp(self):
        self.server = self.enterContext(harness.Server("-buckets", "16"))
        self.sock = self.enterContext(self.server.connect())

    def ask(self, method, target, body=None):
        self.sock.sendall(harness.request_bytes(method, target, body))
        return harness.receive_reply(self.sock)

    def bad(self, method, target, body=None, status=400):
        got, headers, text = self.ask(method, target, body)
        self.assertEqual((status, "text/plain"), (got, headers["content-type"]), target)
        self.assertRegex(text, rb"\A[^\r\n]+\n\Z")
        return text

    def append(self, query):
        """Returns (file, offset)."""
        status, _, body = self.ask("POST", "/append?" + query, b"x")
        self.assertEqual(200, status, body)
        reply = json.loads(body)
        self.assertEqual(["offset", "file"], list(reply))
        return reply["file"], reply["offset"]


class Query(Raw):
    def test_the_bucket_of_an_id(self):
        """XXH3_64bits(id) modulo the buckets; the hashes are those of xxhash's xxhsum -H3."""
        for id, xxh3 in (("a", 0xe6c632b61e964e1f), ("hello", 0x9555e8555c62dcfd),
                         ("rochefort", 0x62b9a17b306d1ce3)):
            file = os.path.join(self.server.root, "default", "append.%d.raw" % (xxh3 % 16))
            self.assertEqual(file, self.append("id=" + id)[0])

    def test_different_spellings_of_the_same_id(self):
        """Same bucket, next offset. One pair could agree by chance; in 16 buckets not all can."""
        for one, other in (("id=a+b", "id=a%20b"), ("id=%61%2B%2b", "%69%64=a%2B%2B"),
                           ("?foo&id=hello", "id=hello"), ("foo&id=hello", "id=hello&"),
                           ("&&id=hello&&", "x=%61&id=hello&y=%20+"), ("id=a=b", "id=a%3Db"),
                           ("id=hello&storagePrefix=", "id=hello"),
                           ("id=hello&storagePrefix=default", "id=hello"),
                           ("id=hello&id2=a&ids=b&_id=c", "id=hello"),
                           ("id=%F0%9F%A6%80", "id=\xf0\x9f\xa6\x80"),
                           ("id=a%26b%23", "id=%61%26%62%23"), ("id=a/b?c", "id=a%2Fb%3Fc")):
            file, offset = self.append(one)
            self.assertEqual((file, offset + 17), self.append(other), (one, other))

    def test_bad_queries(self):
        for query in ("", "id", "id=", "storagePrefix=p", "foo&bar", "id=%00", "id=a%00b",
                      "%00=x&id=a", "id=a%00", "id=%", "id=%4", "id=%4g", "id=%zz", "%=1&id=a",
                      "id=a&x=%", "id=a&%6", "id=a&id=b", "id=a&id=a", "id=a&%69d=a", "id=a&id",
                      "id=a&storagePrefix=p&storagePrefix=p", "id=a&offset=1&offset=1",
                      "id=a&offset=x", "id=a&expect=x", "id=a&expect=-1", "id=a&sync=1&sync=1",
                      "id=a&sync=", "id=a&sync=2",
                      "id=a&sync=true"):
            self.bad("POST", "/append?" + query, b"x")
        self.bad("POST", "/append", b"x")
        self.assertEqual([".rochefort.lock"], os.listdir(self.server.root))

    def test_a_parameter_in_other_letters_is_refused_and_the_right_ones_said(self):
        """Ignored, it would silently put the value somewhere else."""
        for query, right in (("ID=a", b"id"), ("id=a&Id=a", b"id"), ("%49d=a", b"id"),
                             ("id=a&storageprefix=p", b"storagePrefix"),
                             ("id=a&StoragePrefix=", b"storagePrefix"),
                             ("id=a&STORAGEPREFIX", b"storagePrefix"),
                             ("id=a&SYNC=1", b"sync"), ("id=a&Offset=0", b"offset")):
            for method, path, body in (("POST", "/append", b"x"), ("GET", "/get", None),
                                       ("POST", "/getMulti", bytes(8)), ("GET", "/close", None)):
                self.assertEqual(b"the parameter is spelled %s\n" % right,
                                 self.bad(method, path + "?" + query, body))
        self.assertEqual([".rochefort.lock"], os.listdir(self.server.root))

    def test_bad_offsets(self):
        self.append("id=a")
        for offset in ("", "x", "-1", "+0", "%2B0", "0x0", "1e3", "%200", "0%20", "0.0", "0,0",
                       "9223372036854775808", "99999999999999999999"):
            self.bad("GET", "/get?id=a&offset=" + offset)
        self.bad("GET", "/get?id=a")
        self.bad("GET", "/get?offset=0")
        for offset in ("1", "17", "184467440737095516", "9223372036854775807"):
            self.bad("GET", "/get?id=a&offset=" + offset, status=404)
        for offset in ("0", "00", "000000000000000000000000000000"):
            self.assertEqual((200, b"x"), self.ask("GET", "/get?id=a&offset=" + offset)[::2])

    def test_bodies(self):
        self.append("id=a")
        self.bad("POST", "/append?id=a", b"")
        self.bad("POST", "/append?id=a")
        for length in (1, 7, 9, 8001):
            self.bad("POST", "/getMulti?id=a", bytes(length))

    def test_unknown_paths(self):
        for target in ("/appendx?id=a", "/get/multi", "/.", "/append/x",
                       "/a/../append?id=a", "/%61ppend?id=a", "/append;x?id=a", "/x%0d%0aY:z",
                       "//x/append?id=a", "/append//get", "/appen", "//appen/"):
            path = target.partition("?")[0]
            self.assertEqual(("no such path: %s; there are /append, /appendMulti, /get, /getMulti, /scan, /ends, /prefixes, /close, /healthz, /readyz, /metrics and /stats\n"
                              % path).encode(), self.bad("POST", target, b"x", status=404))
        self.assertEqual([".rochefort.lock"], os.listdir(self.server.root))

    def test_paths_that_are_nearly_right_are_told_the_right_one(self):
        for target, right in (("//append?id=a", "/append"), ("/append/?id=a", "/append"),
                              ("/Append?id=a", "/append"), ("/APPEND", "/append"),
                              ("///append///", "/append"), ("/Get/?id=a&offset=0", "/get"),
                              ("//get", "/get"), ("/getmulti", "/getMulti"),
                              ("/GETMULTI/", "/getMulti"), ("/close/", "/close"),
                              ("//CLOSE//?storagePrefix=p", "/close")):
            path = target.partition("?")[0]
            for method in ("GET", "POST", "PUT", "OPTIONS"):
                text = self.bad(method, target, b"x" if method[0] == "P" else None, status=404)
                self.assertEqual(("no such path: %s; use %s\n" % (path, right)).encode(), text)
        self.assertEqual([".rochefort.lock"], os.listdir(self.server.root))

    def test_a_long_path_is_shown_in_part(self):
        self.assertEqual(b"no such path: /%s; there are /append, /appendMulti, /get, /getMulti, /scan, /ends, /prefixes, /close, /healthz, /readyz, /metrics and /stats\n"
                         % (b"x" * 199), self.bad("GET", "/" + "x" * 10000, status=404))

    def test_methods(self):
        for path, allowed in (("/append", {"POST"}), ("/get", {"GET", "HEAD"}),
                              ("/getMulti", {"POST"}), ("/close", {"GET", "POST"})):
            for method in ("GET", "POST", "PUT", "DELETE", "PATCH"):
                if method in allowed:
                    continue
                status, headers, text = self.ask(method, path + "?id=a&offset=0")
                self.assertEqual(405, status, (method, path))
                self.assertEqual(allowed, set(headers["allow"].split(", ")))
                hint = "to send a file use -X POST -T FILE" if (path, method) == (
                    "/append", "PUT") else "use one of these methods"
                self.assertEqual("%s takes %s; %s\n"
                                 % (path, headers["allow"], hint), text.decode())
        self.assertEqual([".rochefort.lock"], os.listdir(self.server.root))

    def test_options_says_the_methods_and_does_nothing(self):
        for target, allowed in (("/append", "POST, OPTIONS"), ("/get", "GET, HEAD, OPTIONS"),
                                ("/getMulti", "POST, OPTIONS"), ("/close", "GET, POST, OPTIONS"),
                                ("*", "GET, HEAD, POST, OPTIONS"),
                                ("http://test", "GET, HEAD, POST, OPTIONS"),
                                ("http://test/close?storagePrefix=p", "GET, POST, OPTIONS"),
                                ("/append?id=a&storagePrefix=p", "POST, OPTIONS"),
                                ("/append?id=%", "POST, OPTIONS")):  # is not looked at
            status, headers, body = self.ask("OPTIONS", target)
            self.assertEqual((204, b"", allowed), (status, body, headers["allow"]), target)
            self.assertLessEqual(set(headers), {"allow", "cache-control", "date", "keep-alive",
                                               "connection"})
        for target in ("/x", "/append/", "http://test/x"):
            self.bad("OPTIONS", target, status=404)
        self.assertEqual([".rochefort.lock"], os.listdir(self.server.root))

    def test_reads_create_nothing(self):
        for prefix in ("", "&storagePrefix=new"):
            self.bad("GET", "/get?id=a&offset=0" + prefix, status=404)
            self.bad("POST", "/getMulti?id=a" + prefix, bytes(8), status=404)
            self.bad("POST", "/getMulti?id=a" + prefix, b"", status=404)
            for method in ("GET", "POST"):
                self.assertEqual((200, b'{"success":true}'),
                                 self.ask(method, "/close?x=y" + prefix)[::2])
        self.assertEqual([".rochefort.lock"], os.listdir(self.server.root))


BAD_PREFIXES = ["..", ".", "%2e%2e", "%2E", ".%2e", "..%2f..%2fetc", "a%2fb", "a/b", "/abs",
                "%2Ftmp", "%2e%2e%2fx", "../x", "a/..", "a/", ".hidden", ".rochefort.lock", "%01",
                "a%0ab", "a%0d", "%1fa", "a%7f", "a%09b", "%00", "a%00", "..%00",
                "n" * (NAME_BYTES_MAX + 1), "%c3%a9" * 128]

# as written in the query, and the directory's name
GOOD_PREFIXES = [("%252e%252e", "%2e%2e"), ("a%252fb", "a%2fb"), ("n" * NAME_BYTES_MAX,) * 2,
                 ("%c3%a9" * 127, "\u00e9" * 127), ("a..", "a.."), ("a.b", "a.b"), ("-rf", "-rf"),
                 ("a+b", "a b"), ("%20", " "), ("~", "~"), ("a%5Cb", "a\\b"), ("*", "*"),
                 ("%22quote%22", '"quote"'), ("append.0.raw", "append.0.raw")]


class Prefixes(Raw):
    def test_bad_names_touch_no_file(self):
        os.mkdir(os.path.join(self.server.root, "a"))
        before = tree(self.server.directory)
        for name in BAD_PREFIXES:
            parameters = "id=a&offset=0&storagePrefix=" + name
            self.bad("POST", "/append?" + parameters, b"x")
            self.bad("GET", "/get?" + parameters)
            self.bad("POST", "/getMulti?" + parameters, struct.pack("<Q", 0))
            self.bad("POST", "/close?" + parameters)
            self.assertEqual(before, tree(self.server.directory), name)

    def test_good_names_stay_in_the_root(self):
        outside = {path for path in tree(self.server.directory)
                   if not path.startswith(self.server.root)}
        for name, directory in GOOD_PREFIXES:
            file, offset = self.append("id=a&storagePrefix=" + name)
            # the hash of "a" ends in 0x1f
            self.assertEqual(os.path.join(self.server.root, directory, "append.15.raw"), file)
            self.assertEqual(0, offset)
            self.assertEqual(16, len(records.bucket_files(
                os.path.join(self.server.root, directory))))
            self.assertEqual(b"x", self.ask("GET", "/get?id=a&offset=0&storagePrefix=" + name)[2])
        self.assertEqual({directory for _, directory in GOOD_PREFIXES} | {".rochefort.lock"},
                         set(os.listdir(self.server.root)))
        self.assertEqual(outside, {path for path in tree(self.server.directory)
                                   if not path.startswith(self.server.root)})

    NOT_MADE = ("b%ff%fe", "%ff", "x%c3", "%c0%af", "%ed%a0%80", "%f4%90%80%80", "%80",  # no UTF-8
                "%c2%80", "a%c2%9bb", "%c2%9f")  # control characters

    def test_names_that_a_terminal_could_obey_are_not_made(self):
        before = os.listdir(self.server.root)
        for name in self.NOT_MADE:
            text = self.bad("POST", "/append?id=a&storagePrefix=" + name, b"x")
            self.assertRegex(text, rb"\Ano prefix is made whose name has control characters [ -~]*: "
                                   rb"[ -~]+; use another name\n\Z")
            # it is not an error to ask for it
            self.bad("GET", "/get?id=a&offset=0&storagePrefix=" + name, status=404)
            self.assertEqual(200, self.ask("POST", "/close?storagePrefix=" + name)[0])
        self.assertEqual(before, os.listdir(self.server.root))
        for name in ("%c2%a0", "%c3%bc", "%f0%9f%90%88", "%ef%bf%bd"):
            self.append("id=a&storagePrefix=" + name)

    def test_names_that_would_not_be_made_are_served_if_they_exist(self):
        """JSON must be UTF-8 whatever the name is: the reply is valid JSON."""
        for name in self.NOT_MADE:
            self.append("id=a&storagePrefix=plain")
            self.ask("POST", "/close?storagePrefix=plain")
            directory = os.path.join(os.fsencode(self.server.root),
                                     urllib.parse.unquote_to_bytes(name))
            os.rename(os.path.join(self.server.root, "plain"), directory)
            file, offset = self.append("id=a&storagePrefix=" + name)
            self.assertEqual(17, offset)
            self.assertEqual(directory.decode(errors="replace"), os.path.dirname(file))
            for offset in (0, 17):
                status, _, body = self.ask(
                    "GET", "/get?id=a&offset=%d&storagePrefix=%s" % (offset, name))
                self.assertEqual((200, b"x"), (status, body))
            self.ask("POST", "/close?storagePrefix=" + name)
            shutil.rmtree(directory)

    def test_file_or_link_in_the_place_of_a_directory(self):
        """Refused; a symbolic link is not followed out of the root."""
        outside = os.path.join(self.server.directory, "outside")
        os.mkdir(outside)
        os.symlink(outside, os.path.join(self.server.root, "link"))
        with open(os.path.join(self.server.root, "file"), "w"):
            pass
        for name, words, help in (
                ("link", b"a symbolic link is in the way",
                 b"put what the link leads to in its place: no link is followed"),
                ("file", b"Not a directory", b"move it away, or use another storagePrefix")):
            path = os.path.join(self.server.root, name).encode()
            for method, target, body in (("POST", "/append?id=a", b"x"),
                                         ("GET", "/get?id=a&offset=0", None),
                                         ("POST", "/getMulti?id=a", bytes(8))):
                text = self.bad(method, target + "&storagePrefix=" + name, body, status=500)
                self.assertEqual(b"%s: %s; %s\n" % (words, path, help), text)
        self.assertEqual([], os.listdir(outside))


if __name__ == "__main__":
    unittest.main()
