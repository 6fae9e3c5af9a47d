"""The README's examples, replayed, and every workload once with every byte checked.

The timed runs do not look into each reply: that would measure the one who looks. So it is done
here, before them, with the same requests, on a server of the same kind.
"""
import os
import random

import generator
import programs
import readme
import users
from ledger import Ledger
from plan import KIB, MIB, SMALL, progress
from servers import Rochefort, Speaker
from process import Failure
from wire import converse, shown

README = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "README.md")
CURL_SECONDS = 90
IDS = 40
CHECKERS = 16
LOAD_CONNECTIONS = 64
GRACE_SECONDS = 60
MULTI = (0, 1, 10, 100, 1000, 10000)
SIZES = [1, 99, 100, 101, KIB, 4 * KIB, 64 * KIB]
LARGE = [MIB, 3 * MIB]


def check_curl(server):
    """The README's lines, one by one, by curl itself, on a fresh server."""
    with open(README, encoding="utf-8") as file:
        lines = readme.console_examples(file.read(), "%s:%d" % server.address, server.root)
    for command, expected in lines:
        out = programs.run(["bash", "-c", command], CURL_SECONDS).strip()
        if out != expected.encode():
            raise Failure("wrong reply\n  request: %s\n  reply:   %s\n  expected: %s"
                          % (command, shown(out), shown(expected.encode())))
    return len(lines)


def check_mix(server, context, root):
    """Many connections, many ids, the examples in a mix, then all that was stored once more."""
    ledger, users_count = Ledger(root), context.plan.example_users
    replies = converse(server.address, [
        users.example_user(ledger, n, context.plan.example_rounds,
                           random.Random(context.seed + n), IDS) for n in range(users_count)])
    return read_all(server, ledger, replies, users_count)


def check_workloads(server, context, root, sizes):
    """All sizes and all numbers of offsets of the timed runs, with values of random bytes."""
    ledger, rng, prefix = Ledger(root), random.Random(context.seed), "checked"
    replies = converse(server.address, [
        users.sized_user(ledger, n, rng, rng.sample(sizes, len(sizes)), prefix)
        for n in range(CHECKERS)])
    replies += converse(server.address, [
        users.multi_user(ledger, n, rng, count, SMALL, prefix) for n, count in enumerate(MULTI)])
    return read_all(server, ledger, replies, CHECKERS)


def read_all(server, ledger, replies, connections):
    """Every record that was ever answered, read back at the end; then the files, if they are ours.
    Answers what was compared."""
    entries = list(ledger.entries)
    replies += converse(server.address, [users.reading_user(ledger, entries[n::connections])
                                         for n in range(connections)])
    ledger.check_files()
    return {"replies": replies, "bytes": ledger.bytes, "records": len(ledger.entries),
            "connections": connections}


def check_under_load(server, context):
    """The mix once more, while wrk appends and reads as fast as it can."""
    seconds, path = context.plan.load_seconds, context.file("requests")
    server.before("mixed", SMALL)
    generator.write_requests(path, server.requests("mixed", SMALL), "%s:%d" % server.address)
    load = programs.Program(
        generator.wrk_command(server.address, path, 1, LOAD_CONNECTIONS, seconds),
        context.file("load"))
    try:
        result = check_mix(server, context, server.root)
        load.wait(seconds + GRACE_SECONDS)
        generator.report(load.log(), path, LOAD_CONNECTIONS)
    finally:
        load.stop()
    server.wait_for_clients()
    server.drop("timed")
    return result


def check_server(context):
    """Ours."""
    result = {}
    sizes = SIZES if len(context.plan.sizes) == 1 else SIZES + LARGE
    server = Rochefort(context.rochefort, context.fresh("examples"), "-buckets", "10")
    try:
        progress("examples: the README's lines, by curl")
        result["curl_lines"] = check_curl(server)
        server.drop("default")
        progress("examples: by many at once")
        result["mix"] = check_mix(server, context, server.root)
        progress("examples: all sizes, every byte")
        result["all sizes"] = check_workloads(server, context, server.root, sizes)
        server.drop("default")
        for n in range(context.plan.example_users):
            server.drop("mine%d" % n)
        progress("examples: by many at once, under load")
        result["mix under load"] = check_under_load(server, context)
    finally:
        server.stop()
    return result


def run(context):
    """Fails at the first wrong byte; answers what was compared."""
    result = check_server(context)
    for name, url in context.strangers:
        progress("examples: %s" % name)
        stranger = Speaker(name, url)
        # what else is in its files, and where these are, we do not know
        result["mix, " + name] = check_mix(stranger, context, None)
        result["all sizes, " + name] = check_workloads(stranger, context, None, SIZES)
    return result
