"""Reads that find nothing in the page cache, beside fio's random reads of the same file.

A file is records of one size. The reads are of every so many'th record, so that no two touch the
same page: each is a read of the disk. fio reads blocks of as many pages, in no order and each once.
"""
import os
import random
import shutil

import figures
import fio
import ledger as protocol
import pages
import records
import speed
from ledger import Ledger
from plan import SMALL, progress
from servers import Rochefort
from users import reading_user
from wire import converse

PAGE_BYTES = 4096
MULTI_OFFSETS = 1000
# The server announces so many offsets of a getMulti to the kernel together.
MULTI_DEPTH = 128
CHECKED = 1000
WHO = ("rochefort", "fio")


def value(number, size):
    """All are different."""
    return number.to_bytes(8, "little") + bytes(size - 8)


class File:
    """A bucket of values of a size, and which of them are read."""

    def __init__(self, root, size, total_bytes):
        self.size = size
        record_bytes = size + records.HEADER_BYTES
        self.block_bytes = -(-record_bytes // PAGE_BYTES) * PAGE_BYTES
        blocks = total_bytes // self.block_bytes
        # the first record that begins in each block; it has to end in it as well
        numbers = [-(-block * self.block_bytes // record_bytes) for block in range(blocks - 1)]
        self.numbers = [n for n in numbers if n * record_bytes % self.block_bytes
                        + record_bytes <= self.block_bytes]
        count = blocks * self.block_bytes // record_bytes
        self.bytes = (blocks - 1) * self.block_bytes  # so many are whole
        self.prefix = "of%d" % size
        self.offsets = records.write_bucket(root, self.prefix,
                                            (value(n, size) for n in range(count)))
        self.path = os.path.join(root, self.prefix, "append.0.raw")

    def chosen(self, seed):
        return random.Random(seed).sample(self.numbers, len(self.numbers))

    def requests(self, kind, seed):
        """All that are read, in no order: one by one, or MULTI_OFFSETS at a time."""
        offsets = [self.offsets[n] for n in self.chosen(seed)]
        if kind == "get":
            return [protocol.get("id", offset, self.prefix) for offset in offsets]
        return [protocol.get_multi("id", offsets[n:n + MULTI_OFFSETS], self.prefix)
                for n in range(0, len(offsets) - MULTI_OFFSETS + 1, MULTI_OFFSETS)]


class Lane:
    """A file, and how it is read; by the server and by fio in turns."""

    def __init__(self, context, server, file, kind, connections):
        self.context, self.file, self.kind, self.connections = context, file, kind, connections
        self.rounds = {who: [] for who in WHO}
        self.values = MULTI_OFFSETS if kind == "getMulti" else 1
        # asking for the length of a reply reads a record; it is thrown out again
        self.ours = speed.Lane(server, context, kind, self.values,
                               file.requests(kind, connections))

    def run(self, who):
        pages.evict(self.file.path)
        seconds = self.context.plan.read_seconds
        if who == "rochefort":
            row = self.ours.run(self.connections, seconds, "once")
        else:
            depth = MULTI_DEPTH if self.kind == "getMulti" else self.connections
            row = fio.random_read(self.file.path, self.file.block_bytes, depth, seconds,
                                  self.file.bytes)
            row["values_per_second"] = row["per_second"]
        self.rounds[who].append(row)

    def rows(self):
        ours = self.rounds["rochefort"]
        return [{"server": who, "workload": self.kind, "size": self.file.size,
                 "connections": self.connections, **figures.summarise(found),
                 "ratio": figures.ratio(ours, found, "values_per_second"), "rounds": found}
                for who, found in self.rounds.items()]


def check(server, file):
    """Cold records are the right ones."""
    pages.evict(file.path)
    ledger, chosen = Ledger(), file.chosen(0)[:CHECKED]
    entries = [(file.prefix, "id", file.offsets[n], value(n, file.size)) for n in chosen]
    half = len(entries) // 2
    converse(server.address, [reading_user(ledger, entries[n:half:8]) for n in range(8)])

    def multi_user():
        request = protocol.get_multi("id", [entry[2] for entry in entries[half:]], file.prefix)
        ledger.got_multi(request, (yield request), [entry[3] for entry in entries[half:]])
    converse(server.address, [multi_user()])


def run(context):
    directory, plan = context.fresh("read"), context.plan
    root = os.path.join(directory, "root")
    files = {}
    for size in plan.read_sizes:
        progress("read: making a file of records of %d bytes" % size)
        files[size] = File(root, size, plan.read_bytes)
    server = Rochefort(context.rochefort, directory, "-buckets", "1")
    try:
        lanes = []
        for file in files.values():
            check(server, file)
            lanes += [Lane(context, server, file, "get", n) for n in plan.read_connections]
        if SMALL in files:
            lanes.append(Lane(context, server, files[SMALL], "getMulti", 1))

        def run_one(turn, what):
            lane, who = turn
            progress("read: %s %d, %d at a time, %s: %s" % (lane.kind, lane.file.size,
                                                            lane.connections, what, who))
            lane.run(who)
        context.rounds([(lane, who) for lane in lanes for who in WHO], run_one)
    finally:
        server.stop()
        shutil.rmtree(directory, ignore_errors=True)
    note = ("files of %d MiB, one disk thread each, no page read twice; beside getMulti of %d "
            "offsets fio has %d reads in flight" % (plan.read_bytes >> 20, MULTI_OFFSETS,
                                                    MULTI_DEPTH))
    return {"rows": [row for lane in lanes for row in lane.rows()], "note": note}
