"""Measures rochefort: speed beside its peers, cost, how cost grows, and the disk.

Every reply is checked first; a wrong byte or a lost reply ends the run with exit 1. See README.md
in this directory for what each figure means. `sh cmake/dev bench` builds what it needs and runs it.
"""
import argparse
import json
import os
import shutil
import signal
import sys
import tempfile
import time

import calls
import cold
import examples
import figures
import growth
import machine
import plan
import plot
import speed
import table
import write
from wire import Failure

HERE = os.path.dirname(os.path.abspath(__file__))
BUILD = os.path.join(HERE, "..", ".build", "release")
PUBLISHED = os.path.join(HERE, "results")
PUBLISHED_PLOTS = ("speed-get.svg", "connections.svg", "write.svg")
PROGRAMS = ("wrk", "/usr/sbin/nginx", "redis-server", "redis-benchmark", "gnuplot", "strace", "fio",
            "curl")
GROUPS = {"speed": speed.KINDS, "growth": tuple(growth.SWEEPS), "disk": ("write", "read")}
NAMES = ("examples",) + speed.KINDS + ("calls",) + GROUPS["growth"] + GROUPS["disk"]


def positive(text):
    value = int(text)
    if value <= 0:
        raise argparse.ArgumentTypeError("must be positive")
    return value


def byte_count(text):
    for suffix, unit in (("GiB", plan.GIB), ("MiB", plan.MIB), ("KiB", plan.KIB)):
        if text.endswith(suffix):
            return positive(text[:-3]) * unit
    return positive(text)


def peer(text):
    name, separator, url = text.partition("=")
    if not separator or not name:
        raise argparse.ArgumentTypeError("not of the form NAME=URL")
    return name, url


def names(text):
    """Chapters, in their own order; a group stands for its members."""
    wanted = set()
    for name in text.split(","):
        if name not in NAMES and name not in GROUPS:
            raise argparse.ArgumentTypeError("%r is none of %s, %s" % (
                name, ", ".join(GROUPS), ", ".join(NAMES)))
        wanted.update(GROUPS.get(name, (name,)))
    return [name for name in NAMES if name in wanted]


def parse(arguments):
    parser = argparse.ArgumentParser(prog="sh cmake/dev bench", description=__doc__.split("\n")[0])
    parser.add_argument("--quick", action="store_true",
                        help="a smoke test of under a minute; its timings mean nothing")
    parser.add_argument("--only", type=names, default=list(NAMES), metavar="NAME[,NAME]",
                        help="%s; or groups: %s" % (", ".join(NAMES), ", ".join(GROUPS)))
    parser.add_argument("--rounds", type=positive, help="how often each run is repeated")
    parser.add_argument("--seconds", type=positive, help="how long each run lasts")
    parser.add_argument("--bytes", type=byte_count, metavar="N",
                        help="most that the disk chapters keep on the disk at a time: 4GiB")
    parser.add_argument("--peer", type=peer, action="append", default=[], metavar="NAME=URL",
                        help="another server that speaks the protocol; may be repeated")
    parser.add_argument("--out", default=os.path.join(HERE, "..", ".build", "bench"),
                        metavar="DIR", help="for table.txt, results.json and the plots")
    parser.add_argument("--directory", metavar="DIR", default=tempfile.gettempdir(),
                        help="where servers keep their data; on the disk to be measured")
    parser.add_argument("--publish", action="store_true",
                        help="also put the table and some plots into bench/results")
    parser.add_argument("--seed", type=int, default=1, help="of the examples' mix")
    parser.add_argument("--rochefort", default=os.path.join(BUILD, "rochefort"), metavar="FILE",
                        help="the server's binary")
    parser.add_argument("--ceiling", default=os.path.join(BUILD, "bench", "ceiling"),
                        metavar="FILE", help="that of ceiling.c")
    options = parser.parse_args(arguments)
    options.rochefort = os.path.abspath(options.rochefort)
    options.ceiling = os.path.abspath(options.ceiling)
    return options


def make_plan(arguments):
    chosen = plan.Plan(**plan.QUICK) if arguments.quick else plan.Plan()
    if arguments.rounds:
        chosen.rounds = arguments.rounds
    if arguments.seconds:
        chosen.seconds = chosen.growth_seconds = chosen.cold_seconds = arguments.seconds
    return chosen


def measure(context, only):
    """The chapters, in order. Examples always come first: without right bytes nothing counts."""
    chapters = {}
    if "examples" in only:
        chapters["examples"] = examples.run(context)
    kinds = [kind for kind in speed.KINDS if kind in only]
    if kinds:
        chapters["speed"] = speed.run(context, kinds)
    for name, chapter in (("calls", calls.run), ("write", write.run), ("read", cold.run)):
        if name == "write":
            for sweep in growth.SWEEPS:
                if sweep in only:
                    chapters[sweep] = growth.run(context, sweep)
        if name in only:
            chapters[name] = chapter(context)
    return chapters


def store(results, out):
    """The files, and the same table on the terminal."""
    os.makedirs(out, exist_ok=True)
    with open(os.path.join(out, "results.json"), "w") as file:
        json.dump(results, file, indent=1)
    text = table.render(results)
    with open(os.path.join(out, "table.txt"), "w") as file:
        file.write(text)
    plots = plot.draw_all(results, out)
    print(text)
    print("in %s: %s" % (os.path.relpath(out), ", ".join(["table.txt", "results.json"] + plots)))
    return plots


def publish(out, plots):
    """What is kept with the source; of this run only."""
    os.makedirs(PUBLISHED, exist_ok=True)
    for name in ["table.txt"] + [name for name in PUBLISHED_PLOTS if name in plots]:
        shutil.copy(os.path.join(out, name), PUBLISHED)


def check(results, only):
    """Every figure that was asked for is there, and is a number."""
    lacking = figures.missing(results)
    chapters = results["chapters"]
    for name in only:
        found = chapters.get("speed" if name in speed.KINDS else name)
        if name in speed.KINDS:
            found = [row for row in found or [] if row["workload"] == name]
        if not found:
            lacking.append(name)
    if lacking:
        raise Failure("figures are missing: " + ", ".join(lacking[:20]))


def need_programs(options):
    """Better now than after half an hour."""
    for name in PROGRAMS + (options.rochefort, options.ceiling):
        if shutil.which(name) is None:
            raise Failure("%s is missing; `sh cmake/dev bench` installs and builds all" % name)


def main(arguments):
    options = parse(arguments)
    chosen = make_plan(options)
    for signal_number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(signal_number, lambda number, frame: sys.exit(128 + number))
    limit = machine.raise_descriptor_limit()
    begun = time.monotonic()
    directory = tempfile.mkdtemp(prefix="rochefort-bench-", dir=options.directory)
    try:
        need_programs(options)
        context = plan.Context(chosen, options, directory)
        context.descriptors = limit
        results = {"machine": machine.describe(options.rochefort, directory),
                   "quick": options.quick, "seed": options.seed,
                   "rounds": chosen.rounds, "seconds": chosen.seconds}
        results["chapters"] = measure(context, options.only)
        results["took_seconds"] = round(time.monotonic() - begun)
        check(results, options.only)
        plan.progress("done in %d s" % results["took_seconds"], end=True)
        plots = store(results, options.out)
        if options.publish:
            publish(options.out, plots)
    except Failure as failure:
        plan.progress("", end=True)
        print("bench: %s" % failure, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        plan.progress("stopped", end=True)
        return 130
    finally:
        shutil.rmtree(directory, ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
