"""How much is measured, in full and with --quick, and what all runs share."""
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
    rounds: int = 5
    seconds: int = 1  # of a timed run
    connections: tuple = (1, 8, 64, 256)  # with values of SMALL
    long_sizes: tuple = (16 * KIB, 64 * KIB, 256 * KIB, MIB)
    long_connections: tuple = (8, 64)
    offsets: tuple = (SMALL_OFFSETS, 10000)  # of a getMulti
    calls_connections: tuple = (64, 1)
    memory_connections: int = 2000
    batches: tuple = (100, 10000)  # values of SMALL in an appendMulti
    batch_connections: tuple = (1, 16)
    batch_run_bytes: int = GIB  # of values, in one run at most; and what fio writes
    write_sizes: tuple = (64 * KIB, MIB)
    write_connections: tuple = (1, 8, 64)
    write_bytes: int = GIB // 2  # of each run beside fio
    growth: dict = dataclasses.field(default_factory=lambda: {
        "busy": (1, 10, 100, 1000, 10000), "idle": (0, 10, 100, 1000, 10000),
        "prefixes": (1, 10, 100, 1000, 10000), "workers": (1, 2, 4, 8, 16, 32, 64),
        "file": (0, MIB, GIB, 32 * GIB, 1024 * GIB), "offsets": (1, 10, 100, 1000, 10000),
        "batch": (1, 10, 100, 1000, 10000)})
    growth_rounds: int = 3
    tail_quiet_seconds: int = 10
    tail_seconds: int = 20  # beside the writer that fills the disk
    cold_bytes: int = GIB // 4
    cold_sizes: tuple = (SMALL, 4 * KIB, 64 * KIB)
    cold_connections: tuple = (1, 8, 64)
    cold_rounds: int = 3
    cold_seconds: int = 3

    def seconds_of(self, size, connections):
        """A run is longer where much is in flight, since what is in flight at its end is lost."""
        return self.seconds * max(1, connections * size // IN_FLIGHT_BYTES)


QUICK = {
    "rounds": 1, "connections": (8,), "long_sizes": (64 * KIB,), "long_connections": (8,),
    "offsets": (SMALL_OFFSETS,), "calls_connections": (64,), "memory_connections": 200,
    "batches": (100,), "batch_connections": (16,), "batch_run_bytes": 128 * MIB,
    "write_sizes": (64 * KIB,), "write_connections": (8,), "write_bytes": 32 * MIB,
    "growth": {"busy": (1, 256), "idle": (0, 100), "prefixes": (100,), "workers": (4,),
               "file": (20 * GIB,), "offsets": (1000,), "batch": (1000,)}, "growth_rounds": 1,
    "tail_quiet_seconds": 1, "tail_seconds": 2,
    "cold_bytes": 16 * MIB, "cold_sizes": (SMALL,), "cold_connections": (64,), "cold_rounds": 1,
    "cold_seconds": 1,
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

    def rounds(self, what, cases, run, rounds=None):
        """run(case) for all cases in turn, round by round; cases are {name: case}."""
        rounds = rounds or self.plan.rounds
        for number in range(rounds):
            for name, case in cases.items():
                progress("%s, round %d of %d: %s" % (what, number + 1, rounds, name))
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
