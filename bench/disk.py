"""The disk: appends that exceed the page cache, and reads that find nothing in it, beside fio.

Appends: both write one file through the page cache and neither syncs on the way; a sync at the end
is timed in a figure of its own. The server also does it beside dd, which fills the same disk.

Reads: a file holds records of one size. Read are records so far apart that no two touch the same
page, each once, in random order: each read is one of the disk. fio reads blocks of as many pages.
"""
import os
import random
import shutil
import time

import load
import machine
import programs
import protocol
import records
from plan import GIB, MIB, SMALL, progress
from process import Failure, wait_for
from servers import Rochefort, Workload, values_of
from speed import Case
from table import ratio, size_text, summarise

WRITE_CONNECTIONS = 8
WRITE_VALUES = 4
WRITE_SECONDS = 900
WRITE_BYTES = 4 * GIB, 8 * GIB  # at least, at most
OVER_LIMIT = 1.2
BESIDE_PART = 4  # of the bytes is enough where dd has reached the kernel's limit
DD_BYTES = 24 * GIB
ALONE, BESIDE = "alone", "beside dd"
PAGE_BYTES = 4096
MULTI_OFFSETS = 1000
MULTI_DEPTH = 128  # the server prefetches so many offsets of a getMulti at a time


def total_bytes(context):
    """How much each run writes: --bytes, or enough to exceed what the kernel keeps unwritten."""
    least, most = WRITE_BYTES
    free = shutil.disk_usage(context.directory).free
    wanted = context.plan.write_bytes or min(
        max(least, int(machine.dirty_limit_bytes() * OVER_LIMIT)), most)
    if wanted * 1.1 > free:
        raise Failure("%s has %s free, but %s will be written there at a time; --bytes sets how "
                      "much, --directory where" % (context.directory, size_text(free),
                                                   size_text(wanted)))
    return wanted


class WriteCase(Case):
    """Syncs the files at the end of a run."""

    def load(self, connections, seconds, limit):
        begun = time.monotonic()
        result = super().load(connections, seconds, limit)
        machine.flush(self.server.root)
        return {**result, "synced_seconds": time.monotonic() - begun}


