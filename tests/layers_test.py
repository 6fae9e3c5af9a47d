"""The include lines of src/: they go down the list of layers and never in a circle.

A .c and a .h of one name are one module. LAYERS is the list (layers.cmake): of each layer which
others it may use. Those of TOP, in src/ itself, put the layers together and may use all of them.
"""
import os
import re
import unittest

SOURCE = os.path.join(os.environ["SOURCE_DIR"], "src")
LAYERS = {layer: set(filter(None, below.split(","))) for layer, below in
          (entry.split(":") for entry in os.environ["LAYERS"].split())}
TOP = {"command_line", "flags", "main", "options", "standby"}
INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*(["<])([^">]+)[">]', re.M)


def module_of(path):
    return os.path.splitext(path)[0]


def includes(files):
    """(including file, included file) of the project's own; `files` is {path in src: text}."""
    headers = {path for path in files if path.endswith(".h")}
    for path, text in sorted(files.items()):
        for quote, included in INCLUDE.findall(text):
            if quote == '"' or included in headers or included.split("/")[0] in LAYERS:
                yield path, included


def wrong_arrows(files):
    """A line for each include that the list does not have."""
    wrong = []
    for path, included in includes(files):
        layer, used = path.rpartition("/")[0], included.rpartition("/")[0]
        if included not in files:
            wrong.append("%s includes %s, which is not in src/" % (path, included))
        elif layer in LAYERS and used != layer and used not in LAYERS[layer]:
            wrong.append("%s includes %s" % (path, included))
    return wrong


def in_no_layer(files):
    """Those in no layer."""
    return [path for path in sorted(files) if path.rpartition("/")[0] not in LAYERS
            and module_of(path) not in TOP]


def circles(files):
    """The modules of each circle."""
    uses = {module_of(path): set() for path in files}
    for path, included in includes(files):
        if included in files and module_of(included) != module_of(path):
            uses[module_of(path)].add(module_of(included))
    reached = {}
    for module in uses:
        seen, new = set(), uses[module]
        while new:
            seen |= new
            new = set().union(*(uses[one] for one in new)) - seen
        reached[module] = seen
    return sorted({tuple(sorted(other for other in reached[module] if module in reached[other]))
                   for module in uses if module in reached[module]})


def read_sources():
    files = {}
    for directory, names, found in os.walk(SOURCE):
        if directory == SOURCE:
            names[:] = [name for name in names if name != "client"]  # not C
        for name in found:
            if name.endswith((".c", ".h")):
                path = os.path.join(directory, name)
                with open(path, encoding="utf-8") as file:
                    files[os.path.relpath(path, SOURCE)] = file.read()
    return files


class Sources(unittest.TestCase):
    FILES = read_sources()

    def test_every_file_is_in_a_layer(self):
        self.assertGreater(len(self.FILES), 50)
        self.assertEqual([], in_no_layer(self.FILES))
        self.assertEqual(set(LAYERS), {path.rpartition("/")[0] for path in self.FILES} - {""})

    def test_every_include_goes_down(self):
        self.assertGreater(len(list(includes(self.FILES))), 100)
        self.assertEqual([], wrong_arrows(self.FILES))

    def test_no_circle(self):
        self.assertEqual([], circles(self.FILES))


class Findings(unittest.TestCase):
    """The checks above find what they must find."""
    GOOD = {"main.c": '#include "http/a.h"\n#include "tools/a.h"\n', "options.h": "",
            "base/a.h": "", "store/a.h": "", "store/a.c": '#include "store/a.h"\n',
            "work/a.h": '#include <stddef.h>\n#include "base/a.h"\n', "net/a.h": "",
            "http/a.h": '#include "store/a.h"\n', "tools/a.h": '#include "store/a.h"\n'}

    def with_line(self, path, line):
        return dict(self.GOOD, **{path: self.GOOD.get(path, "") + line + "\n"})

    def test_arrows_up_and_sideways(self):
        self.assertEqual([], wrong_arrows(self.GOOD))
        for path, included in (("base/a.h", "store/a.h"), ("net/a.h", "work/a.h"),
                               ("work/a.h", "net/a.h"), ("tools/a.h", "work/a.h"),
                               ("net/a.h", "http/a.h"), ("store/a.c", "options.h")):
            for line in ('#include "%s"', "# include <%s>"):
                files = self.with_line(path, line % included)
                self.assertEqual(["%s includes %s" % (path, included)], wrong_arrows(files))
        for line in ('#include "b.h"', "#include <work/b.h>"):
            self.assertEqual(1, len(wrong_arrows(self.with_line("work/a.h", line))), line)

    def test_files_in_no_layer(self):
        self.assertEqual([], in_no_layer(self.GOOD))
        self.assertEqual(["misc/a.c", "other.c"],
                         in_no_layer(dict(self.GOOD, **{"misc/a.c": "", "other.c": ""})))

    def test_circles_of_headers_and_of_sources(self):
        self.assertEqual([], circles(self.GOOD))
        files = {"net/a.h": '#include "net/b.h"\n', "net/b.h": "", "net/b.c": "#include \"net/c.h\"\n",
                 "net/c.h": "", "net/c.c": '#include "net/a.h"\n#include "net/d.h"\n', "net/d.h": ""}
        self.assertEqual([("net/a", "net/b", "net/c")], circles(files))


if __name__ == "__main__":
    unittest.main()
