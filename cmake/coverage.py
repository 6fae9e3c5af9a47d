#!/usr/bin/env python3
"""Which lines and branches of src/ the tests have run; for `sh cmake/dev coverage`.

    coverage.py SOURCE_DIR BUILD_DIR

BUILD_DIR was built with -DROCHEFORT_SANITIZE=coverage, and its tests have left their counters in
BUILD_DIR/counters. Prints the share of each file and folder, and the lines of src/store and
src/work that nothing has run. BUILD_DIR/coverage.txt has those of every folder, and the branches
that were never taken; BUILD_DIR/html/index.html shows them in the sources.
"""
import collections
import glob
import os
import subprocess
import sys

LISTED = ("src/store", "src/work")


class File:
    """Counts of one source file: {line: how often}, {(line, which): how often}."""

    def __init__(self):
        self.lines, self.branches = {}, {}

    def missed_lines(self):
        return sorted(line for line, count in self.lines.items() if count == 0)

    def missed_branches(self):
        """Lines that have one, though they were run."""
        return sorted({line for (line, _), count in self.branches.items()
                       if count == 0 and self.lines.get(line, 1) > 0})


def programs(build):
    """What was built from src/: the server first, which has nearly all of it, then the tests."""
    tests = sorted(glob.glob(os.path.join(build, "tests", "*_test")))
    return [os.path.join(build, "rochefort")] + tests


def merge(build):
    """All counters in one file."""
    merged = os.path.join(build, "coverage.profdata")
    counters = sorted(glob.glob(os.path.join(build, "counters", "*.profraw")))
    if not counters:
        sys.exit("no counters in %s: was any test run?" % os.path.join(build, "counters"))
    subprocess.run(["llvm-profdata", "merge", "-o", merged, *counters], check=True)
    return merged


def llvm_cov(action, source, build, merged, *flags):
    first, *others = programs(build)
    objects = ["-object=" + program for program in others]
    command = ["llvm-cov", action, *flags, "-instr-profile=" + merged, first, *objects,
               os.path.join(source, "src")]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


def parse(text, source):
    """{path from SOURCE_DIR: File}, from the format of lcov."""
    files = {}
    for line in text.splitlines():
        kind, _, rest = line.partition(":")
        if kind == "SF":
            file = files.setdefault(os.path.relpath(rest, source), File())
        elif kind == "DA":
            number, count = rest.split(",")[:2]
            file.lines[int(number)] = int(count)
        elif kind == "BRDA":
            number, block, branch, count = rest.split(",")
            file.branches[int(number), block + "," + branch] = 0 if count == "-" else int(count)
    return files


def share(counts):
    """`  93.10%  27/29`, of so many counts those that are not 0."""
    if not counts:
        return "%7s %9s" % ("-", "")
    run = sum(count > 0 for count in counts)
    return "%6.2f%% %9s" % (100 * run / len(counts), "%d/%d" % (run, len(counts)))


def row(name, files):
    lines = [count for file in files for count in file.lines.values()]
    branches = [count for file in files for count in file.branches.values()]
    return "%-28s %s  %s" % (name, share(lines), share(branches))


def table(files):
    folders = collections.defaultdict(list)
    for name in sorted(files):
        folders[os.path.dirname(name)].append(name)
    yield "%-28s %17s  %17s" % ("", "lines", "branches")
    for names in folders.values():
        yield from (row(name, [files[name]]) for name in names)
    yield ""
    for folder, names in folders.items():
        yield row(folder + "/", [files[name] for name in names])
    yield row("all", list(files.values()))


def listing(files, source, missed):
    """The text of the lines that `missed` finds in each file."""
    for name in sorted(files):
        numbers = missed(files[name])
        if not numbers:
            continue
        with open(os.path.join(source, name), encoding="utf-8") as text:
            lines = text.read().splitlines()
        yield from ("%s:%d: %s" % (name, number, lines[number - 1].strip()) for number in numbers)


def main():
    source, build = (os.path.abspath(path) for path in sys.argv[1:])
    merged = merge(build)
    files = parse(llvm_cov("export", source, build, merged, "-format=lcov"), source)
    listed = {name: file for name, file in files.items() if os.path.dirname(name) in LISTED}
    shares = list(table(files))
    lines = list(listing(listed, source, File.missed_lines))
    print("\n".join([*shares, "", "never run in %s: %d" % (" and ".join(LISTED), len(lines)),
                     *lines]))
    with open(os.path.join(build, "coverage.txt"), "w", encoding="utf-8") as report:
        report.write("\n".join([
            *shares, "", "lines that were never run", *listing(files, source, File.missed_lines),
            "", "lines with a condition that never came out both ways",
            *listing(files, source, File.missed_branches), ""]))
    llvm_cov("show", source, build, merged, "-format=html", "-show-branches=count",
             "-output-dir=" + os.path.join(build, "html"))
    print("\nmore in %s and %s" % (os.path.join(build, "coverage.txt"),
                                   os.path.join(build, "html", "index.html")))


if __name__ == "__main__":
    main()
