"""src/deploy/expire.sh: which prefixes it deletes, and that it deletes none that is not closed."""
import datetime
import os
import subprocess
import unittest

import harness

SCRIPT = os.path.join(os.environ["SOURCE_DIR"], "src/deploy/expire.sh")
DAYS = 30


def dated(name, days_ago):
    day = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(days=days_ago)
    return name + day.strftime("-%Y-%m-%d")


# Two days on each side, so that midnight may come in between.
OLD = [dated("log", DAYS + 2), dated("log", 4000), dated("a b&c=d%41é", DAYS + 2), dated("-x", 100)]
KEPT = [dated("log", DAYS - 2), dated("log", 0), dated("log", -400), "log", "log-2020-01-01-old",
        "log-2020-1-1", "log20200101", "2020-01-01", "log-2020-01-0x"]


class Expire(unittest.TestCase):
    def setUp(self):
        self.server = self.enterContext(harness.Server("-buckets", "2"))
        with self.server.client() as client:
            for name in OLD + KEPT:
                self.assertEqual(0, client.append("x", b"value", name))

    def run_script(self, status, *arguments, port=None, **env):
        url = "http://127.0.0.1:%d" % (port or self.server.port)
        done = subprocess.run(["sh", SCRIPT, *(arguments or (url, self.server.root, str(DAYS)))],
                              capture_output=True, text=True, timeout=harness.TIMEOUT_SECONDS,
                              env=dict(os.environ, HOME=self.server.directory, **env), check=False)
        self.assertEqual(status, done.returncode, done.stderr)
        return done.stdout.splitlines(), done.stderr

    def names(self):
        return {name for name in os.listdir(self.server.root) if name != ".rochefort.lock"}

    def test_old_ones_are_closed_and_deleted(self):
        out, err = self.run_script(0)
        self.assertEqual((sorted(OLD), ""), (sorted(out), err))
        self.assertEqual(set(KEPT), self.names())
        for name in OLD:
            self.assertEqual([], self.server.open_files(name))
        with self.server.client() as client:
            self.assertEqual(404, client.request("GET", "/get", id="x", offset=0,
                                                 storagePrefix=OLD[0])[0])
            for name in KEPT:
                self.assertEqual(b"value", client.get("x", 0, name))
            self.assertEqual(0, client.append("x", b"anew", OLD[0]))
        self.assertEqual(([], ""), self.run_script(0, "http://127.0.0.1:%d" % self.server.port,
                                                   self.server.root, "100000"))

    def test_what_is_no_directory_of_a_prefix_is_left_alone(self):
        others = {"file-2020-01-01", "link-2020-01-01", "directory-2020-01-01"}
        with open(os.path.join(self.server.root, "file-2020-01-01"), "w"):
            pass
        os.symlink(KEPT[0], os.path.join(self.server.root, "link-2020-01-01"))
        os.mkdir(os.path.join(self.server.root, "directory-2020-01-01"))
        self.run_script(0)
        self.assertEqual(set(KEPT) | others, self.names())
        with self.server.client() as client:
            self.assertEqual(b"value", client.get("x", 0, KEPT[0]))

    def test_what_is_not_closed_is_not_deleted(self):
        before = self.names()
        self.server.stop()
        out, err = self.run_script(1)
        self.assertEqual([], out)
        for name in OLD:
            self.assertIn("expire.sh: %s: not closed, so not deleted\n" % name, err)
        self.assertEqual(before, self.names())

    def test_tokens(self):
        self.server.stop()
        tokens = os.path.join(self.server.directory, "tokens")
        with open(tokens, "w") as file:
            os.fchmod(file.fileno(), 0o600)
            file.write("0123456789abcdef-writer write\n")
        self.server.flags += ["-tokens", tokens]
        self.server.start()
        before = self.names()
        self.run_script(1)
        self.assertEqual(before, self.names())
        with open(os.path.join(self.server.directory, ".curlrc"), "w") as file:
            file.write('header = "Authorization: Bearer 0123456789abcdef-writer"\n')
        self.run_script(0)
        self.assertEqual(set(KEPT), self.names())

    def test_what_an_earlier_run_has_left_is_deleted(self):
        os.rename(os.path.join(self.server.root, "log"),
                  os.path.join(self.server.root, ".expired-log-2020-01-01"))
        self.run_script(0)
        self.assertEqual(set(KEPT) - {"log"}, self.names())

    def test_usage(self):
        before = self.names()
        for arguments in (("http://127.0.0.1:1",), ("http://127.0.0.1:1", self.server.root, "-1"),
                          ("http://127.0.0.1:1", self.server.root, ""),
                          ("http://127.0.0.1:1", self.server.root, "1 year")):
            self.assertNotEqual("", self.run_script(2, *arguments)[1])
        self.assertEqual(before, self.names())


if __name__ == "__main__":
    unittest.main()
