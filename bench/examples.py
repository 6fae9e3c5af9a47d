"""The README's examples, replayed, and every workload once with every byte checked.

The timed runs do not look into each reply: that would measure the one who looks. So it is done
here, before them, with the same requests, on a server of the same kind.
"""
import os
import random
import re
import time

import process
import users
from ledger import Ledger
from plan import KIB, MIB, progress
from servers import Rochefort, Speaker
from wire import Failure, converse, shown

IDS = 40
MULTI = (0, 1, 10, 100, 1000, 10000)
SIZES = [1, 99, 100, 101, KIB, 4 * KIB, 64 * KIB]
LARGE = [MIB, 3 * MIB]


def curl_lines(address, root):
    """What the README shows: the arguments for curl, its input, what it must write."""
    url = "http://%s:%d/" % address
    file = '"file":"%s/%%s/append.%%d.raw"}' % root
    some, other = b"some text", b"some other data in same identifier"
    offsets = b"".join(n.to_bytes(8, "little") for n in (25, 0, 25))
    multi = b"".join(len(v).to_bytes(4, "little") + v for v in (other, some, other))
    id = "?id=some_identifier"
    return [
        (["-d", "some text", url + "append" + id], None, '{"offset":0,' + file, "default"),
        (["-d", "some other data in same identifier", url + "append" + id], None,
         '{"offset":25,' + file, "default"),
        ([url + "get" + id + "&offset=25"], None, other, None),
        (["--data-binary", "@-", url + "getMulti" + id], offsets, multi, None),
        (["-d", "kept apart", url + "append" + id + "&storagePrefix=mine"], None,
         '{"offset":0,' + file, "mine"),
        ([url + "close?storagePrefix=mine"], None, b'{"success":true}', None),
        ([url + "get" + id + "&offset=7"], None,
         b"no record starts there: offset 7 of %s/default/append.%%d.raw\n" % root.encode(), None),
    ]


def check_curl(server):
    """The README's lines, one by one, by curl itself."""
    bucket = None
    for arguments, stdin, expected, prefix in curl_lines(server.address, server.root):
        out = process.run(["curl", "-sS", "--max-time", "20"] + arguments, 30, stdin)
        if bucket is None:  # any will do, but it is the same in every reply
            found = re.search(rb"append\.(\d+)\.raw", out)
            bucket = int(found.group(1)) if found else -1
        if prefix is not None:
            expected = (expected % (prefix, bucket)).encode()
        elif b"%d" in expected:
            expected = expected % bucket
        if out != expected:
            raise Failure("wrong reply\n  request: curl %s\n  reply:   %s\n  expected: %s"
                          % (" ".join(arguments), shown(out), shown(expected)))
    return len(curl_lines(server.address, server.root))


def check_mix(server, context):
    """Many connections, many ids, the examples in a mix, then all that was stored once more."""
    ledger, plan = Ledger(server.root), context.plan
    begun = time.monotonic()
    replies = converse(server.address, [
        users.example_user(ledger, n, plan.example_rounds, random.Random(context.seed + n), IDS)
        for n in range(plan.example_users)])
    seconds = time.monotonic() - begun
    replies += read_all(server, ledger, plan.example_users)
    ledger.check_files()
    return {"replies": replies, "bytes": ledger.bytes, "records": len(ledger.entries),
            "connections": plan.example_users, "seconds": seconds}


def check_workloads(server, context):
    """All sizes and all numbers of offsets of the timed runs, with values of random bytes."""
    ledger, rng = Ledger(server.root), random.Random(context.seed)
    quick = len(context.plan.sizes) == 1
    sizes = SIZES if quick else SIZES + LARGE
    replies = converse(server.address, [
        users.sized_user(ledger, n, rng, rng.sample(sizes, len(sizes)), "checked")
        for n in range(16)])
    replies += converse(server.address, [
        users.multi_user(ledger, n, rng, count, 100, "checked") for n, count in enumerate(MULTI)])
    replies += read_all(server, ledger, 16)
    ledger.check_files()
    return {"replies": replies, "bytes": ledger.bytes, "records": len(ledger.entries),
            "connections": 16}


def read_all(server, ledger, connections):
    """Every record that was ever answered, read back at the end."""
    entries = list(ledger.entries)
    return converse(server.address, [users.reading_user(ledger, entries[n::connections])
                                     for n in range(connections)])


def run(context):
    """Fails at the first wrong byte; answers what was compared."""
    result = {}
    progress("examples: the README's lines, by curl, then by many at once")
    server = Rochefort(context.rochefort, context.fresh("examples"), "-buckets", "10")
    try:
        result["curl_lines"] = check_curl(server)
        server.drop("default")
        result["mix"] = check_mix(server, context)
        progress("examples: all sizes, every byte")
        result["workloads"] = check_workloads(server, context)
    finally:
        server.stop()
    for name, url in context.strangers:
        progress("examples: %s" % name)
        stranger = Speaker(name, url)
        result["workloads of " + name] = check_stranger(stranger, context)
    return result


def check_stranger(stranger, context):
    """The workloads alone: what else is in its files, and where these are, we do not know."""
    ledger, rng = Ledger(None), random.Random(context.seed)
    replies = converse(stranger.address, [
        users.sized_user(ledger, n, rng, SIZES, "checked%d" % os.getpid()) for n in range(8)])
    return {"replies": replies, "bytes": ledger.bytes, "records": len(ledger.entries),
            "connections": 8}
