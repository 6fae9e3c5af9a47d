"""Measures rochefort: speed beside its peers, cost, how cost grows, and the disk.

A wrong byte or a lost reply ends the run with exit 1. See README.md in this directory for what each
figure means. `sh cmake/dev bench` builds what it needs and runs it.
"""
import argparse
import json
import os
import shutil
import signal
import sys
import tempfile

import batches
import cost
import disk
import machine
import plan
import plot
import programs
import speed
import table
from process import Failure

HERE = os.path.dirname(os.path.abspath(__file__))
BUILD = os.path.join(HERE, "..", ".build", "release")
PUBLISHED = os.path.join(HERE, "results")
PUBLISHED_PLOTS = ("speed-append.svg", "speed-get.svg", "connections.svg")
PROGRAMS = ("fincore", "fio", "gnuplot", "nginx", "redis-benchmark", "redis-server", "strace",
            "wrk")
CHAPTERS = {"calls": cost.calls, "memory": cost.memory,
            **{name: lambda context, name=name: speed.grow(context, name)
               for name in speed.SWEEPS},
            "batches": batches.run, "write": disk.write, "read": disk.read}
GROUPS = {"speed": speed.KINDS, "growth": tuple(speed.SWEEPS), "disk": ("write", "read")}
NAMES = speed.KINDS + tuple(CHAPTERS)


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
                        help="a smoke test of about a minute; its timings mean nothing")
    parser.add_argument("--only", type=names, default=list(NAMES), metavar="NAME[,NAME]",
                        help="%s; or groups: %s" % (", ".join(NAMES), ", ".join(GROUPS)))
    parser.add_argument("--rounds", type=positive, help="how often each run is repeated")
    parser.add_argument("--seconds", type=positive, help="how long each run lasts")
    parser.add_argument("--bytes", type=byte_count, metavar="N",
                        help="what each run of the chapter write writes; if not given, a fifth "
                             "more than the kernel keeps unwritten, 4GiB to 8GiB")
    parser.add_argument("--peer", type=peer, action="append", default=[], metavar="NAME=URL",
                        help="another server that speaks the protocol; may be repeated")
    parser.add_argument("--out", default=os.path.join(HERE, "..", ".build", "bench"),
                        metavar="DIR", help="for table.md, results.json, plots: .build/bench")
    parser.add_argument("--directory", metavar="DIR", default="/var/tmp",
                        help="where servers keep their data, on the disk to be measured: /var/tmp")
    parser.add_argument("--publish", action="store_true",
                        help="also put table, figures and some plots into bench/results")
    parser.add_argument("--rochefort", default=os.path.join(BUILD, "rochefort"), metavar="FILE",
                        type=os.path.abspath, help="the server's binary")
    parser.add_argument("--ceiling", default=os.path.join(BUILD, "bench", "ceiling"),
                        metavar="FILE", type=os.path.abspath, help="that of ceiling.c")
    options = parser.parse_args(arguments)
    if options.publish and options.quick:
        parser.error("a quick run has nothing to publish: its timings mean nothing")
    options.arguments = arguments
    return options


def make_plan(options):
    chosen = plan.Plan(**plan.QUICK) if options.quick else plan.Plan()
    chosen.rounds = options.rounds or chosen.rounds
    chosen.write_bytes = options.bytes or chosen.write_bytes
    if options.seconds:
        chosen.seconds = chosen.long_seconds = chosen.read_seconds = options.seconds
    return chosen


def measure(context, only):
    """The chapters, in order."""
    chapters, kinds = {}, [kind for kind in speed.KINDS if kind in only]
    if kinds:
        chapters["speed"] = speed.run(context, kinds)
    chapters.update((name, run(context)) for name, run in CHAPTERS.items() if name in only)
    return chapters


def store(results, directory, plots):
    """Writes table and figures; returns the table."""
    with open(os.path.join(directory, "results.json"), "w", encoding="utf-8") as file:
        json.dump(results, file, separators=(",", ":"))
        file.write("\n")
    text = table.render(results, plots)
    with open(os.path.join(directory, "table.md"), "w", encoding="utf-8") as file:
        file.write(text)
    return text


def publish(results, out, plots):
    """What is kept with the source; no plot of a run before this one stays."""
    os.makedirs(PUBLISHED, exist_ok=True)
    for name in PUBLISHED_PLOTS:
        if os.path.exists(os.path.join(PUBLISHED, name)):
            os.unlink(os.path.join(PUBLISHED, name))
    kept = [name for name in PUBLISHED_PLOTS if name in plots]
    for name in kept:
        shutil.copy(os.path.join(out, name), PUBLISHED)
    store(results, PUBLISHED, kept)


def check(results, only):
    """Every figure that was asked for is there, and is a number."""
    lacking = table.missing(results["chapters"], "chapters")
    for name in only:
        chapter = results["chapters"].get("speed" if name in speed.KINDS else name, {"rows": []})
        if not any(name not in speed.KINDS or row["workload"] == name for row in chapter["rows"]):
            lacking.append(name)
    if lacking:
        raise Failure("figures are missing: " + ", ".join(lacking[:20]))


def need_programs(*names):
    for name in names:
        if programs.find(name) is None:
            raise Failure("%s is missing; `sh cmake/dev bench` installs and builds all" % name)


def carry_out(options, directory):
    """All of it. Results are stored only when all have been measured."""
    chosen = make_plan(options)
    need_programs(*PROGRAMS, options.rochefort, options.ceiling)
    os.makedirs(options.out, exist_ok=True)
    context = plan.Context(chosen, options, directory, machine.raise_descriptor_limit())
    results = {"machine": machine.describe(options.rochefort, directory),
               "command": " ".join(["sh cmake/dev bench"] + options.arguments),
               "quick": options.quick, "rounds": chosen.rounds}
    results["chapters"] = measure(context, options.only)
    results["targets"] = table.targets(results["chapters"])
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


def in_directory(parent, work):
    """Runs work(directory) in a fresh directory; ends all programs and removes it whatever happens.
    Returns the exit status."""
    for signal_number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(signal_number, lambda number, frame: sys.exit(128 + number))
    directory = None
    try:
        directory = tempfile.mkdtemp(prefix="rochefort-bench-", dir=parent)
        work(directory)
    except (Failure, OSError) as failure:
        plan.progress("failed", end=True)
        print("bench: %s" % failure, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        plan.progress("stopped", end=True)
        return 130
    finally:
        programs.stop_all()
        if directory:
            shutil.rmtree(directory, ignore_errors=True)
    return 0


if __name__ == "__main__":
    parsed = parse(sys.argv[1:])
    sys.exit(in_directory(parsed.directory, lambda directory: carry_out(parsed, directory)))
