"""Flags, the start line, addresses, the root and its lock, the installed files.

The table of flags is tested in options_test.py.
"""
import contextlib
import filecmp
import json
import os
import re
import shutil
import subprocess
import tempfile
import unittest

import curl
import harness
import suite
from capabilities import needs_ipv6, needs_localhost
from curl import BYTES, JSON, TEXT

SOURCE = os.environ["SOURCE_DIR"]
WRONG = """
    -nonsense | -bucket 3 | serve | - | -- | -buckets | -buckets= | -buckets 0 | -buckets 65537
    | -buckets ten | -buckets 1x | -workers 0 | -workers 65 | -max-value 0 | -max-value 4GiB
    | -max-value 4294967296 | -max-value 1GB | -max-value 99999999999999999999
    | -max-value 9223372036854775807GiB | -max-connections 0 | -max-in-flight 0
    | -log-slower-than -2 | -write-behind -1 | -write-behind 4MB
    | -write-behind 9223372036854775808 | -sync | -mode | -mode= | -mode 0400 | -mode 0755
    | -mode 0666 | -mode 0620 | -mode 02640 | -mode -0600 | -mode +0600 | -mode 0x180 | -mode 0680
    | -mode 0640x | -mode u=rw | -mode 2000000000000000000600
"""
WRONG_SYNCS = ("", "Never", "interval", "interval:", "interval:0", "interval:3600001",
               "interval:1s", "interval: 1", "interval:-1", "interval:+1", "interval:1.5",
               "Interval:1", "always:", "always:1", "10")
WRONG_ADDRESSES = ("", "8001", ":65536", ":x", ":80x", "::1", "[::1", "[::1]", ":", "localhost:",
                   "unix:", "unix:/" + 107 * "x")


def run(*arguments):
    """Exit status, standard output and standard error of a server that ends by itself."""
    done = subprocess.run([harness.BINARY, *arguments], capture_output=True, text=True,
                          timeout=harness.TIMEOUT_SECONDS)
    return done.returncode, done.stdout, done.stderr


class Flags(unittest.TestCase):
    def check_wrong(self, *flags):
        status, out, err = run(*flags)
        self.assertEqual((2, ""), (status, out), flags)
        self.assertRegex(err, r"\A[^\n]+\n\Z", flags)

    def test_version_and_help_with_one_dash_or_two(self):
        for dash in ("-", "--"):
            status, out, err = run(dash + "version")
            self.assertEqual((0, ""), (status, err))
            self.assertRegex(out, r"\Arochefort \d+\.\d+\.\d+\n\Z")
            status, out, err = run(dash + "help")
            self.assertEqual((0, ""), (status, err))
            self.assertIn("-max-value", out)

    def test_wrong_flags_get_one_line_and_exit_status_2(self):
        for flags in WRONG.split("|"):
            self.check_wrong(*flags.split())
        self.check_wrong("")
        self.check_wrong("-buckets", " 1")
        self.check_wrong("-root", "")
        for sync in WRONG_SYNCS:
            self.check_wrong("-sync", sync)
        for address in WRONG_ADDRESSES:
            self.check_wrong("-bind", address)


class Values(curl.TestCase):
    FLAGS = ("--buckets=65536", "-buckets=1", "-max-value", "4294967295", "--max-value=1GiB",
             "-workers=64", "-write-behind", "0", "-write-behind", "9223372036854775807")

    def test_the_ends_of_ranges_are_taken_with_equals_or_a_space_and_the_last_one_counts(self):
        reply = self.expect(200, JSON, "/append?id=x", "-d", "v")
        self.assertEqual('{"offset":0,"file":"%s/default/append.0.raw"}' % self.server.root,
                         reply.decode())


