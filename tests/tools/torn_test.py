"""repair of files that end in the first bytes of a record: what the copy ends in stays.

Else the next append to the copy would get the offset of the record that was lost.
"""
import os
import shutil
import subprocess
import tempfile
import unittest

import harness
import records

# Those of 255, 65535 and 16777215 begin with one, two and three bytes of ff, as small gaps do.
LENGTHS = (20, 255, 65535, 16777215, 2**32 - 1)
FIRST = records.encode(b"whole")
GAP_OF_16 = records.header(0, 0)


class Torn(unittest.TestCase):
    def setUp(self):
        self.directory = tempfile.mkdtemp(prefix="rochefort-tools-")
        self.addCleanup(shutil.rmtree, self.directory)

    def write(self, content, *name):
        path = os.path.join(self.directory, *name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(content)
        return path

    def check(self, status, *arguments):
        result = subprocess.run([harness.BINARY, *arguments], capture_output=True, text=True,
                                timeout=harness.TIMEOUT_SECONDS)
        self.assertEqual(status, result.returncode, result.stdout + result.stderr)
        return result.stdout

    def read(self, path):
        with open(path, "rb") as file:
            return file.read()

    def test_every_cut_of_a_header(self):
        """Each copy becomes a prefix of its own, with one file, for a server that goes on with it.
        """
        prefixes = []
        for length in LENGTHS:
            for cut in range(1, 16):
                name = "cut.%d.%d" % (length, cut)
                path = self.write(FIRST + records.header(length, records.TIME_NS)[:cut], "torn",
                                  name)
                self.assertIn("%s: offset 21: torn tail, %d bytes\n" % (path, cut),
                              self.check(1, "verify", path))
                out = os.path.join(self.directory, "root", name, "append.0.raw")
                os.makedirs(os.path.dirname(out))
                self.assertIn("%s: kept 1 records of 21 bytes, dropped 1 ranges of %d bytes; all "
                              "offsets are as before\n" % (out, cut),
                              self.check(0, "repair", path, out))
                self.assertEqual(FIRST + GAP_OF_16, self.read(out))
                records.write_manifest(os.path.join(self.directory, "root"), name, 1)
                prefixes.append(name)
        # All copies are the same bytes, so once is enough.
        self.assertIn("%s: 1 records, 37 bytes, 1 gap (16 bytes): whole\n" % out,
                      self.check(0, "verify", out))
        self.assertIn("dropped 0 ranges", self.check(0, "repair", out, out + ".again"))
        self.assertEqual(self.read(out), self.read(out + ".again"))
        os.unlink(out + ".again")
        with harness.Server(root=os.path.join(self.directory, "root")) as server:
            with server.client() as client:
                for prefix in prefixes:
                    self.assertEqual(37, client.append("a", b"new", prefix))
                    self.assertEqual(b"whole", client.get("a", 0, prefix))
                    self.assertEqual(b"new", client.get("a", 37, prefix))
                    for offset in range(21, 37):
                        status, _, _ = client.request("GET", "/get", id="a", offset=offset,
                                                      storagePrefix=prefix)
                        self.assertEqual(404, status)
            server.stop()
            self.check(0, "verify", server.root)

    def test_nothing_but_a_few_bytes_is_not_repaired(self):
        """No record is in it, so nothing would be kept."""
        for count in range(1, 16):
            for byte in (b"\xff", b"\0"):
                path = self.write(byte * count, "torn")
                self.check(1, "repair", path, path + ".out")
                self.assertEqual(["torn"], os.listdir(self.directory))

    def test_only_the_last_gap_is_made_longer(self):
        for count in range(1, 16):
            path = self.write(FIRST + b"x" * count + FIRST + b"y" * count, "damaged")
            self.check(0, "repair", path, path + ".out")
            self.assertEqual(FIRST + b"\xff" * count + FIRST + GAP_OF_16,
                             self.read(path + ".out"))
            self.check(0, "verify", path + ".out")
            os.unlink(path + ".out")

    def test_the_server_cuts_off_what_was_not_repaired(self):
        """A kill in the middle of the header leaves nothing that anybody could take for a gap."""
        for length in LENGTHS:
            for cut in range(1, 16):
                self.write(FIRST + records.header(length, records.TIME_NS)[:cut], "root",
                           "cut.%d.%d" % (length, cut), "append.0.raw")
                records.write_manifest(os.path.join(self.directory, "root"),
                                       "cut.%d.%d" % (length, cut), 1)
        with harness.Server(root=os.path.join(self.directory, "root")) as server:
            with server.client() as client:
                for prefix in os.listdir(server.root):
                    if prefix.startswith("cut."):
                        self.assertEqual(21, client.append("a", b"new", prefix), prefix)
            server.stop()  # then all of the log is written
            self.assertEqual(15 * len(LENGTHS),
                             server.log().count("an unfinished append was cut off"))


if __name__ == "__main__":
    unittest.main()
