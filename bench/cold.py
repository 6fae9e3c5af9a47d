"""Cold reads beside fio at the same depth, from a disk that is slowed down; see slow_disk.py.

A file holds records of one size. Read are records so far apart that no two touch the same page,
each once, in random order: each read is one of the disk. fio reads blocks of as many pages.
"""
import os
import random
import shutil

import load
import machine
import protocol
import records
import slow_disk
from plan import SMALL, progress
from servers import Rochefort, Workload
from speed import Case
from table import ratio, size_text, summarise

PAGE_BYTES = 4096
MULTI_OFFSETS = 1000
MULTI_DEPTH = 128  # the server prefetches so many offsets of a getMulti at a time


def value(number, size):
    """All are different."""
    return number.to_bytes(8, "little") + bytes(size - 8)


class File:
    """A bucket of values of one size, and which of them are read."""

    def __init__(self, root, size, total):
        record_bytes = size + records.HEADER_BYTES
        self.size, self.prefix = size, "of%d" % size
        self.block_bytes = block = -(-record_bytes // PAGE_BYTES) * PAGE_BYTES
        blocks = total // block
        # the first record that begins in each block, if it also ends there
        firsts = [-(-n * block // record_bytes) for n in range(blocks - 1)]
        self.numbers = [n for n in firsts if n * record_bytes % block + record_bytes <= block]
        self.bytes = (blocks - 1) * block
        self.offsets = records.write_bucket(root, self.prefix, (
            value(n, size) for n in range(blocks * block // record_bytes)))
        self.path = os.path.join(root, self.prefix, "append.0.raw")

    def workload(self, kind, seed):
        """All that are read, in random order: one by one, or MULTI_OFFSETS at a time."""
        chosen = [(self.offsets[n], value(n, self.size)) for n in
                  random.Random(seed).sample(self.numbers, len(self.numbers))]
        if kind == "get":
            return Workload(kind, self.size, [(protocol.get("id", offset, self.prefix), body)
                                              for offset, body in chosen])
        parts = [chosen[n:n + MULTI_OFFSETS]
                 for n in range(0, len(chosen) - MULTI_OFFSETS + 1, MULTI_OFFSETS)]
        return Workload(kind, self.size, [
            (protocol.get_multi("id", [offset for offset, _ in part], self.prefix),
             b"".join(self.size.to_bytes(4, "little") + body for _, body in part))
            for part in parts], values=MULTI_OFFSETS)


def fio(file, depth, seconds, enter):
    part_bytes = file.bytes // depth // file.block_bytes * file.block_bytes
    part, latencies = load.fio(
        seconds, "--filename=" + file.path, "--readonly", "--rw=randread",
        "--bs=%d" % file.block_bytes, "--size=%d" % part_bytes, "--numjobs=%d" % depth,
        "--offset_increment=%d" % part_bytes, "--runtime=%d" % seconds, "--invalidate=1",
        enter=enter)
    return {**latencies, "values_per_second": part["iops"]}


def run(context):
    plan, directory = context.plan, context.fresh("cold")
    cases = {}
    with slow_disk.limited(directory) as enter:
        progress("cold: writing the files")
        files = [File(os.path.join(directory, "root"), size, plan.cold_bytes)
                 for size in plan.cold_sizes]
        server = Rochefort(context.rochefort, directory, "-buckets", "1")
        try:
            for file in files:
                for kind, n in [("get", n) for n in plan.cold_connections] + (
                        [("getMulti", 1)] if file.size == SMALL else []):
                    case = Case(server, context, file.workload(kind, n))
                    for who in ("rochefort", "fio"):
                        cases["%s of %s, %d, %s" % (kind, size_text(file.size), n, who)] = (
                            who, file, kind, n, case, [])
            enter(server.pid)

            def measure(item):
                who, file, kind, n, case, rounds = item
                machine.evict(file.path)
                rounds.append(
                    case.run(n, plan.cold_seconds, len(case.workload.requests))
                    if who == "rochefort" else fio(file, MULTI_DEPTH if kind == "getMulti" else n,
                                                   plan.cold_seconds, enter))
            context.rounds("cold", cases, measure, plan.cold_rounds)
        finally:
            server.stop()
            shutil.rmtree(directory, ignore_errors=True)
    rows, ours = [], None
    for who, file, kind, n, _, rounds in cases.values():
        ours = rounds if who == "rochefort" else ours
        rows.append({"server": who, "what": "%s of %s" % (kind, size_text(file.size)),
                     "workload": kind, "size": file.size, "connections": n, **summarise(rounds),
                     "ratio": ratio(ours, rounds, "values_per_second"),
                     "ratio_p99": ratio(ours, rounds, "p99_us"), "rounds": rounds})
    return {"rows": rows, "note": "files of %s, one disk thread each, no page read twice, at most %d "
            "reads and %s a second; beside getMulti of %d offsets fio has %d reads in flight" % (
                size_text(plan.cold_bytes), slow_disk.READS_PER_SECOND,
                size_text(slow_disk.BYTES_PER_SECOND), MULTI_OFFSETS, MULTI_DEPTH)}
