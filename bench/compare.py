"""Compares two binaries of rochefort, and a tuned nginx, in one run with interleaved rounds.

    python3 bench/compare.py --rochefort FILE --base FILE [--calls] [--callgrind]

Appends and gets of 100 B, with the same requests made before the run for all; nginx sends a static
file in both. ours/its is the first binary over the server of the row, round by round. PYTHONPATH
must name tests/lib.
"""
import argparse
import json
import os
import sys
import types

import cost
import machine
import peers
import plan
import servers
import speed
import table
from bench import in_directory, need_programs, positive

KINDS = ("append", "get")
CALLS_CONNECTIONS = (1, 64)
CALLGRIND_CONNECTIONS = (8, 64)
CALLGRIND_REQUESTS = 5000


def parse(arguments):
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rochefort", required=True, metavar="FILE", type=os.path.abspath)
    parser.add_argument("--base", required=True, metavar="FILE", type=os.path.abspath,
                        help="the binary to compare it with")
    parser.add_argument("--rounds", type=positive, default=5)
    parser.add_argument("--seconds", type=positive, default=3, help="of each run")
    parser.add_argument("--connections", default=(1, 8, 64, 256), metavar="N[,N]",
                        type=lambda text: tuple(positive(part) for part in text.split(",")))
    parser.add_argument("--calls", action="store_true", help="also system calls a request")
    parser.add_argument("--callgrind", action="store_true",
                        help="also instructions and allocations a request, by valgrind")
    parser.add_argument("--only-costs", action="store_true", help="no timed runs")
    parser.add_argument("--directory", metavar="DIR", default="/var/tmp")
    parser.add_argument("--json", metavar="FILE", help="also every round, for other programs")
    return parser.parse_args(arguments)


def timed(context, binaries):
    everybody = []
    try:
        for name, binary in binaries.items():
            everybody.append(servers.Rochefort(binary, context.fresh("compare"), name=name))
        everybody.append(peers.NginxFile(context.fresh("nginx")))
        return [row for kind in KINDS
                for row in speed.measure(context, everybody, kind, plan.SMALL,
                                         context.plan.connections)]
    finally:
        for server in everybody:
            server.stop()


def calls(context, binaries):
    rows = []
    for name, binary in binaries.items():
        server = servers.Rochefort(binary, context.fresh("compare"), name=name)
        try:
            rows += [row for kind in KINDS for n in CALLS_CONNECTIONS
                     for row in cost.count_calls(context, server, kind, plan.SMALL, n)]
        finally:
            server.stop()
    return rows


def callgrind(context, binaries):
    return [cost.callgrind(context, binary, name, kind, plan.SMALL, n, CALLGRIND_REQUESTS)
            for kind in KINDS for n in CALLGRIND_CONNECTIONS for name, binary in binaries.items()]


def compare(options, directory):
    need_programs("wrk", "nginx", options.rochefort, options.base,
                  *["strace"] * options.calls, *["valgrind"] * options.callgrind)
    chosen = plan.Plan(rounds=options.rounds, seconds=options.seconds,
                       connections=options.connections)
    context = plan.Context(chosen, types.SimpleNamespace(
        rochefort=options.rochefort, ceiling=None, peer=[]), directory,
        machine.raise_descriptor_limit())
    binaries, found = {"rochefort": options.rochefort, "base": options.base}, {}
    if not options.only_costs:
        found["speed"] = timed(context, binaries)
    if options.calls:
        found["calls"] = calls(context, binaries)
    if options.callgrind:
        found["callgrind"] = callgrind(context, binaries)
    plan.progress("done", end=True)
    for name, rows in found.items():
        print("\n".join([""] + table.table(rows, table.COLUMNS[name])))
    if options.json:
        with open(options.json, "w", encoding="utf-8") as file:
            json.dump(found, file)


if __name__ == "__main__":
    parsed = parse(sys.argv[1:])
    sys.exit(in_directory(parsed.directory, lambda directory: compare(parsed, directory)))
