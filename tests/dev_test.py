"""`sh cmake/dev run`: the data is in the user's own directory.
`sh cmake/dev debug`: gdb stops in the server, with names and lines, and at a sanitizer's finding.

In a copy of what it builds from, so that nobody's build directory is touched.
"""
import os
import shutil
import stat
import subprocess
import sys
import tempfile
import unittest

import harness
import process

SOURCE = os.environ["SOURCE_DIR"]


class Run(unittest.TestCase):
    """With the binary that is under test in place of one that it would build."""

    def setUp(self):
        self.directory = self.enterContext(tempfile.TemporaryDirectory(prefix="rochefort-run-"))
        self.home = os.path.join(self.directory, "home")
        os.mkdir(self.home)
        shutil.copytree(os.path.join(SOURCE, "cmake"), os.path.join(self.directory, "cmake"))
        os.makedirs(os.path.join(self.directory, ".build", "release"))
        os.symlink(harness.BINARY, os.path.join(self.directory, ".build", "release", "rochefort"))
        tools = os.path.join(self.directory, "tools")
        os.mkdir(tools)
        os.symlink(shutil.which("true"), os.path.join(tools, "cmake"))
        self.env = dict(os.environ, HOME=self.home, PATH=tools + os.pathsep + os.environ["PATH"])
        self.env.pop("XDG_STATE_HOME", None)

    def check_root(self, root, *flags, **env):
        started = process.Process(
            ["sh", os.path.join(self.directory, "cmake", "dev"), "run", "-bind", "127.0.0.1:0",
             *flags], os.path.join(self.directory, "log"), dict(self.env, **env))
        try:
            with harness.Client(int(started.wait_for_log(process.START_LINE).group(1))) as client:
                client.append("some_identifier", b"value")
            self.assertTrue(os.path.isfile(os.path.join(root, "default", "append.0.raw")))
            self.assertEqual(0o700, stat.S_IMODE(os.stat(root).st_mode))
            started.signal()
            self.assertEqual(0, started.popen.wait(harness.TIMEOUT_SECONDS))
        finally:
            if started.popen.poll() is None:
                started.popen.kill()
                started.popen.wait(harness.TIMEOUT_SECONDS)

    def test_in_the_home_directory(self):
        self.check_root(os.path.join(self.home, ".local", "state", "rochefort"))
        self.check_root(os.path.join(self.home, ".local", "state", "rochefort"), XDG_STATE_HOME="")

    def test_where_the_user_keeps_state(self):
        own = os.path.join(self.directory, "own place")
        self.check_root(os.path.join(own, "rochefort"), XDG_STATE_HOME=own)
        self.assertEqual([], os.listdir(self.home))

    def test_where_root_says(self):
        root = os.path.join(self.directory, "root")
        self.check_root(root, "-root", root)
        self.assertEqual([], os.listdir(self.home))


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
                                    "    volatile size_t after = strlen(options->root) + 1;\n"
                                    "    char *copy = strdup(options->root);\n"
                                    "    log_line(\"%c\", copy[after]);\n"))
        out = self.debug(["set confirm off", "break server_run", "run", "backtrace", "up",
                          "print options->workers", "down", "return", "continue", "backtrace"])
        self.assertRegex(out, r"Breakpoint 1, server_run \(server=0x[0-9a-f]+\)\s+at \S+/server\.c:")
        self.assertRegex(out, r"#1 +\S+ in serve \(options=0x\S+, hangup=0x\S+\)\s+at \S+/src/main\.c:"
                         r"\d+\s+#2 +\S+ in main \(argc=\d+, argv=0x\S+\)\s+at \S+/src/main\.c:\d+")
        self.assertRegex(out, r"\$1 = 2\n")
        stopped = out.partition("AddressSanitizer: heap-buffer-overflow")[2]
        self.assertIn("received signal SIGABRT", stopped, out)
        self.assertRegex(stopped, r"#\d+ +\S+ in main \(argc=\d+, argv=0x\S+\)")


if __name__ == "__main__":
    unittest.main()
