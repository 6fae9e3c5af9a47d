"""Builds that somebody makes without cmake/dev.

With the programs of a compiler and cmake alone, and with the libraries that the server links: all
other programs are hidden, and so is every other library's .pc file.
"""
import os
import re
import shutil
import subprocess
import tempfile
import unittest

SOURCE = os.environ["SOURCE_DIR"]
PROGRAMS = ("cmake", "ninja", "pkg-config", "gcc", "as", "ld", "ar", "ranlib", "nm", "strip",
            "objcopy", "objdump", "gcc-ar", "gcc-ranlib", "uname")
LIBRARIES = ("libevent_core", "libevent_extra", "libevent", "libxxhash", "zlib")


def run(*command, **options):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          **options)
    assert done.returncode == 0, "%s:\n%s" % (" ".join(command), done.stdout)
    return done.stdout


class BuildPackagesAlone(unittest.TestCase):
    def setUp(self):
        self.directory = self.enterContext(tempfile.TemporaryDirectory(prefix="rochefort-build-"))
        self.build = os.path.join(self.directory, "build")
        programs = self.link("programs", {name: shutil.which(name) for name in PROGRAMS})
        found = {}
        for folder in run("pkg-config", "--variable", "pc_path", "pkg-config").strip().split(":"):
            for library in LIBRARIES:
                path = os.path.join(folder, library + ".pc")
                if os.path.exists(path):
                    found.setdefault(library + ".pc", path)
        self.assertEqual(len(LIBRARIES), len(found), found)
        # Nothing that the caller's environment says to the compiler or to ninja.
        self.env = {"PATH": programs, "PKG_CONFIG_LIBDIR": self.link("libraries", found),
                    "LC_ALL": "C"}
        hidden = {os.path.dirname(os.path.realpath(path)) for path in os.get_exec_path()
                  } | set(os.get_exec_path())
        self.configured = self.configure("-DCMAKE_IGNORE_PATH=" + ";".join(sorted(hidden)),
                                         "-DCMAKE_PROGRAM_PATH=" + programs)

    def link(self, name, paths):
        """A directory with symbolic links."""
        directory = os.path.join(self.directory, name)
        os.mkdir(directory)
        for link, path in paths.items():
            self.assertIsNotNone(path, link)
            os.symlink(os.path.realpath(path), os.path.join(directory, link))
        return directory

    def configure(self, *options):
        return run("cmake", "-S", SOURCE, "-B", self.build, "-G", "Ninja",
                   "-DCMAKE_C_COMPILER=gcc", *options, env=self.env)

    def test_builds_and_says_what_is_left_out(self):
        left_out = re.findall(r"^-- Left out: (.*)$", self.configured, re.MULTILINE)
        self.assertEqual(["the unit tests (no cmocka)", "the tests of the server (no python3)",
                          "the Java client (no JDK of version 11 or later)"], left_out)
        run("cmake", "--build", self.build, env=self.env)
        self.assertRegex(run(os.path.join(self.build, "rochefort"), "-version"), r"^rochefort \d")
        self.assertIn("No tests were found", run("ctest", "--test-dir", self.build))
        with open(os.path.join(self.build, "build.ninja"), encoding="utf-8") as rules:
            self.assertNotIn("-Werror", rules.read())


class Options(unittest.TestCase):
    def commands(self, *options):
        """The compile commands of src/."""
        with tempfile.TemporaryDirectory(prefix="rochefort-build-") as build:
            run("cmake", "-S", SOURCE, "-B", build, "-G", "Ninja", "-DBUILD_TESTING=OFF",
                "-DCMAKE_DISABLE_FIND_PACKAGE_Java=ON", *options)
            with open(os.path.join(build, "compile_commands.json"), encoding="utf-8") as file:
                return re.findall(r'"command": "(.*)"', file.read())

    def test_werror_only_if_asked_for(self):
        for option, errors in (((), False), (("-DROCHEFORT_WERROR=ON",), True)):
            commands = self.commands(*option)
            self.assertGreater(len(commands), 40)
            for command in commands:
                self.assertEqual(errors, "-Werror" in command.split(), command)
                self.assertIn("-Wconversion", command)

    def test_every_build_type_checks_assertions(self):
        for build_type in ("", "Release", "Debug", "RelWithDebInfo", "MinSizeRel", "None"):
            for command in self.commands("-DCMAKE_BUILD_TYPE=" + build_type):
                self.assertNotIn("NDEBUG", command)
                if build_type != "None":  # has the flags that the caller gives
                    self.assertRegex(command, " -O[2sg] ")


if __name__ == "__main__":
    unittest.main()
