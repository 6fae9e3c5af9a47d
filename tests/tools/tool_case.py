"""What the tests of verify, dump and repair share: running one of them on files made here."""
import os
import shutil
import subprocess
import tempfile
import unittest

import harness
import records

FAIL_TOOL = os.environ["FAIL_TOOL"]
PAGE = 4096

# Bytes worked out by hand, not with the encoder of these tests: "hello" at 2018-02-10 12:06:21 UTC,
# a header with one bit wrong in its length over "!", "hello" again, the beginning of a third.
GOLDEN = bytes.fromhex("05000000" "0022a21069f51115" "e4704544" "68656c6c6f"
                       "03000000" "0100000000000000" "9e8ada2c" "21"
                       "05000000" "0022a21069f51115" "e4704544" "68656c6c6f"
                       "05000000" "0022a21069f51115" "e4704544" "6865")


def run(*arguments, fail_read=None, fail_call=None, **options):
    env = dict(os.environ)
    if fail_read or fail_call:
        preload = [FAIL_TOOL]
        if harness.SANITIZE in ("address", "thread"):
            preload.insert(0, harness.sanitizer_runtime())
        env["LD_PRELOAD"] = " ".join(p for p in preload if p)
        if fail_read:
            env["FAIL_READ"] = "%d-%d" % fail_read
        if fail_call:
            env["FAIL_CALL"] = "%s:%d" % fail_call
    options.setdefault("stdout", subprocess.PIPE)
    return subprocess.run([harness.BINARY, *arguments], stderr=subprocess.PIPE, env=env,
                          timeout=harness.TIMEOUT_SECONDS, **options)


class Case(unittest.TestCase):
    def setUp(self):
        self.directory = tempfile.mkdtemp(prefix="rochefort-tools-")
        self.addCleanup(shutil.rmtree, self.directory)

    def path(self, name="append.0.raw"):
        return os.path.join(self.directory, name)

    def write(self, content, name="append.0.raw"):
        os.makedirs(os.path.dirname(self.path(name)), exist_ok=True)
        with open(self.path(name), "wb") as file:
            file.write(content)
        return self.path(name)

    def check(self, status, *arguments, **options):
        """Runs a tool and answers (standard output, standard error)."""
        result = run(*arguments, **options)
        out = (result.stdout or b"").decode(errors="replace")
        err = result.stderr.decode()
        self.assertNotIn("Sanitizer", err)
        self.assertEqual(status, result.returncode, out + err)
        return out, err

    def dump(self, status, path, **options):
        """{offset: (time, length)}"""
        out, _ = self.check(status, "dump", path, **options)
        found = {}
        for line in out.splitlines():
            offset, time, length = line.split(" ")
            found[int(offset)] = (time, int(length))
        return found


def read(path):
    with open(path, "rb") as file:
        return file.read()


def three():
    values = [b"a" * 20, b"b" * 5000, b"c" * 70]
    encoded = [records.encode(value) for value in values]
    offsets = [sum(len(e) for e in encoded[:i]) for i in range(3)]
    return values, offsets, b"".join(encoded)
