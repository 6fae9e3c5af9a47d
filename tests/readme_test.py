"""The README's examples, extracted from it and run; its hex record, decoded."""
import os
import re
import struct
import subprocess
import unittest
import zlib

from harness import Server
from readme import blocks, console_examples

with open(os.path.join(os.environ["SOURCE_DIR"], "README.md"), encoding="utf-8") as file:
    README = file.read()


class Readme(unittest.TestCase):
    def test_console_examples_answer_as_printed(self):
        with Server("-buckets", "10") as server:
            examples = console_examples(README, "127.0.0.1:%d" % server.port, server.root)
            self.assertGreaterEqual(len(examples), 7)
            for command, printed in examples:
                run = subprocess.run(["bash", "-c", command], capture_output=True, timeout=60,
                                     check=True)
                self.assertEqual(run.stdout.decode().strip(), printed, command)

    def test_java_example_is_the_one_that_is_tested(self):
        path = "src/client/java/src/test/java/example/Example.java"
        with open(os.path.join(os.environ["SOURCE_DIR"], path), encoding="utf-8") as example:
            self.assertEqual(blocks(README, "java"), [example.read()])

    def test_hex_example_is_a_record(self):
        (text,) = blocks(README, "hex")
        record = bytes.fromhex("".join(re.match("(?:[0-9a-f]{2} )+", line).group(0)
                                       for line in text.splitlines()))
        length, time_ns, checksum = struct.unpack_from("<IQI", record)
        self.assertEqual(length, 9)
        self.assertEqual(time_ns, 1518264381 * 10**9)
        self.assertEqual(checksum, zlib.crc32(record[:12]))
        self.assertEqual(record[16:], b"some text")


if __name__ == "__main__":
    unittest.main()
