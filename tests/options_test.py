"""The table of flags: -help prints it, and the man page and the README have the same."""
import os
import re
import subprocess
import tempfile
import unittest

import harness
import process

SOURCE = os.environ["SOURCE_DIR"]
UNITS = {"": 1, "KiB": 2 ** 10, "MiB": 2 ** 20, "GiB": 2 ** 30}


def rochefort(*arguments):
    """(exit status, standard output, standard error)"""
    done = subprocess.run([harness.BINARY, *arguments], capture_output=True, text=True,
                          timeout=harness.TIMEOUT_SECONDS)
    return done.returncode, done.stdout, done.stderr


def source(name):
    with open(os.path.join(SOURCE, name), encoding="utf-8") as text:
        return text.read()


def flags_of_help():
    """{name: (form of the value, default, limits)}, each "" if there is none."""
    flags = {}
    text = rochefort("-help")[1]
    for name, form, more in re.findall(r"^  -(\S+) ?(\S*)\n {8}(\S.*)$", text, re.MULTILINE):
        limits, default = re.search(r"(?:\((?:([^()]*); )?default (.*)\))?$", more).groups("")
        flags[name] = (form, default, limits)
    assert len(flags) == len(re.findall("^  -", text, re.MULTILINE)), text
    return flags


def flags_of_man_page():
    """{name: (form of the value, default)}"""
    flags = {}
    page = source("src/rochefort.1")
    options = re.search(r"^\.SH OPTIONS\n(.*?)^\.SH ", page, re.MULTILINE | re.DOTALL).group(1)
    for paragraph in options.split(".TP\n")[1:]:
        name, form = re.match(r'\.BI? \\-([a-z\\-]+)(?: " (\S+)")?\n', paragraph).groups("")
        default = re.search(r"^Default: (.*)\.$|\Z", paragraph, re.MULTILINE).group(1) or ""
        flags[name.replace("\\", "")] = (form, default.replace("\\", ""))
    return flags


def flags_of_readme():
    """{name: (form of the value, default)}"""
    rows = re.findall(r"^\| `-([a-z-]+) ?(\S*)` \| .* \|(.*)\|$", source("README.md"), re.MULTILINE)
    return {name: (form, default.strip().strip("`")) for name, form, default in rows}


def number(text):
    digits, unit = re.fullmatch(r"(-?\d+)(\D*)", text).groups()
    return int(digits) * UNITS[unit]


class Flags(unittest.TestCase):
    maxDiff = None

    def setUp(self):
        self.flags = flags_of_help()

    def accepts(self, name, value):
        """-version is answered only if what stands before it is right."""
        status, out, err = rochefort("-" + name, value, "-version")
        self.assertIn(status, (0, 2), err)
        self.assertEqual(1 if status else 0, len(err.splitlines()), err)
        self.assertEqual(status == 0, out.startswith("rochefort "), out)
        return status == 0

    def test_man_page_and_readme_have_the_flags_of_help(self):
        help_flags = {name: flag[:2] for name, flag in self.flags.items()}
        self.assertEqual(help_flags, flags_of_man_page())
        self.assertEqual(help_flags, flags_of_readme())

    def test_every_flag_but_these_has_a_value(self):
        self.assertEqual({"read-only", "version", "help"}, {name for name, (form, _, _) in self.flags.items()
                                               if not form})

    def test_defaults_may_be_given(self):
        for name, (form, default, _) in self.flags.items():
            if default:
                with self.subTest(name, form=form):
                    self.assertTrue(self.accepts(name, default.split(",")[0]))

    def test_limits(self):
        checked = set()
        for name, (form, _, limits) in self.flags.items():
            if not limits:
                continue
            least, most = re.fullmatch(r"(?:MS )?(?:at least (\S+)|(\S+ to \S+))", limits).groups()
            least, _, most = (most or least).partition(" to ")
            given = "interval:%d" if form == "WHEN" else "%d"
            with self.subTest(name, limits=limits):
                self.assertTrue(self.accepts(name, given % number(least)))
                self.assertFalse(self.accepts(name, given % (number(least) - 1)))
                largest = number(most) if most else 2 ** 63 - 1
                self.assertTrue(self.accepts(name, given % largest))
                self.assertFalse(self.accepts(name, given % (largest + 1)))
            checked.add(name)
        others = set(self.flags) - checked
        self.assertEqual({"bind", "admin-bind", "root", "cache-control", "allow-origin", "allow-host",
                          "tokens", "access-log", "trusted-proxy", "write-behind", "slots",
                          "read-only", "version", "help"}, others)

    def test_slots(self):
        for good in ("0-0/1", "0-1365/4096", "65535-65535/65536"):
            self.assertTrue(self.accepts("slots", good), good)
        for bad in ("", "3", "0-4/4", "2-1/4", "0-1", "0-1/65537", "00-1/4", "0-1/4 ", "-1-1/4",
                    "0-1/4/5", "a-b/c"):
            self.assertFalse(self.accepts("slots", bad), bad)
        self.assertEqual('rochefort: -slots: "0-4/4" is not A-B/N with A <= B < N and N up to '
                         "65536\n", rochefort("-slots", "0-4/4")[2])

    def test_defaults_are_those_of_the_server(self):
        directory = self.enterContext(tempfile.TemporaryDirectory(prefix="rochefort-test-"))
        root, buckets = self.flags["root"][1], int(self.flags["buckets"][1])
        log_path = os.path.join(directory, "log")
        started = process.Process([harness.BINARY, "-bind", "127.0.0.1:0"], log_path,
                                  preexec_fn=lambda: os.chdir(directory))
        try:
            port = int(started.wait_for_log(process.START_LINE).group(1))
            with harness.Client(port) as client:
                client.append("x", b"value")
            files = [name for name in os.listdir(os.path.join(directory, root, "default"))
                     if name.endswith(".raw")]
            self.assertEqual(buckets, len(files))
        finally:
            started.popen.kill()
            started.popen.wait(harness.TIMEOUT_SECONDS)


class WriteBehind(unittest.TestCase):
    """It has no effect, and old command lines go on working."""

    def lines(self, *flags):
        with harness.Server(*flags) as server, server.client() as client:
            self.assertEqual(0, client.append("x", b"value"))
            server.stop()  # its log is complete
            return [line for line in server.log().splitlines() if "write-behind" in line]

    def test_is_warned_of_once(self):
        for flags in (("-write-behind", "0"), ("-write-behind=2MiB", "--write-behind", "1")):
            lines = self.lines(*flags)
            self.assertEqual(1, len(lines), lines)
            self.assertRegex(lines[0], r"^\S+ \S+ -write-behind is ignored")

    def test_nothing_is_said_without_it(self):
        self.assertEqual([], self.lines())

    def test_its_value_is_checked(self):
        for value in ("-1", "4MB", "9223372036854775808", ""):
            self.assertEqual(2, rochefort("-write-behind", value)[0])
        self.assertEqual(0, rochefort("-write-behind", "9223372036854775807", "-version")[0])


if __name__ == "__main__":
    unittest.main()
