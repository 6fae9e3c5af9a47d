"""Measures the Java client beside wrk with as many connections, and beside its old transport.

    python3 bench/java.py --rochefort FILE --jar FILE [--publish]

Values of 100 B. wrk appends and gets with 1, 8 and 64 connections, then Load.java does with as many
threads; what the client of java.net.http did is measured last, built from the history of this
repository if it is there. PYTHONPATH must name tests/lib.
"""
import argparse
import os
import subprocess
import sys
import types

import machine
import plan
import programs
import servers
import speed
import table
from bench import PUBLISHED, in_directory, need_programs, positive
from process import Failure

HERE = os.path.dirname(os.path.abspath(__file__))
REPOSITORY = os.path.join(HERE, "..")
CLIENT = "src/client/java/src/"
LOAD = "test/java/load/Load.java"
OLD_CLIENT = "b23e606"  # the last one on java.net.http
OLD_LOAD = "efaca30"  # measures what both clients can do
KINDS = ("append", "get")
START_SECONDS = 120  # of a JVM, besides what it measures
LINES = 12  # that Load prints for each number of threads, at most

COLUMNS = [("", "what", None), ("threads", "threads", table.number),
           ("values/s", "values_per_second", table.number), ("wrk", "wrk", table.number),
           ("of wrk", "of_wrk", table.two), ("CPU us", "cpu_us", table.number),
           ("switches", "switches", table.two), ("bytes", "bytes", table.number),
           ("old values/s", "old_values_per_second", table.number),
           ("old CPU us", "old_cpu_us", table.number),
           ("old switches", "old_switches", table.two), ("old bytes", "old_bytes", table.number),
           ("load average", "load_average", table.two)]


def parse(arguments):
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rochefort", required=True, metavar="FILE", type=os.path.abspath)
    parser.add_argument("--jar", required=True, metavar="FILE", type=os.path.abspath,
                        help="rochefort-client.jar")
    parser.add_argument("--seconds", type=positive, default=5, help="of each line")
    parser.add_argument("--threads", default=(1, 8, 64), metavar="N[,N]",
                        type=lambda text: tuple(positive(part) for part in text.split(",")))
    parser.add_argument("--directory", metavar="DIR", default="/var/tmp",
                        help="where the server keeps its data: /var/tmp")
    parser.add_argument("--publish", action="store_true", help="into bench/results/java.md")
    return parser.parse_args(arguments)


def wrk(context, server, threads):
    """{kind: requests a second}"""
    return {kind: speed.measure(context, [server], kind, plan.SMALL, (threads,))[0][
        "values_per_second"]
            for kind in KINDS}


def load(classpath, source, server, seconds, *arguments):
    """{(what, threads): row} of one run of a Load.java."""
    command = ["java", "-cp", classpath, source, "http://%s:%d" % server.address, str(seconds),
               *arguments]
    out = programs.run(command, LINES * 3 * 2 * seconds + START_SECONDS).decode()
    rows = {}
    for line in out.splitlines()[1:]:
        what, threads, *figures = line.replace(",", "").split()
        values, cpu_us, switches, allocated, failed = map(float, figures)
        rows[what, int(threads)] = {"values_per_second": values, "cpu_us": cpu_us,
                                    "switches": switches, "bytes": allocated, "failed": failed}
    return rows


def history(commit, path):
    """A file of a commit; a Failure if it is not in the history."""
    return programs.run(["git", "-C", REPOSITORY, "show", commit + ":" + path], 60)


def old_client(directory):
    """Builds the client on java.net.http; returns its classes and the Load.java for it."""
    listing = programs.run(["git", "-C", REPOSITORY, "ls-tree", "-r", "--name-only", OLD_CLIENT,
                            CLIENT + "main/"], 60).decode().split()
    sources = []
    for path in listing:
        sources.append(os.path.join(directory, os.path.basename(path)))
        with open(sources[-1], "wb") as file:
            file.write(history(OLD_CLIENT, path))
    classes = os.path.join(directory, "classes")
    programs.run(["javac", "--release", "11", "-encoding", "UTF-8", "-d", classes, *sources],
                 START_SECONDS)
    source = os.path.join(directory, "Load.java")
    with open(source, "wb") as file:
        file.write(history(OLD_LOAD, CLIENT + LOAD))
    return classes, source


def measure(options, context, server):
    rows, java_source = [], os.path.join(REPOSITORY, CLIENT + LOAD)
    for threads in options.threads:
        load_average = os.getloadavg()[0]
        baseline = wrk(context, server, threads)
        plan.progress("Java, %d threads" % threads)
        found = load(options.jar, java_source, server, options.seconds, str(threads))
        for (what, _), row in found.items():
            if row["failed"]:
                raise Failure("%d calls of %s failed" % (row["failed"], what))
            rows.append({"what": what, "threads": threads, **row, "load_average": load_average})
            if what in baseline:
                median = baseline[what]["median"]
                rows[-1].update(wrk=median, of_wrk=row["values_per_second"] / median)
    try:
        classes, source = old_client(context.fresh("old"))
    except Failure:
        return rows, "the client on java.net.http is not in the history of this clone: left out"
    plan.progress("Java, the old transport")
    old = load(classes, source, server, options.seconds)
    failed = sum(row["failed"] for row in old.values())
    for row in rows:
        row.update({"old_" + name: figure for name, figure in
                    old.get((row["what"], row["threads"]), {}).items()})
    return rows, "old: the client on java.net.http, commit %s; %d of its calls failed" % (
        OLD_CLIENT, failed)


def render(options, described, rows, note):
    version = subprocess.run(["java", "-version"], capture_output=True, text=True, check=False)
    head = ["# The Java client, commit %s, %s" % (described["commit"], described["date"]), "",
            "%s cores (%s), %s GiB, Linux %s, %s; %s." % (
                described["cores"], described["cpu"], described["memory_gib"], described["kernel"],
                described["filesystem"], version.stderr.partition("\n")[0]),
            "", "The load average is that before each number of threads: from 2 on other programs"
            " had a part of the machine.",
            "Values of 100 B, %d s a line. CPU, context switches and allocated bytes are those of"
            " the JVM a request; a request of getMulti and of appender has 1000 values." %
            options.seconds, note + ".", ""]
    return "\n".join(head + table.table(rows, COLUMNS)) + "\n"


def compare(options, directory):
    need_programs("wrk", "java", "javac", "git", options.rochefort)
    if not os.path.exists(options.jar):
        raise Failure("%s is missing; cmake --build builds it if there is a JDK" % options.jar)
    chosen = plan.Plan(rounds=1, seconds=options.seconds)
    context = plan.Context(chosen, types.SimpleNamespace(
        rochefort=options.rochefort, ceiling=None, peer=[]), directory,
        machine.raise_descriptor_limit())
    described = machine.describe(options.rochefort, directory)
    server = servers.Rochefort(options.rochefort, context.fresh("java"))
    try:
        rows, note = measure(options, context, server)
    finally:
        server.stop()
    plan.progress("done", end=True)
    text = render(options, described, rows, note)
    print(text)
    if options.publish:
        with open(os.path.join(PUBLISHED, "java.md"), "w", encoding="utf-8") as file:
            file.write(text)


if __name__ == "__main__":
    parsed = parse(sys.argv[1:])
    sys.exit(in_directory(parsed.directory, lambda directory: compare(parsed, directory)))