def dd(context, head_bytes):
    """Starts dd, which writes zeros, and waits until it has written so much; returns it and its
    file."""
    path = os.path.join(context.fresh("dd"), "zeros")
    most = min(DD_BYTES, shutil.disk_usage(context.directory).free // 2)
    program = programs.Program(["dd", "if=/dev/zero", "of=" + path, "bs=1M",
                                "count=%d" % (most // MIB)], path + ".log")
    wait_for(lambda: program.popen.poll() is not None or
             (os.path.exists(path) and os.path.getsize(path) >= head_bytes),
             "dd to write", WRITE_SECONDS)
    return program, path


def append(context, size, total, beside, head_bytes):
    """One bucket, so one file and one disk thread, as fio has."""
    directory = context.fresh("write")
    server = Rochefort(context.rochefort, directory, "-buckets", "1")
    try:
        values = values_of(size)[:WRITE_VALUES]
        case = WriteCase(server, context, Workload(
            "append", size, [(protocol.append("id", value, "timed"), None) for value in values],
            prefixes=("timed",), known=values))
        program, path = dd(context, head_bytes) if beside == BESIDE else (None, None)
        found = case.run(WRITE_CONNECTIONS, WRITE_SECONDS, total // size)
        lasted = program is None or program.popen.poll() is None
        if program:
            program.stop()
            os.unlink(path)
    finally:
        server.stop()
        shutil.rmtree(directory, ignore_errors=True)
    written = found["requests"] * size / MIB
    return {**found, "mib_per_second": written / found["seconds"], "dd_lasted": float(lasted),
            "mib_per_second_synced": written / found["synced_seconds"],
            "server_cores": found["cpu_us"] * found["per_second"] / 1e6}


def fio_write(context, size, total):
    directory, begun = context.fresh("fio"), time.monotonic()
    try:
        part, latencies = load.fio(
            WRITE_SECONDS, "--filename=" + os.path.join(directory, "file"), "--rw=write",
            "--bs=%d" % size, "--size=%d" % (total // size * size), "--fallocate=none",
            "--refill_buffers=0")
        machine.flush(directory)
        return {**latencies, "mib_per_second": part["io_bytes"] / MIB / (part["runtime"] / 1000),
                "mib_per_second_synced": part["io_bytes"] / MIB / (time.monotonic() - begun)}
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def write(context):
    limit, total = machine.dirty_limit_bytes(), total_bytes(context)
    cases = {"%s, %s %s" % (size_text(size), who, beside): (size, beside, who)
             for who, beside in (("fio", ALONE), ("rochefort", ALONE), ("rochefort", BESIDE))
             for size in context.plan.write_sizes}
    rounds = {case: [] for case in cases.values()}

    def run(case):
        size, beside, who = case
        machine.settle(context.plan.settle_seconds)
        if who == "fio":
            rounds[case].append(fio_write(context, size, total))
        else:
            rounds[case].append(append(context, size, total // (1 if beside == ALONE
                                                                else BESIDE_PART),
                                       beside, min(limit, total)))
    context.rounds("write", cases, run)
    rows = []
    for (size, beside, who), found in rounds.items():
        ours = rounds[size, ALONE, "rochefort"]
        rows.append({"server": who, "what": "%s %s" % (size_text(size), beside),
                     "connections": WRITE_CONNECTIONS if who != "fio" else 1, **summarise(found),
                     "ratio": ratio(ours, found, "mib_per_second"),
                     "ratio_synced": ratio(ours, found, "mib_per_second_synced"),
                     "rounds": found})
    short = sum(not found.get("dd_lasted", 1.0) for row in rows for found in row["rounds"])
    return {"rows": rows, "note": "%s a run, a quarter beside dd, one file; the kernel keeps about "
            "%s unwritten: %s%s" % (
                size_text(total), size_text(limit),
                "exceeded" if total > limit else "NOT exceeded, --bytes raises it",
                "; dd ended before %d of the runs did" % short if short else "")}


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


def read(context):
    plan, directory = context.plan, context.fresh("read")
    root, cases = os.path.join(directory, "root"), {}
    progress("read: writing the files")
    files = [File(root, size, plan.read_bytes) for size in plan.read_sizes]
    server = Rochefort(context.rochefort, directory, "-buckets", "1")
    try:
        for file in files:
            for kind, n in [("get", n) for n in plan.read_connections] + (
                    [("getMulti", 1)] if file.size == SMALL else []):
                machine.evict(file.path)  # so that what the case compares are cold reads, too
                case = Case(server, context, file.workload(kind, n))
                for who in ("rochefort", "fio"):
                    cases["%s of %s, %d, %s" % (kind, size_text(file.size), n, who)] = (
                        who, file, kind, n, case, [])

        def run(item):
            who, file, kind, n, case, rounds = item
            machine.evict(file.path)
            if who == "rochefort":
                rounds.append(case.run(n, plan.read_seconds, len(case.workload.requests)))
                return
            depth = MULTI_DEPTH if kind == "getMulti" else n
            part_bytes = file.bytes // depth // file.block_bytes * file.block_bytes
            part, latencies = load.fio(
                plan.read_seconds, "--filename=" + file.path, "--readonly", "--rw=randread",
                "--bs=%d" % file.block_bytes, "--size=%d" % part_bytes, "--numjobs=%d" % depth,
                "--offset_increment=%d" % part_bytes, "--runtime=%d" % plan.read_seconds,
                "--invalidate=1")
            rounds.append({**latencies, "values_per_second": part["iops"]})
        context.rounds("read", cases, run)
    finally:
        server.stop()
        shutil.rmtree(directory, ignore_errors=True)
    rows, ours = [], None
    for who, file, kind, n, _, rounds in cases.values():
        ours = rounds if who == "rochefort" else ours
        rows.append({"server": who, "what": "%s of %s" % (kind, size_text(file.size)),
                     "workload": kind, "size": file.size, "connections": n, **summarise(rounds),
                     "ratio": ratio(ours, rounds, "values_per_second"), "rounds": rounds})
    return {"rows": rows, "note": "files of %s, one disk thread each, no page read twice; beside "
            "getMulti of %d offsets fio has %d reads in flight" % (
                size_text(plan.read_bytes), MULTI_OFFSETS, MULTI_DEPTH)}
