"""How much is measured, in full and with --quick, and what all chapters share."""
import dataclasses
import itertools
import os
import sys
import tempfile
import time

KIB, MIB, GIB = 1 << 10, 1 << 20, 1 << 30
SMALL = 100  # bytes; the size of value that most figures are about
SMALL_OFFSETS = 100  # of the getMulti that is compared with nginx
IN_FLIGHT_BYTES = 64 * MIB  # for each second of a run
BEGUN = time.monotonic()


@dataclasses.dataclass
class Plan:
    rounds: int = 3
    seconds: int = 2  # of a run with values of SMALL, which most targets are about
    long_seconds: int = 1  # of one with longer values, and of those of growth
    sizes: tuple = (SMALL, KIB, 64 * KIB, MIB)
    connections: tuple = (1, 8, 64, 256)
    offsets: tuple = (10, SMALL_OFFSETS, 1000)
    calls_connections: tuple = (64, 1)
    calls_sizes: tuple = (64 * KIB, MIB)
    memory_connections: int = 2000
    memory_sizes: tuple = (64 * KIB, MIB)
    growth: dict = dataclasses.field(default_factory=lambda: {
        "connections": (1, 4, 16, 64, 256, 1024, 4096), "prefixes": (1, 10, 100, 1000),
        "file": (0, MIB, 32 * MIB, GIB, 5 * GIB, 20 * GIB), "offsets": (1, 10, 100, 1000, 10000),
        "workers": (1, 2, 3, 4, 6, 8)})
    batches: tuple = (100, 10000)  # values of SMALL in an appendMulti
    batch_connections: tuple = (1, 16)
    batch_run_bytes: int = 2 * GIB  # of values, in one run at most; and what fio writes
    write_bytes: int = 0  # 0: more than the kernel keeps unwritten, see disk.py
    write_sizes: tuple = (64 * KIB, MIB)
    settle_seconds: int = 30
    read_bytes: int = GIB // 2
    read_sizes: tuple = (SMALL, 4 * KIB)
    read_connections: tuple = (1, 8, 64)
    read_seconds: int = 3

    def seconds_of(self, kind, size, connections):
        """A run is longer where much is in flight, since what is in flight at its end is lost."""
        if kind == "getMulti" or size <= SMALL:
            return self.seconds
        return self.long_seconds * max(1, connections * size // IN_FLIGHT_BYTES)


QUICK = {
    "rounds": 1, "seconds": 1, "sizes": (SMALL,), "connections": (8,), "offsets": (SMALL_OFFSETS,),
    "calls_connections": (64,), "calls_sizes": (64 * KIB,),
    "memory_connections": 200, "memory_sizes": (),
    "growth": {"connections": (1, 256), "prefixes": (100,), "file": (20 * GIB,),
               "offsets": (1000,), "workers": (4,)},
    "batches": (100,), "batch_connections": (16,), "batch_run_bytes": 128 * MIB,
    "write_bytes": 64 * MIB, "write_sizes": (64 * KIB,), "settle_seconds": 1,
    "read_bytes": 32 * MIB, "read_connections": (64,), "read_seconds": 1,
}


class Context:
    """What each chapter is given: the plan, the programs, and a directory."""

    def __init__(self, plan, options, directory, descriptors):
        self.plan, self.directory, self.descriptors = plan, directory, descriptors
        self.rochefort, self.ceiling, self.peers = options.rochefort, options.ceiling, options.peer
        self.numbers = itertools.count()

    def fresh(self, name):
        """A new empty directory."""
        return tempfile.mkdtemp(prefix=name + "-", dir=self.directory)

    def file(self, name):
        """A path that was not used before."""
        return os.path.join(self.directory, "%s-%d" % (name, next(self.numbers)))

    def rounds(self, what, cases, run):
        """run(case) for all cases in turn, round by round; cases are {name: case}."""
        for number in range(self.plan.rounds):
            for name, case in cases.items():
                progress("%s, round %d of %d: %s" % (what, number + 1, self.plan.rounds, name))
                run(case)


def elapsed_seconds():
    return int(time.monotonic() - BEGUN)


def progress(text, end=False):
    """One line after the time since the start; on a terminal it replaces the line before."""
    text = "%2d:%02d  %s" % (*divmod(elapsed_seconds(), 60), text)
    if sys.stderr.isatty():
        sys.stderr.write("\r\x1b[K" + text[:110] + ("\n" if end else ""))
    else:
        sys.stderr.write(text + "\n")
    sys.stderr.flush()
