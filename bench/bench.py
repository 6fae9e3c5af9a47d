"""Measures rochefort beside its peers, in four runs, or a server that is up already.

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
import cold
import cost
import growth
import machine
import own
import plan
import plot
import programs
import speed
import table
import tails
import writes
from process import Failure

HERE = os.path.dirname(os.path.abspath(__file__))
BUILD = os.path.join(HERE, "..", ".build", "release")
PUBLISHED = os.path.join(HERE, "results")
PROGRAMS = ("fincore", "fio", "gnuplot", "nginx", "redis-benchmark", "redis-server", "strace",
            "wrk")
# name: the chapters, {name: function(context)}
RUNS = {
    "main": {"speed": speed.run, "calls": cost.calls, "memory": cost.memory, "writes": writes.run,
             "batches": batches.run},
    "growth": {name: lambda context, name=name: growth.grow(context, name)
               for name in growth.SWEEPS},
    "tails": {"tails": tails.run},
    "cold": {"cold": cold.run},
}


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


def mix(text):
    try:
        return own.parse_mix(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def numbers(text):
    return tuple(positive(part) for part in text.split(","))


def parse(arguments):
    parser = argparse.ArgumentParser(prog="sh cmake/dev bench", description=__doc__.split("\n")[0])
    parser.add_argument("run", nargs="?", choices=tuple(RUNS), default="main",
                        help="which: main (the default), growth, tails or cold")
    parser.add_argument("--quick", action="store_true",
                        help="a smoke test of it; its timings mean nothing")
    parser.add_argument("--only", metavar="NAME[,NAME]", help="chapters of the run: " + "; ".join(
        "%s: %s" % (run, ", ".join(chapters)) for run, chapters in RUNS.items()))
    parser.add_argument("--rounds", type=positive, help="how often each run is repeated")
    parser.add_argument("--seconds", type=positive, help="how long each run lasts")
    parser.add_argument("--url", metavar="URL", help="measures a server that is up there instead; "
                        "what is appended stays, in the prefixes timed and fill...")
    parser.add_argument("--value", type=byte_count, metavar="BYTES", default=plan.SMALL,
                        help="with --url: the size of values, such as 100 or 64KiB")
    parser.add_argument("--connections", type=numbers, metavar="N[,N]", default=(64,),
                        help="with --url: so many at a time")
    parser.add_argument("--mix", type=mix, metavar="KIND=SHARE[,...]",
                        default={"get": 9, "append": 1},
                        help="with --url: get=9,append=1 is the default")
    parser.add_argument("--peer", type=peer, action="append", default=[], metavar="NAME=URL",
                        help="another server that speaks the protocol, to be measured beside; may "
                             "be repeated")
    parser.add_argument("--out", default=os.path.join(HERE, "..", ".build", "bench"),
                        metavar="DIR", help="for tables, figures, plots: .build/bench")
    parser.add_argument("--directory", metavar="DIR", default="/var/tmp",
                        help="where servers keep their data, on the disk to be measured: /var/tmp")
    parser.add_argument("--publish", action="store_true",
                        help="also put table, figures and plots into bench/results")
    parser.add_argument("--rochefort", default=os.path.join(BUILD, "rochefort"), metavar="FILE",
                        type=os.path.abspath, help="the server's binary")
    parser.add_argument("--ceiling", default=os.path.join(BUILD, "bench", "ceiling"),
                        metavar="FILE", type=os.path.abspath, help="that of ceiling.c")
    parser.add_argument("--parse-only", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    chapters = RUNS[options.run]
    options.only = options.only.split(",") if options.only else list(chapters)
    for name in options.only:
        if name not in chapters:
            parser.error("%s has no chapter %r, but %s" % (options.run, name, ", ".join(chapters)))
    if options.publish and (options.quick or len(options.only) < len(chapters)):
        parser.error("only a whole run that is not quick is published")
    options.arguments = [one for one in arguments if one != "--parse-only"]
    return options


def make_plan(options):
    chosen = plan.Plan(**plan.QUICK) if options.quick else plan.Plan()
    if options.rounds:
        chosen.rounds = chosen.growth_rounds = chosen.cold_rounds = options.rounds
    if options.seconds:
        chosen.seconds = chosen.cold_seconds = options.seconds
    return chosen


def store(results, directory, plots):
    """Writes table and figures; returns the table."""
    path = os.path.join(directory, results["run"])
    with open(path + ".json", "w", encoding="utf-8") as file:
        json.dump(results, file, separators=(",", ":"))
        file.write("\n")
    text = table.render(results, plots)
    with open(path + ".md", "w", encoding="utf-8") as file:
        file.write(text)
    return text


def publish(results, out, plots):
    """What is kept with the source."""
    os.makedirs(PUBLISHED, exist_ok=True)
    for name in plots:
        shutil.copy(os.path.join(out, name), PUBLISHED)
    store(results, PUBLISHED, plots)


def check(results, only):
    """Every figure that was asked for is there, and is a number."""
    lacking = table.missing(results["chapters"], "chapters")
    lacking += [name for name in only if not results["chapters"].get(name, {}).get("rows")]
    if lacking:
        raise Failure("figures are missing: " + ", ".join(lacking[:20]))


def need_programs(*names):
    for name in names:
        if programs.find(name) is None:
            raise Failure("%s is missing; `sh cmake/dev bench` installs and builds all" % name)


def measure_own(options, directory):
    """The server at --url."""
    need_programs("wrk")
    context = plan.Context(make_plan(options), options, directory, machine.raise_descriptor_limit())
    rows = own.run(context, options.url, options.mix, options.value, options.connections)
    plan.progress("done", end=True)
    print("\n".join(table.table(rows, table.COLUMNS["own"])))


def carry_out(options, directory):
    """All of it. Results are stored only when all have been measured."""
    if options.url:
        measure_own(options, directory)
        return
    chosen = make_plan(options)
    need_programs(*PROGRAMS, options.rochefort, options.ceiling)
    os.makedirs(options.out, exist_ok=True)
    context = plan.Context(chosen, options, directory, machine.raise_descriptor_limit())
    results = {"run": options.run, "machine": machine.describe(options.rochefort, directory),
               "command": " ".join(["sh cmake/dev bench"] + options.arguments),
               "quick": options.quick, "rounds": chosen.rounds if options.run == "main" else
               getattr(chosen, options.run + "_rounds", 1)}
    results["chapters"] = {name: RUNS[options.run][name](context) for name in options.only}
    results["targets"] = table.targets(options.run, results["chapters"])
    results["took_seconds"] = plan.elapsed_seconds()
    check(results, options.only)
    plan.progress("drawing")
    plots = plot.draw_all(results, options.out)
    text = store(results, options.out, plots)
    if options.publish:
        publish(results, options.out, plots)
    plan.progress("done", end=True)
    print(text)
    print("in %s: %s" % (os.path.relpath(options.out), ", ".join(
        [options.run + ".md", options.run + ".json"] + plots)))


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
    if parsed.parse_only:
        sys.exit(0)
    sys.exit(in_directory(parsed.directory, lambda directory: carry_out(parsed, directory)))
