"""How much is measured: the full plan and the quick one, and what a chapter is handed."""
import dataclasses
import itertools
import os
import sys
import tempfile
import time

KIB, MIB, GIB = 1 << 10, 1 << 20, 1 << 30
SMALL = 100  # bytes; the size that most figures are about
UNDER_WAY_BYTES = 64 * MIB  # for each second of a run
BEGUN = time.monotonic()


@dataclasses.dataclass
class Plan:
    rounds: int = 3
    seconds: int = 2  # of a run with values of SMALL, which most targets are about
    long_seconds: int = 1  # of one with longer values, and of those below
    sizes: tuple = (SMALL, KIB, 64 * KIB, MIB)
    connections: tuple = (1, 8, 64, 256)
    offsets: tuple = (10, 100, 1000)
    example_users: int = 64
    example_rounds: int = 100
    load_seconds: int = 10
    calls_small: tuple = (64, 1)  # connections
    calls_sizes: tuple = (64 * KIB, MIB)
    memory_connections: int = 2000
    memory_sizes: tuple = (SMALL, 64 * KIB, MIB)
    growth_connections: tuple = (1, 4, 16, 64, 256, 1024, 4096)
    growth_prefixes: tuple = (1, 10, 100, 1000)
    growth_file_bytes: tuple = (0, MIB, 32 * MIB, GIB, 5 * GIB, 20 * GIB)
    growth_offsets: tuple = (1, 10, 100, 1000, 10000)
    growth_workers: tuple = (1, 2, 3, 4, 6, 8)
    write_bytes: int = 0  # 0: past the kernel's limit, see write.py
    write_sizes: tuple = (64 * KIB, MIB)
    settle_seconds: int = 30  # before a run, at most
    read_bytes: int = GIB // 2
    read_sizes: tuple = (SMALL, 4 * KIB)
    read_connections: tuple = (1, 8, 64)
    read_seconds: int = 3

    def seconds_of(self, kind, size, connections):
        """How long a run is: longer where much is under way, for at its end that is lost."""
        if kind == "getMulti" or size <= SMALL:
            return self.seconds
        return self.long_seconds * max(1, connections * size // UNDER_WAY_BYTES)


QUICK = {
    "rounds": 1, "seconds": 1, "sizes": (SMALL,), "connections": (8,), "offsets": (100,),
    "example_users": 16, "example_rounds": 20, "load_seconds": 1,
    "calls_small": (64,), "calls_sizes": (64 * KIB,),
    "memory_connections": 200, "memory_sizes": (SMALL,),
    "growth_connections": (1, 256), "growth_prefixes": (100,), "growth_file_bytes": (20 * GIB,),
    "growth_offsets": (1000,), "growth_workers": (4,),
    "write_bytes": 64 * MIB, "write_sizes": (64 * KIB,), "settle_seconds": 1,
    "read_bytes": 32 * MIB, "read_connections": (64,), "read_seconds": 1,
}


class Context:
    """What each chapter gets: the plan, the programs, a directory of its own, and who is asked."""

    def __init__(self, plan, arguments, directory, descriptors):
        self.plan, self.directory, self.descriptors = plan, directory, descriptors
        self.rochefort, self.ceiling = arguments.rochefort, arguments.ceiling
        self.no_disk = arguments.no_disk
        self.strangers = arguments.peer
        self.seed = arguments.seed
        self.numbers = itertools.count()

    def fresh(self, name):
        """A new empty directory."""
        return tempfile.mkdtemp(prefix=name + "-", dir=self.directory)

    def file(self, name):
        """A path that nobody else uses."""
        return os.path.join(self.directory, "%s-%d" % (name, next(self.numbers)))

    def rounds(self, lanes, run, other_lanes=None):
        """Lets all take turns, a round after the other: run(lane, what to say about the round).
        Every second round is in the order of `other_lanes`, if there is one."""
        for number in range(self.plan.rounds):
            for lane in other_lanes if other_lanes and number % 2 else lanes:
                run(lane, "round %d of %d" % (number + 1, self.plan.rounds))


def elapsed_seconds():
    return int(time.monotonic() - BEGUN)


def progress(text, end=False):
    """One line that says what is going on, after the time since the start; overwritten where there
    is a terminal."""
    seconds = elapsed_seconds()
    text = "%2d:%02d  %s" % (seconds // 60, seconds % 60, text)
    if sys.stderr.isatty():
        sys.stderr.write("\r\x1b[K" + text[:110] + ("\n" if end else ""))
    else:
        sys.stderr.write(text + "\n")
    sys.stderr.flush()
