"""verify and repair in the middle of something long: they show how far they are, and can be ended.

A file is read in pieces. Preloaded, fail_tool stops the process before each piece from the middle
of the file on, so what happens between two of them takes no luck and no long file to see.
"""
import os
import pty
import random
import re
import select
import shutil
import signal
import subprocess
import tempfile
import time
import unittest

import harness
import records

MIB = 1 << 20
FILE_MIB = 8
STOP_AT = 4 * MIB
PROGRESS_EVERY_SECONDS = 1


def noise():
    return random.Random(1).randbytes(FILE_MIB * MIB)


class Tool:
    """A command whose standard error is a terminal. It is stopped before each read from STOP_AT on.
    """

    def __init__(self, *arguments, lines_there=False):
        preload = [os.environ["FAIL_TOOL"]]
        if harness.SANITIZE in ("address", "thread"):
            preload.insert(0, harness.sanitizer_runtime())
        env = dict(os.environ, LD_PRELOAD=" ".join(p for p in preload if p),
                   STOP_READS=str(STOP_AT))
        self.terminal, theirs = pty.openpty()
        self.process = subprocess.Popen([harness.BINARY, *arguments], env=env, stderr=theirs,
                                        stdout=theirs if lines_there else subprocess.DEVNULL)
        os.close(theirs)
        self.shown = b""

    def wait(self):
        """Answers "stopped", or the exit status (negative: the signal) if it has ended."""
        found = []

        def changed():
            pid, status = os.waitpid(self.process.pid, os.WNOHANG | os.WUNTRACED)
            found.append(status)
            return pid != 0
        harness.wait_for(changed, "a stop or the end")
        if os.WIFSTOPPED(found[-1]):
            return "stopped"
        self.process.returncode = os.waitstatus_to_exitcode(found[-1])
        return self.process.returncode

    def go_on(self):
        self.process.send_signal(signal.SIGCONT)

    def wait_for_text(self, pattern):
        """Reads the terminal until this is there, or nothing more comes."""
        while not re.search(pattern, self.shown):
            if not select.select([self.terminal], [], [], harness.TIMEOUT_SECONDS)[0]:
                break
            try:
                self.shown += os.read(self.terminal, 4096)
            except OSError:  # the other side is closed
                break
        return re.search(pattern, self.shown)

    def close(self):
        if self.process.returncode is None:
            self.process.kill()
            self.process.wait()
        os.close(self.terminal)


class Interrupt(unittest.TestCase):
    def setUp(self):
        self.directory = tempfile.mkdtemp(prefix="rochefort-tools-")
        self.addCleanup(shutil.rmtree, self.directory)
        self.path = os.path.join(self.directory, "append.0.raw")

    def start(self, content, *command, **options):
        with open(self.path, "wb") as file:
            file.write(content)
        tool = Tool(*command, self.path, **options)
        self.addCleanup(tool.close)
        self.assertEqual("stopped", tool.wait())
        return tool

    def test_progress_inside_damage_and_inside_a_value(self):
        for content in (noise(), records.encode(noise())):
            for command in ("verify", "repair"):
                with self.subTest(command=command, damage=len(content) == FILE_MIB * MIB):
                    tool = self.start(content, command)
                    time.sleep(PROGRESS_EVERY_SECONDS + 0.1)  # then the next piece shows a line
                    tool.go_on()
                    self.assertEqual("stopped", tool.wait())
                    tool.process.kill()
                    self.assertTrue(tool.wait_for_text(rb"(\d{7}) of %d bytes, \d+\.\d MiB/s" % len(content)), tool.shown)
                    tool.process.wait(harness.TIMEOUT_SECONDS)
                    if command == "repair":
                        os.unlink(self.path + ".repaired.partial")

    def read_on(self, tool):
        """Until the piece behind the one after which a line is due; kills it then."""
        time.sleep(PROGRESS_EVERY_SECONDS + 0.1)
        tool.go_on()
        self.assertEqual("stopped", tool.wait())
        tool.process.kill()
        tool.process.wait(harness.TIMEOUT_SECONDS)

    def test_progress_of_dump_and_adopt(self):
        """They read no values, so only damage takes them long."""
        tool = self.start(noise(), "dump")
        self.read_on(tool)
        line = rb"append\.0\.raw: \d{7} of %d bytes, \d+\.\d MiB/s" % (FILE_MIB * MIB)
        self.assertTrue(tool.wait_for_text(line), tool.shown)
        tool = Tool("adopt", "-hash", "xxh3", self.directory)
        self.addCleanup(tool.close)
        self.assertEqual("stopped", tool.wait())
        self.read_on(tool)
        self.assertTrue(tool.wait_for_text(re.escape(os.fsencode(self.directory)) + b"/" + line),
                        tool.shown)

    def test_dump_shows_no_progress_between_its_lines(self):
        tool = self.start(records.encode(b"x") + noise(), "dump", lines_there=True)
        self.read_on(tool)
        self.assertFalse(tool.wait_for_text(rb" of \d+ bytes"), tool.shown)

    def test_repair_is_ended_before_it_reads_on(self):
        for content in (noise(), records.encode(noise())):
            for number in (signal.SIGINT, signal.SIGTERM):
                with self.subTest(signal=number, damage=len(content) == FILE_MIB * MIB):
                    tool = self.start(content, "repair")
                    tool.process.send_signal(number)
                    tool.go_on()
                    self.assertEqual(1, tool.wait())  # not "stopped": at the next read
                    self.assertTrue(tool.wait_for_text(rb"interrupted, and removed"), tool.shown)
                    self.assertEqual(["append.0.raw"], os.listdir(self.directory))

    def test_verify_is_ended_by_the_signal(self):
        tool = self.start(noise(), "verify")
        tool.process.send_signal(signal.SIGINT)
        tool.go_on()
        self.assertEqual(-signal.SIGINT, tool.wait())


if __name__ == "__main__":
    unittest.main()
