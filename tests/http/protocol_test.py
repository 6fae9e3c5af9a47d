"""The protocol with curl: the examples of the original, and every status of PROTOCOL.md's table."""
import json
import os
import re
import shutil
import struct
import subprocess
import unittest

import curl
from curl import BYTES, JSON, TEXT

MIB = 1 << 20


def packed(*offsets):
    """The body of a getMulti."""
    return struct.pack("<%dQ" % len(offsets), *offsets)


class Protocol(curl.TestCase):
    FLAGS = ("-max-value", "1MiB")

    def append(self, target="/append?id=x", value="some text"):
        """The file that the value went to."""
        return json.loads(self.expect(200, JSON, target, "-d", value))["file"]

    def check_root_is_empty(self):
        self.assertEqual([], [name for name in os.listdir(self.server.root)
                              if not name.startswith(".")])

    def test_append_get_get_multi_and_close_answer_as_the_original(self):
        for value, offset in (("some text", 0), ("some other data in same identifier", 25)):
            reply = self.expect(200, JSON, "/append?id=some_identifier", "-d", value)
            self.assertRegex(reply.decode(), r'\A\{"offset":%d,"file":"%s/default/append\.\d'
                             r'\.raw"\}\Z'
                             % (offset, re.escape(self.server.root)))
        self.assertEqual(b"some text",
                         self.expect(200, BYTES, "/get?id=some_identifier&offset=0"))
        self.assertEqual(b"some other data in same identifier",
                         self.expect(200, BYTES, "/get?id=some_identifier&offset=25"))

        path = self.write("offsets", packed(25, 0, 25))
        other = b"\x22\0\0\0some other data in same identifier"
        wanted = other + b"\x09\0\0\0some text" + other
        self.assertEqual(89, len(wanted))
        self.assertEqual(wanted, self.expect(200, BYTES, "/getMulti?id=some_identifier",
                                             "--data-binary", "@" + path))

        self.assertEqual(b'{"success":true}', self.expect(200, JSON, "/close"))
        self.assertEqual(b'{"success":true}', self.expect(
            200, JSON, "/close?storagePrefix=never_seen", "-X", "POST"))

    def test_the_bucket_of_an_id_does_not_change_with_the_other_parameters(self):
        first = self.expect(200, JSON, "/append?id=k&storagePrefix=", "-d", "a")
        second = self.expect(200, JSON, "/append?unknown=1&id=k", "-d", "b")
        self.assertIn(b'"offset":0', first)
        self.assertIn(b'"offset":17', second)
        self.assertEqual(first.replace(b'"offset":0', b""), second.replace(b'"offset":17', b""))

    def test_head_answers_the_headers_of_get(self):
        self.append("/append?id=h", "nine byte")
        reply = self.curl("/get?id=h&offset=0", "-I")
        self.assertTrue(reply.startswith(b"HTTP/1.1 200 OK\r\n"), reply)
        self.assertIn(b"\r\nContent-Length: 9\r\n", reply)
        reply = self.curl("/get?id=h&offset=1", "-I")
        self.assertTrue(reply.startswith(b"HTTP/1.1 404 Not Found\r\n"), reply)

    def test_prefixes_with_spaces_umlauts_ampersands_and_quotes(self):
        for prefix in ("a%20b", "a+b", "%C3%BC", "a%26b", "%22q%22", "back%5Cslash"):
            query = "id=x&storagePrefix=" + prefix
            reply = self.expect(200, JSON, "/append?" + query, "-d", "v")
            json.loads(reply.decode())
            self.assertEqual(b"v", self.expect(200, BYTES, "/get?offset=0&" + query))
        self.assertEqual(5, sum(entry.is_dir() for entry in os.scandir(self.server.root)))
        root = os.fsencode(self.server.root)
        self.assertTrue(os.path.isfile(root + b"/a b/append.0.raw"))
        self.assertTrue(os.path.isfile(root + "/ü/append.9.raw".encode()))

    def test_400_names_what_is_missing_or_wrong_and_no_file_is_touched(self):
        for target, arguments, words in (
                ("/append", ("-d", "v"), b"id missing"),
                ("/append?id=", ("-d", "v"), b""),
                ("/append?id=x", ("-X", "POST"), b"value is empty"),
                ("/append?id=x&id=y", ("-d", "v"), b"id given twice"),
                ("/append?id=%zz", ("-d", "v"), b""),
                ("/append?id=%00", ("-d", "v"), b""),
                ("/get?id=x", (), b"offset missing"),
                ("/getMulti?id=x", ("--data-binary", "1234567"), b"")):
            self.assertIn(words, self.expect(400, TEXT, target, *arguments))
        for offset in ("", "-1", "+1", "1.5", "0x1", "1e3", "9223372036854775808",
                       "99999999999999999999999"):
            self.expect(400, TEXT, "/get?id=x", "-G", "--data-urlencode", "offset=" + offset)
        for prefix in ("..", ".", ".hidden", "a%2fb", "%2e%2e", "a%01b", "a%7fb", "x" * 256):
            self.expect(400, TEXT, "/append?id=x&storagePrefix=" + prefix, "-d", "v")
            self.expect(400, TEXT, "/get?id=x&offset=0&storagePrefix=" + prefix)
            self.expect(400, TEXT, "/close?storagePrefix=" + prefix)
        self.check_root_is_empty()

    def test_put_is_refused_and_says_what_to_send(self):
        """A proxy may send it twice, and each would be a record."""
        body = self.expect(405, TEXT, "/append?id=x", "-T", __file__)
        self.assertIn(b"-X POST -T FILE", body)
        self.expect(200, JSON, "/append?id=x", "-X", "POST", "-T", __file__)

    def test_a_form_is_refused_and_says_what_to_send(self):
        """Its boundaries would be stored with the value."""
        body = self.expect(415, TEXT, "/append?id=x", "-F", "file=@" + __file__)
        self.assertIn(b"--data-binary @FILE", body)
        self.expect(200, JSON, "/append?id=x", "--data-binary", "@" + __file__)

    def test_404_for_what_is_unknown_and_reading_creates_nothing(self):
        self.expect(404, TEXT, "/nothing")
        self.expect(404, TEXT, "/none")
        self.assertIn(b"no such storagePrefix: default",
                      self.expect(404, TEXT, "/get?id=x&offset=0"))
        self.expect(404, TEXT, "/getMulti?id=x&storagePrefix=p",
                    "--data-binary", "@" + self.write("offsets", packed(0)))
        self.check_root_is_empty()
        self.append(value="value")
        for offset in (1, 4, 5, 16, 20, 21, 22, 9223372036854775807):
            reply = self.expect(404, TEXT, "/get?id=x&offset=%d" % offset)
            self.assertIn("offset %d of %s/default/append" % (offset, self.server.root),
                          reply.decode())

    def test_405_says_what_is_allowed(self):
        for method, path, allowed in (
                ("PUT", "append", "POST"), ("GET", "append", "POST"),
                ("DELETE", "get", "GET, HEAD"), ("POST", "get", "GET, HEAD"),
                ("GET", "getMulti", "POST"), ("HEAD", "getMulti", "POST"),
                ("PATCH", "close", "GET, POST")):
            how = ("--head",) if method == "HEAD" else ("-i", "-X", method)
            reply = self.curl("/%s?id=x" % path, *how).decode()
            self.assertTrue(reply.startswith("HTTP/1.1 405 "), reply)
            self.assertIn("\r\nAllow: %s\r\n" % allowed, reply)

    def test_413_for_one_byte_more_than_the_largest_value(self):
        value = os.urandom(MIB)
        path = "@" + self.write("value", value)
        self.expect(200, JSON, "/append?id=x", "--data-binary", path)
        self.assertTrue(value == self.expect(200, BYTES, "/get?id=x&offset=0"))
        self.write("value", value + b"\n")
        self.assertIn(b"the limit is 1048576 bytes",
                      self.expect(413, TEXT, "/append?id=x", "--data-binary", path))
        self.write("value", bytes(8 * MIB + 8))
        self.expect(413, TEXT, "/getMulti?id=x", "--data-binary", path)
        self.expect(413, TEXT, "/getMulti?id=x", "-H", "Transfer-Encoding: chunked",
                    "--data-binary", path)

    def test_500_for_a_record_whose_end_is_missing(self):
        file = self.append()
        self.expect(200, JSON, "/close")
        os.truncate(file, 24)
        self.assertIn("cut short: offset 0 of " + file,
                      self.expect(500, TEXT, "/get?id=x&offset=0").decode())

    def test_404_and_not_a_wrong_value_for_a_flipped_bit_in_a_header(self):
        with open(self.append(), "r+b") as file:
            file.write(b"\x08")
        self.expect(404, TEXT, "/get?id=x&offset=0")

    @unittest.skipUnless(shutil.which("xxhsum"), "needs xxhsum")
    def test_the_bucket_is_xxh3_of_the_id_modulo_the_buckets(self):
        for id in ("some_identifier", "x", "",
                   "a-rather-long-identifier-that-takes-another-path-through-the-hash"):
            id += "-1"
            printed = subprocess.run(["xxhsum", "-H3"], input=id.encode(), capture_output=True,
                                     check=True).stdout.decode()
            # "XXH3 (stdin) = HASH", or since 0.8.2 "XXH3_HASH  stdin"
            (hashed,) = re.findall("[0-9a-f]{16}", printed)
            self.assertTrue(self.append("/append?id=" + id, "v").endswith(
                "/append.%d.raw" % (int(hashed, 16) % 10)), id)

    def test_a_prefix_whose_directory_was_deleted_without_a_close_is_made_anew(self):
        file = self.append(value="v")
        directory = os.path.join(self.server.root, "default")
        shutil.rmtree(directory)
        for id in "abcdefghijklmnopqrstuvwyz":
            self.append("/append?id=" + id, "v")
        self.assertEqual(25 * 17, sum(entry.stat().st_size for entry in os.scandir(directory)
                                     if entry.name != "MANIFEST"))
        shutil.rmtree(directory)
        self.expect(200, JSON, "/close")
        reply = self.expect(200, JSON, "/append?id=x", "-d", "v")
        self.assertEqual('{"offset":0,"file":"%s"}' % file, reply.decode())


if __name__ == "__main__":
    unittest.main()
