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

HERE = os.path.dirname(os.path.abspath(__file__))

import calls
import cold
import examples
import figures
import growth
import machine
import memory
import plan
import plot
import programs
import speed
import table
import targets
import write
from process import Failure

BUILD = os.path.join(HERE, "..", ".build", "release")
PUBLISHED = os.path.join(HERE, "results")
PUBLISHED_PLOTS = ("speed-get.svg", "connections.svg", "write-64KiB-latency.svg")
PROGRAMS = ("bash", "curl", "fio", "gnuplot", "nginx", "redis-benchmark", "redis-server", "strace",
            "wrk")
CHAPTERS = {"calls": calls.run, "memory": memory.run,
            **{name: lambda context, name=name: growth.run(context, name)
               for name in growth.SWEEPS},
            "write": write.run, "read": cold.run}
GROUPS = {"speed": speed.KINDS, "growth": tuple(growth.SWEEPS), "disk": ("write", "read")}
NAMES = ("examples",) + speed.KINDS + tuple(CHAPTERS)


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
                        help="what each run of the chapter write writes; if not given, a fifth "
                             "more than the kernel lets wait, 4GiB to 8GiB")
    parser.add_argument("--peer", type=peer, action="append", default=[], metavar="NAME=URL",
                        help="another server that speaks the protocol; may be repeated")
    parser.add_argument("--out", default=os.path.join(HERE, "..", ".build", "bench"),
                        metavar="DIR", help="for table.md, results.json and the plots: .build/bench")
    parser.add_argument("--directory", metavar="DIR", default="/var/tmp",
                        help="where servers keep their data, on the disk to be measured: /var/tmp")
    parser.add_argument("--publish", action="store_true",
                        help="also put table, figures and some plots into bench/results")
    parser.add_argument("--seed", type=int, default=1, help="of the examples' mix")
    parser.add_argument("--rochefort", default=os.path.join(BUILD, "rochefort"), metavar="FILE",
                        help="the server's binary")
    parser.add_argument("--ceiling", default=os.path.join(BUILD, "bench", "ceiling"),
                        metavar="FILE", help="that of ceiling.c")
    parser.add_argument("--no-disk", default=os.path.join(BUILD, "bench", "no_disk.so"),
                        metavar="FILE", help="the library made of no_disk.c")
    options = parser.parse_args(arguments)
    if options.publish and options.quick:
        parser.error("a quick run has nothing to publish: its timings mean nothing")
    options.arguments = arguments
    options.rochefort = os.path.abspath(options.rochefort)
    options.ceiling = os.path.abspath(options.ceiling)
    options.no_disk = os.path.abspath(options.no_disk)
    return options


def make_plan(arguments):
    chosen = plan.Plan(**plan.QUICK) if arguments.quick else plan.Plan()
    chosen.rounds = arguments.rounds or chosen.rounds
    chosen.write_bytes = arguments.bytes or chosen.write_bytes
    if arguments.seconds:
        chosen.seconds = chosen.long_seconds = chosen.read_seconds = arguments.seconds
    return chosen


def measure(context, only):
    """The chapters, in order; examples come first: without right bytes nothing counts."""
    chapters = {}
    if "examples" in only:
        chapters["examples"] = examples.run(context)
    kinds = [kind for kind in speed.KINDS if kind in only]
    if kinds:
        chapters["speed"] = speed.run(context, kinds)
    for name, run in CHAPTERS.items():
        if name in only:
            chapters[name] = run(context)
    return chapters


def store(results, out, plots):
    """Table and figures."""
    with open(os.path.join(out, "results.json"), "w", encoding="utf-8") as file:
        json.dump(results, file, separators=(",", ":"))
        file.write("\n")
    text = table.render(results, plots)
    with open(os.path.join(out, "table.md"), "w", encoding="utf-8") as file:
        file.write(text)
    return text


def publish(results, out, plots):
    """What is kept with the source; nothing of a run before this one stays."""
    shutil.rmtree(PUBLISHED, ignore_errors=True)
    os.makedirs(PUBLISHED)
    kept = [name for name in PUBLISHED_PLOTS if name in plots]
    for name in kept:
        shutil.copy(os.path.join(out, name), PUBLISHED)
    store(results, PUBLISHED, kept)


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
    for name in PROGRAMS + (options.rochefort, options.ceiling, options.no_disk):
        if programs.find(name) is None:
            raise Failure("%s is missing; `sh cmake/dev bench` installs and builds all" % name)


def carry_out(options, directory):
    """All of it."""
    chosen = make_plan(options)
    need_programs(options)
    os.makedirs(options.out, exist_ok=True)
    context = plan.Context(chosen, options, directory, machine.raise_descriptor_limit())
    results = {"machine": machine.describe(options.rochefort, directory),
               "command": " ".join(["sh cmake/dev bench"] + options.arguments),
               "quick": options.quick, "seed": options.seed, "rounds": chosen.rounds}
    results["chapters"] = measure(context, options.only)
    results["targets"] = targets.table(results["chapters"])
    results["took_seconds"] = plan.elapsed_seconds()
    check(results, options.only)
    plan.progress("drawing")
    plots = plot.draw_all(results, options.out)
    text = store(results, options.out, plots)
    if options.publish:
        publish(results, options.out, plots)
    plan.progress("done", end=True)
    print(text)
    print("in %s: %s" % (os.path.relpath(options.out),
                         ", ".join(["table.md", "results.json"] + plots)))


def main(arguments):
    options = parse(arguments)
    for signal_number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(signal_number, lambda number, frame: sys.exit(128 + number))
    directory = None
    try:
        directory = tempfile.mkdtemp(prefix="rochefort-bench-", dir=options.directory)
        carry_out(options, directory)
    except (Failure, OSError) as failure:
        plan.progress("failed", end=True)
        print("bench: %s" % failure, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        plan.progress("stopped", end=True)
        return 130
    finally:
        if directory:
            programs.stop_all()
            shutil.rmtree(directory, ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
