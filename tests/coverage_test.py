"""`sh cmake/dev coverage` with one unit test and a server that is killed: both are counted."""
import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

import harness
import suite

SOURCE = os.environ["SOURCE_DIR"]


def run(*command, **options):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          **options)
    assert done.returncode == 0, "%s:\n%s" % (" ".join(command), done.stdout)
    return done.stdout


@unittest.skipUnless(all(shutil.which(tool) for tool in ("clang", "llvm-cov", "llvm-profdata")),
                     "needs clang, llvm-cov and llvm-profdata")
class Coverage(unittest.TestCase):
    def setUp(self):
        self.build = self.enterContext(tempfile.TemporaryDirectory(prefix="rochefort-coverage-"))
        run("cmake", "-S", SOURCE, "-B", self.build, "-G", "Ninja", "-DCMAKE_BUILD_TYPE=Debug",
            "-DCMAKE_C_COMPILER=clang", "-DROCHEFORT_SANITIZE=coverage",
            "-DCMAKE_DISABLE_FIND_PACKAGE_Java=ON")
        run("cmake", "--build", self.build, "--target", "rochefort", "store_record_test")
        self.env = {"LLVM_PROFILE_FILE": os.path.join(self.build, "counters", "%c%m.profraw")}

    def serve_and_kill(self):
        binary = os.path.join(self.build, "rochefort")
        with harness.Server(env=self.env, binary=binary) as server, server.client() as client:
            self.assertEqual(0, client.append("x", b"value"))
            server.kill()

    def lines_run(self, report, name):
        """(how many, of how many)"""
        found = re.search(r"^%s +[\d.]+%% +(\d+)/(\d+) " % re.escape(name), report, re.MULTILINE)
        self.assertIsNotNone(found, report)
        return tuple(int(number) for number in found.groups())

    def check_listing(self, report):
        """The lines that nothing has run are listed with their text."""
        listed = re.findall(r"^(src/\S+):(\d+): (.*)$", report, re.MULTILINE)
        self.assertGreater(len(listed), 100)
        for name, number, text in listed:
            with open(os.path.join(SOURCE, name), encoding="utf-8") as source:
                self.assertEqual(source.read().splitlines()[int(number) - 1].strip(), text)

    def test_what_was_run_is_counted(self):
        run(os.path.join(self.build, "tests", "store_record_test"), env=dict(os.environ, **self.env))
        self.serve_and_kill()
        report = run(sys.executable, "-B", os.path.join(SOURCE, "cmake", "coverage.py"), SOURCE,
                     self.build)
        done, of = self.lines_run(report, "src/store/record.c")
        self.assertEqual(of, done)
        self.assertGreater(of, 10)
        for name in ("src/http/append.c", "src/store/bucket.c", "src/work/worker.c", "src/http/"):
            done, of = self.lines_run(report, name)
            self.assertTrue(0 < done < of, (name, done, of))
        self.assertEqual(0, self.lines_run(report, "src/tools/dump.c")[0])
        # an append decodes no header of a record
        self.assertRegex(report, r"(?m)^src/store/bucket\.c:\d+: .*record_header_decode\(")
        self.check_listing(report)
        self.assertTrue(os.path.exists(os.path.join(self.build, "html", "index.html")))


if __name__ == "__main__":
    suite.main()
