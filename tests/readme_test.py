"""README.md and the documents beside the code: their examples, run; their links, followed."""
import os
import re
import shutil
import struct
import subprocess
import tempfile
import textwrap
import unittest
import zlib

import harness
import original
import readme
import records

SOURCE_DIR = os.environ["SOURCE_DIR"]
SHELLS = ("bash", "dash")
README_LINES_MAX = 200

# How many commands each of them shows at least, for a fresh server with 10 buckets.
EXAMPLES = {
    "README.md": 7,
    "src/http/PROTOCOL.md": 34,
    "src/store/FORMAT.md": 5,
    "src/tools/README.md": 20,
    "src/deploy/README.md": 21,
}


def read(path):
    with open(os.path.join(SOURCE_DIR, path), encoding="utf-8") as file:
        return file.read()


def documents():
    """The paths of all documents, from the top of the source."""
    found = []
    for directory, directories, files in os.walk(SOURCE_DIR):
        directories[:] = [name for name in directories if not name.startswith(".")]
        found += [os.path.relpath(os.path.join(directory, name), SOURCE_DIR)
                  for name in files if name.endswith(".md")]
    return sorted(found)


def matches(printed, output):
    """Whether the output is what was printed, where ... stands for anything within a line."""
    pattern = ".*".join(re.escape(part) for part in printed.split("..."))
    return re.fullmatch(pattern, output) is not None


class Examples(unittest.TestCase):
    def play(self, shell, path):
        """Runs the commands of a document, one after the other, beside its scripts."""
        text = read(path)
        server = self.enterContext(harness.Server("-buckets", "10"))
        directory = tempfile.mkdtemp(dir=server.directory)
        for name, script in readme.scripts(text).items():
            with open(os.path.join(directory, name), "w", encoding="utf-8") as file:
                file.write(script)
        env = dict(os.environ, PATH=os.pathsep.join(
            [os.path.dirname(harness.BINARY), os.environ["PATH"]]))
        examples = readme.console_examples(text, "127.0.0.1:%d" % server.port, server.root)
        self.assertGreaterEqual(len(examples), EXAMPLES[path])
        for command, printed in examples:
            run = subprocess.run([shell, "-c", command], capture_output=True, timeout=60, text=True,
                                 cwd=directory, env=env, check=False)
            output = run.stdout.replace("\r", "").strip()
            self.assertEqual("", run.stderr, command)
            self.assertEqual(0, run.returncode, command)
            if not matches(printed, output):
                self.assertEqual(printed, output, command)

    def test_commands_print_what_the_documents_say(self):
        for path in EXAMPLES:
            for shell in SHELLS:
                with self.subTest(path, shell=shell):
                    self.assertIsNotNone(shutil.which(shell))
                    self.play(shell, path)

    def test_no_example_is_left_out(self):
        """Each fenced block is of a kind that a test reads, in a document whose blocks are read."""
        for path in documents():
            kinds = set(readme.languages(read(path)))
            allowed = {"text"}
            if path in EXAMPLES:
                allowed |= {"console", "hex", "java", "logrotate", "python"}
            elif path == "src/client/java/README.md":
                allowed |= {"java"}
            self.assertLessEqual(kinds, allowed, path)

    def test_printed_output_may_leave_out_a_part_of_a_line(self):
        self.assertTrue(matches("Date: ...\nEnd", "Date: today\nEnd"))
        self.assertFalse(matches("Date: ...\nEnd", "Date: today\nX\nEnd"))
        self.assertFalse(matches("a.c", "abc"))


class Commands(unittest.TestCase):
    def test_commands_of_cmake_dev_exist(self):
        known = set(re.findall(r"^([a-z]+)\)$", read("cmake/dev"), re.M))
        self.assertIn("run", known)
        for path in documents():
            named = set(re.findall(r"cmake/dev ([a-z]+)", read(path)))
            self.assertLessEqual(named, known, path)


