"""`sh cmake/dev debug`: gdb stops in the server, with names and lines, and at a sanitizer's finding.

In a copy of what it builds from, so that nobody's build directory is touched.
"""
import os
import shutil
import subprocess
import sys
import tempfile
import unittest

SOURCE = os.environ["SOURCE_DIR"]


class Debug(unittest.TestCase):
    def setUp(self):
        self.directory = self.enterContext(tempfile.TemporaryDirectory(prefix="rochefort-debug-"))
        for name in ("cmake", "src"):
            shutil.copytree(os.path.join(SOURCE, name), os.path.join(self.directory, name))
        for name in ("CMakeLists.txt", "LICENSE"):
            shutil.copy(os.path.join(SOURCE, name), self.directory)

    def debug(self, commands):
        """What gdb prints; it reads its commands from standard input, which is no terminal here."""
        done = subprocess.run(
            ["sh", os.path.join(self.directory, "cmake", "dev"), "debug", "-bind", "127.0.0.1:0",
             "-root", os.path.join(self.directory, "root")],
            input="\n".join(commands) + "\n", stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            text=True, timeout=280)
        if "ptrace: Operation not permitted" in done.stdout:
            self.skipTest("no process may be traced here")
        self.assertEqual(0, done.returncode, done.stdout)
        return done.stdout

    def test_gdb_stops_where_it_is_told_and_at_findings(self):
        path = os.path.join(self.directory, "src", "main.c")
        with open(path, encoding="utf-8") as file:
            text = file.read()
        with open(path, "w", encoding="utf-8") as file:  # reads the byte after a string's end
            file.write(text.replace("server_run(server);\n", "server_run(server);\n"
                                    "    volatile size_t after = strlen(options.root) + 1;\n"
                                    "    char *copy = strdup(options.root);\n"
                                    "    log_line(\"%c\", copy[after]);\n"))
        out = self.debug(["set confirm off", "break server_run", "run", "backtrace", "up",
                          "print options.workers", "down", "return", "continue", "backtrace"])
        self.assertRegex(out, r"Breakpoint 1, server_run \(server=0x[0-9a-f]+\)\s+at \S+/server\.c:")
        self.assertRegex(out, r"#1 +\S+ in main \(argc=\d+, argv=0x\S+\)\s+at \S+/src/main\.c:\d+")
        self.assertRegex(out, r"\$1 = 2\n")
        stopped = out.partition("AddressSanitizer: heap-buffer-overflow")[2]
        self.assertIn("received signal SIGABRT", stopped, out)
        self.assertRegex(stopped, r"#\d+ +\S+ in main \(argc=\d+, argv=0x\S+\)")


if __name__ == "__main__":
    unittest.main()
