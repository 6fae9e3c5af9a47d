"""The README's examples, extracted from it and run; its hex record, decoded."""
import os
import re
import struct
import subprocess
import sys
import unittest
import zlib

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "http"))
from harness import Server  # noqa: E402

with open(os.path.join(os.environ["SOURCE_DIR"], "README.md"), encoding="utf-8") as file:
    README = file.read()


def blocks(language):
    return re.findall("^```%s\n(.*?)^```$" % language, README, re.M | re.S)


class Readme(unittest.TestCase):
    def test_console_examples_answer_as_printed(self):
        examples = re.findall(r"^\$ (.*)\n((?:(?!\$ ).*\n)*)", "".join(blocks("console")), re.M)
        self.assertGreaterEqual(len(examples), 7)
        with Server("-buckets", "10") as server:
            for command, printed in examples:
                self.assertIn("http://localhost:8001/", command)
                command = command.replace("localhost:8001", "127.0.0.1:%d" % server.port)
                run = subprocess.run(["bash", "-c", command.replace("curl", "curl -s -m 60", 1)],
                                     capture_output=True, timeout=60, check=True)
                wanted = printed.replace("/tmp/rochefort", server.root)
                self.assertEqual(run.stdout.decode().strip(), wanted.strip(), command)

    def test_java_example_is_the_one_that_is_tested(self):
        path = "src/client/java/src/test/java/example/Example.java"
        with open(os.path.join(os.environ["SOURCE_DIR"], path), encoding="utf-8") as example:
            self.assertEqual(blocks("java"), [example.read()])

    def test_hex_example_is_a_record(self):
        (text,) = blocks("hex")
        record = bytes.fromhex("".join(re.match("(?:[0-9a-f]{2} )+", line).group(0)
                                       for line in text.splitlines()))
        length, time_ns, checksum = struct.unpack_from("<IQI", record)
        self.assertEqual(length, 9)
        self.assertEqual(time_ns, 1518264381 * 10**9)
        self.assertEqual(checksum, zlib.crc32(record[:12]))
        self.assertEqual(record[16:], b"some text")


if __name__ == "__main__":
    unittest.main()