class Format(unittest.TestCase):
    TEXT = read("src/store/FORMAT.md")

    def test_hex_example_is_a_record(self):
        (text,) = readme.blocks(self.TEXT, "hex")
        record = bytes.fromhex("".join(re.match("(?:[0-9a-f]{2} )+", line).group(0)
                                       for line in text.splitlines()))
        length, time_ns, checksum = struct.unpack_from("<IQI", record)
        self.assertEqual(length, 9)
        self.assertEqual(time_ns, 1518264381 * 10**9)
        self.assertEqual(checksum, zlib.crc32(record[:12]))
        self.assertEqual(record[16:], b"some text")

    def test_buckets_of_ids(self):
        """The table, by its own hashes and by what the server does."""
        rows = re.findall(r"^\| `(\w+)` \| `([0-9a-f]{16})` \| (\d+) \| (\d+) \|$", self.TEXT, re.M)
        self.assertGreaterEqual(len(rows), 3)
        for column, buckets in ((2, 10), (3, 128)):
            with harness.Server("-buckets", str(buckets)) as server, server.client() as client:
                for row in rows:
                    id, bucket = row[0], int(row[column])
                    self.assertEqual(bucket, int(row[1], 16) % buckets, id)
                    reply = client.request("POST", "/append", b"v", id=id)[2]
                    self.assertIn(b"/append.%d.raw" % bucket, reply)


    def test_buckets_of_ids_of_the_original(self):
        """The same for FNV-1a, in a prefix whose MANIFEST says so."""
        rows = re.findall(r"^\| `(\w+)` \| `([0-9a-f]{8})` \| (\d+) \| (\d+) \|$", self.TEXT, re.M)
        self.assertGreaterEqual(len(rows), 3)
        with harness.Server() as server, server.client() as client:
            for column, buckets in ((2, 10), (3, 128)):
                name = "p%d" % buckets
                original.Prefix(server.root, name, buckets)
                records.write_manifest(server.root, name, buckets, "fnv1a")
                for row in rows:
                    id, bucket = row[0], int(row[column])
                    self.assertEqual(row[1], "%08x" % original.fnv1a(id))
                    self.assertEqual(bucket, int(row[1], 16) % buckets, id)
                    reply = client.request("POST", "/append", b"v", id=id, storagePrefix=name)[2]
                    self.assertIn(b"/append.%d.raw" % bucket, reply)

    def test_example_of_a_manifest(self):
        """What is shown is one that the server takes."""
        (text,) = re.findall(r"^    (rochefort 1\n(?:    .*\n)+)", self.TEXT, re.M)
        with harness.Server() as server, server.client() as client:
            original.Prefix(server.root, "p", 128)
            with open(os.path.join(server.root, "p", "MANIFEST"), "w") as file:
                file.write(text.replace("    ", ""))
            client.append("a", b"value", "p")


class Java(unittest.TestCase):
    """What the client's own tests compile and run is what the documents show."""

    PROGRAM = read("src/client/java/src/test/java/example/Example.java")
    FURTHER = read("src/client/java/src/test/java/example/Further.java")

    def test_programs_of_the_clients_readme(self):
        first, *others = readme.blocks(read("src/client/java/README.md"), "java")
        self.assertEqual(self.PROGRAM, first)
        self.assertGreaterEqual(len(others), 5)
        for lines in others:
            self.assertIn("\n" + textwrap.indent(lines, " " * 4), self.FURTHER)

    def test_ten_lines_of_the_readme_are_its_body(self):
        (lines,) = readme.blocks(read("README.md"), "java")
        self.assertIn("{\n" + textwrap.indent(lines, " " * 8) + "    }\n", self.PROGRAM)


class Links(unittest.TestCase):
    def test_every_link_leads_somewhere(self):
        paths = documents()
        self.assertLessEqual(set(EXAMPLES), set(paths))
        for path in paths:
            self.assertEqual([], readme.broken_links(os.path.join(SOURCE_DIR, path)), path)

    def test_a_broken_link_is_found(self):
        with tempfile.TemporaryDirectory(prefix="rochefort-test-") as directory:
            path = os.path.join(directory, "a.md")
            with open(path, "w", encoding="utf-8") as file:
                file.write(textwrap.dedent("""\
                    # The `-root` flag, said twice
                    [good](#the--root-flag-said-twice) [good](a.md) [good](http://x/y) [good](.)
                    [bad](#other) [bad](b.md) [bad](a.md#other) [bad](../none/)
                    `[code](c.md)`

                        [code](d.md)
                    """))
            self.assertEqual([], [link for link in readme.broken_links(path) if "root" in link])
            self.assertEqual(["#other", "b.md", "a.md#other", "../none/"],
                             readme.broken_links(path))

    def test_readme_is_short(self):
        self.assertLessEqual(len(read("README.md").splitlines()), README_LINES_MAX)


if __name__ == "__main__":
    unittest.main()
