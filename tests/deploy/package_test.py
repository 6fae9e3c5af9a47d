"""The Debian package of this build: what is in it, what lintian and systemd say of it."""
import os
import re
import shutil
import stat
import subprocess
import tempfile
import unittest

import harness
import readme
import suite

SOURCE = os.environ["SOURCE_DIR"]
BUILD = os.path.dirname(harness.BINARY)
EXPOSURE_MAX = 15  # in tenths
SECONDS_MAX = 250  # lintian needs four alone
# lib/ is where Debian 12 has units, usr/lib/ where later ones have them.
FILES = {"etc/default/rochefort", "UNITS/rochefort.service", "usr/bin/rochefort",
         "usr/share/man/man1/rochefort.1.gz", "usr/share/doc/rochefort/copyright",
         "usr/share/doc/rochefort/changelog.gz", "usr/share/doc/rochefort/README.md"}
JAR = "usr/share/java/rochefort-client-%s.jar"


def run(*command, **options):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          timeout=SECONDS_MAX, env=dict(os.environ, LC_ALL="C.UTF-8"), **options)
    assert done.returncode == 0, "%s: exit status %d\n%s" % (" ".join(command), done.returncode,
                                                            done.stdout)
    return done.stdout


class Package(unittest.TestCase):
    maxDiff = None

    @classmethod
    def setUpClass(cls):
        cls.directory = tempfile.mkdtemp(prefix="rochefort-package-")
        cls.addClassCleanup(shutil.rmtree, cls.directory)
        run("cpack", "--config", os.path.join(BUILD, "CPackConfig.cmake"), "-B", cls.directory)
        cls.deb, = [os.path.join(cls.directory, name) for name in os.listdir(cls.directory)
                    if name.endswith(".deb")]
        cls.root = os.path.join(cls.directory, "root")
        run("dpkg-deb", "-x", cls.deb, cls.root)
        cls.version = run(harness.BINARY, "-version").split()[1]
        cls.units = "lib/systemd/system" if os.path.exists(cls.path("lib")) \
            else "usr/lib/systemd/system"

    @classmethod
    def path(cls, name):
        return os.path.join(cls.root, name)

    def control(self, field):
        return run("dpkg-deb", "-f", self.deb, field).strip()

    def unit(self):
        """The unit's file, with the program that it starts where it is here."""
        with open(self.path(self.units + "/rochefort.service"), encoding="utf-8") as file:
            text = file.read()
        self.assertIn("\nExecStart=/usr/bin/rochefort ", text)
        path = os.path.join(self.directory, "rochefort.service")
        with open(path, "w", encoding="utf-8") as file:
            file.write(text.replace("=/usr/bin/", "=%s/" % self.path("usr/bin")))
        return path

    def test_what_is_in_it(self):
        found = {os.path.relpath(os.path.join(directory, name), self.root)
                 for directory, _, names in os.walk(self.root) for name in names}
        wanted = {name.replace("UNITS", self.units) for name in FILES}
        if os.path.exists(os.path.join(BUILD, "src/client/java/rochefort-client.jar")):
            wanted |= {JAR % self.version, "usr/share/java/rochefort-client.jar"}
            self.assertTrue(os.path.isfile(self.path("usr/share/java/rochefort-client.jar")))
        documents = {name for name in found if name.startswith("usr/share/doc/rochefort/")}
        self.assertEqual(wanted, {name for name in found
                                  if name not in documents or name in wanted})
        for line in run("dpkg-deb", "-c", self.deb).splitlines():
            self.assertRegex(line, r"^(d|-|l)\S+ root/root ")
        for name in found - {"usr/bin/rochefort"}:
            self.assertEqual(0, os.stat(self.path(name)).st_mode & 0o133, name)

    def test_its_program_runs(self):
        self.assertEqual(run(harness.BINARY, "-version"),
                         run(self.path("usr/bin/rochefort"), "-version"))

    def test_control(self):
        self.assertEqual("rochefort", self.control("Package"))
        self.assertEqual(self.version, self.control("Version"))
        for library in ("libc6", "libevent-core", "libxxhash0", "zlib1g"):
            self.assertRegex(self.control("Depends"), r"(^|, )%s" % library)
        control = os.path.join(self.directory, "control")
        run("dpkg-deb", "-e", self.deb, control)
        with open(os.path.join(control, "conffiles"), encoding="utf-8") as file:
            self.assertEqual("/etc/default/rochefort\n", file.read())
        for name in ("postinst", "prerm", "postrm"):
            script = os.path.join(control, name)
            self.assertEqual(0o755, stat.S_IMODE(os.stat(script).st_mode))
            run("sh", "-n", script)

    def test_licence_is_that_of_the_source(self):
        def words(name):
            with open(name, encoding="utf-8") as file:
                return " ".join(file.read().replace("\n .\n", "\n").split())
        text = words(os.path.join(SOURCE, "LICENSE"))
        text = text[text.index("Permission is hereby"):]
        self.assertTrue(words(self.path("usr/share/doc/rochefort/copyright")).endswith(text))

    def test_links_of_the_documents(self):
        base = self.path("usr/share/doc/rochefort")
        checked = 0
        for directory, _, names in os.walk(base):
            for name in names:
                if not name.endswith(".md"):
                    continue
                checked += 1
                broken = [link for link in readme.broken_links(os.path.join(directory, name))
                          if re.search(r"\.(md|svg|png|json)(#|$)", link)]  # no source is there
                self.assertEqual([], broken, os.path.join(directory, name))
        self.assertGreater(checked, 5)

    def test_lintian(self):
        self.assertEqual("", run("lintian", "--allow-root", "--no-cfg", "--fail-on",
                                 "error,warning", self.deb))

    def test_the_unit(self):
        unit = self.unit()
        self.assertEqual("", run("systemd-analyze", "verify", "--man=no", unit))
        out = run("systemd-analyze", "security", "--offline=true", "--no-pager",
                  "--threshold=%d" % EXPOSURE_MAX, unit)
        level, = re.findall(r"Overall exposure level for \S+: (\S+) ", out)
        self.assertLessEqual(float(level) * 10, EXPOSURE_MAX)

    def test_flags_of_the_default_file(self):
        """They are right, and the unit's come after them."""
        with open(self.unit(), encoding="utf-8") as file:
            command = re.search(r"^ExecStart=\S+ (.*)$", file.read(), re.MULTILINE).group(1)
        self.assertEqual("$ROCHEFORT_FLAGS -root ${STATE_DIRECTORY}", command)
        run("sh", "-c", '. "$1"; exec "$2" $ROCHEFORT_FLAGS -root "$3" -version', "sh",
            self.path("etc/default/rochefort"), harness.BINARY, self.directory)


if __name__ == "__main__":
    suite.main()