class Starts(curl.TestCase):
    """Each test starts servers of its own."""

    def setUp(self):
        self.directory = self.enterContext(tempfile.TemporaryDirectory(prefix="rochefort-start-"))

    @contextlib.contextmanager
    def started(self, *flags, **options):
        """Ends the server too, whose exit status must be 0."""
        with harness.Server("-buckets", "10", *flags, **options) as self.server:
            yield self.server

    def check_fails(self, *flags):
        """Returns the one line."""
        status, out, err = run(*flags)
        self.assertEqual((1, ""), (status, out), flags)
        self.assertRegex(err, r"\A[^\n]+\n\Z", flags)
        return err

    def test_every_form_of_sync(self):
        for sync in ("never", "interval:1", "interval:3600000", "always"):
            with self.started("-sync", sync):
                self.expect(200, JSON, "/append?id=x&sync=1", "-d", "v")
                self.expect(200, JSON, "/append?id=x&sync=0", "-d", "v")

    def test_the_start_line_to_the_letter(self):
        with self.started() as server:
            self.assertRegex(server.log(), r"\A\d{4}/\d{2}/\d{2} \d{2}:\d{2}:\d{2} starting http "
                             r"server on 127\.0\.0\.1:[1-9][0-9]*\n\Z")

    def check_address(self, bind, *hosts):
        """A server on host:0, named in its log as the flag has it, answers on all these hosts."""
        with self.started("-bind", bind) as server:
            self.assertIn("starting http server on %s:%d\n" % (bind.removesuffix(":0"),
                                                               server.port), server.log())
            for host in hosts:
                self.expect(404, TEXT, "http://%s:%d/none" % (host, server.port))

    def test_all_addresses(self):
        self.check_address(":0", "127.0.0.1")

    def test_all_addresses_of_ipv4(self):
        self.check_address("0.0.0.0:0", "0.0.0.0")

    @needs_ipv6
    def test_all_addresses_are_those_of_ipv6_too(self):
        self.check_address(":0", "127.0.0.1", "[::1]")

    @needs_ipv6
    def test_all_addresses_of_ipv6(self):
        self.check_address("[::]:0", "[::]")

    @needs_ipv6
    def test_an_address_of_ipv6(self):
        self.check_address("[::1]:0", "[::1]")

    @needs_localhost
    def test_a_name(self):
        self.check_address("localhost:0", "localhost")

    def test_addresses_that_do_not_exist_end_the_start(self):
        root = os.path.join(self.directory, "root")
        for address in ("host.invalid:0", "[1::2::3]:0", "192.0.2.1:0"):
            self.check_fails("-root", root, "-bind", address)

    def test_an_address_in_use_is_named(self):
        with self.started() as server:
            address = "127.0.0.1:%d" % server.port
            root = os.path.join(self.directory, "root")
            self.assertRegex(self.check_fails("-root", root, "-bind", address),
                             re.escape(address) + ".*in use")

    def test_a_root_in_use_ends_the_start_and_the_first_server_is_not_disturbed(self):
        with self.started() as server:
            self.assertIn("another rochefort",
                          self.check_fails("-root", server.root, "-bind", "127.0.0.1:0"))
            self.expect(200, JSON, "/append?id=x", "-d", "v")
            server.kill()
            server.start()
            self.assertEqual(b"v", self.expect(200, BYTES, "/get?id=x&offset=0"))

    def test_a_root_that_cannot_be_made_ends_the_start(self):
        file = os.path.join(self.directory, "file")
        with open(file, "w"):
            pass
        for root in (file, file + "/below", "/proc/nothing", "/tmp/" + "x" * 5000):
            self.check_fails("-bind", "127.0.0.1:0", "-root", root)

    def test_a_relative_root_is_made_with_its_parents_and_answered_as_an_absolute_path(self):
        with contextlib.chdir(self.directory), self.started(root="some/deep//root/"):
            file = json.loads(self.expect(200, JSON, "/append?id=x", "-d", "v"))["file"]
            self.assertTrue(file.startswith(os.getcwd() + "/some/deep//root/default/append."), file)
            self.assertTrue(os.path.isdir("some/deep/root/default"))

    def test_log_slower_than_0_logs_each_request_on_one_line_whatever_is_in_it(self):
        with self.started("-log-slower-than", "0") as server:
            self.expect(200, JSON, "/append?id=a%0Ab", "-d", "v")
            self.expect(404, TEXT, "/get?id=x&offset=7")
            self.assertEqual(0, server.stop())
            self.assertRegex(server.log(), r"(?m) [0-9.]+ ms 200 /append\?id=a%0Ab$")
            self.assertRegex(server.log(), r"(?m) [0-9.]+ ms 404 /get\?id=x&offset=7$")


class Installed(unittest.TestCase):
    def test_binary_man_page_and_licence_are_in_place(self):
        with tempfile.TemporaryDirectory(prefix="rochefort-install-") as usr:
            subprocess.run(["cmake", "--install", os.path.dirname(harness.BINARY), "--prefix",
                            usr], stdout=subprocess.DEVNULL, check=True)
            subprocess.run([usr + "/bin/rochefort", "-version"], stdout=subprocess.DEVNULL,
                           check=True)
            self.assertTrue(filecmp.cmp(os.path.join(SOURCE, "LICENSE"),
                                        usr + "/share/doc/rochefort/LICENSE", shallow=False))
            page = subprocess.run(["groff", "-man", "-Tutf8", "-ww",
                                   usr + "/share/man/man1/rochefort.1"], capture_output=True,
                                  text=True, check=True)
            self.assertIn("append values to files", page.stdout)
            self.assertEqual("", page.stderr)

    @unittest.skipUnless(shutil.which("man"), "needs man")
    def test_man_shows_the_page_without_a_warning(self):
        for width in ("80", "200"):
            page = subprocess.run(["man", "--warnings=w", "-E", "UTF-8", "-l",
                                   os.path.join(SOURCE, "src/rochefort.1")], capture_output=True,
                                  text=True, check=True,
                                  env=dict(os.environ, MANWIDTH=width, LC_ALL="C.UTF-8"))
            self.assertEqual("", page.stderr)
            for section in ("TOOLS", "EXAMPLES", "EXIT STATUS"):
                self.assertIn("\n%s\n" % section, page.stdout)


if __name__ == "__main__":
    suite.main()
