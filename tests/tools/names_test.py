"""Names with control characters: no tool prints them as they are, and all find their files."""
import os
import subprocess
import unittest

import harness
import tool_case
from tool_case import run

# CSI as ESC [, as a C1 byte and as the same in UTF-8; a line of its own; DEL; a byte that is not UTF-8
NAME = b"a\x1b[2J\x9b1\xc2\x9b2\nb\x7f\xff"
PRINTED = b"a?[2J?1??2?b??"


class Names(tool_case.Case):
    def setUp(self):
        super().setUp()
        self.bytes = os.fsencode(self.directory)
        self.name = os.path.join(self.bytes, NAME)
        with open(self.name, "wb") as file:
            file.write(tool_case.GOLDEN)

    def check_printed(self, status, *arguments, times):
        """The name is in the output so many times, as it must be, and nothing else is."""
        result = run(*arguments)
        self.assertEqual(status, result.returncode, result)
        out = result.stdout + result.stderr
        self.assertEqual(times, out.count(PRINTED), out)
        for line in out.split(b"\n"):
            text = line.decode()  # strictly
            self.assertFalse([c for c in text if ord(c) < 32 or 127 <= ord(c) < 160], text)
        return result

    def test_verify_of_a_file(self):
        self.check_printed(1, "verify", self.name, times=3)

    def test_verify_of_a_directory(self):
        directory = os.path.join(self.bytes, b"d" + NAME)
        os.mkdir(directory)
        os.rename(self.name, os.path.join(directory, b"append.1.raw"))
        os.mkdir(os.path.join(directory, b"append.2.raw"))
        self.check_printed(2, "verify", directory, times=7)  # append.0.raw is missing

    def test_dump(self):
        self.check_printed(1, "dump", self.name, times=2)
        self.check_printed(1, "dump", self.name, "3", times=1)
        self.check_printed(2, "dump", self.name, b"offset " + NAME, times=1)

    def test_repair(self):
        self.check_printed(0, "repair", self.name, times=3)
        self.check_printed(1, "repair", self.name, times=2)  # the copy exists

    def test_what_cannot_be_opened(self):
        for tool in ("verify", "dump", "repair"):
            self.check_printed(2, tool, self.name + b".none", times=1)

    def test_flags_of_the_server(self):
        for arguments in ((NAME,), (b"-" + NAME,), (b"-buckets", NAME), (b"-sync", NAME),
                          (b"-bind", NAME), (b"-mode", NAME)):
            self.check_printed(2, *arguments, times=1)

    def test_progress_on_a_terminal(self):
        with open(self.name, "wb") as file:
            file.truncate(1 << 32)
        master, slave = os.openpty()
        tool = subprocess.Popen([harness.BINARY, "verify", self.name], stdout=subprocess.DEVNULL,
                                stderr=slave)
        os.close(slave)
        try:
            seen = b""
            while PRINTED + b": " not in seen:
                part = os.read(master, 4096)
                seen += part
            for part in (b"\x1b[2J", b"\x9b", b"\x7f", b"\xff"):
                self.assertNotIn(part, seen)
        finally:
            tool.kill()
            tool.wait(harness.TIMEOUT_SECONDS)
            os.close(master)


if __name__ == "__main__":
    unittest.main()
