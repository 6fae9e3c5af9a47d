"""How much is measured: the full plan and the quick one, and what a chapter is handed."""
import dataclasses
import os
import sys
import tempfile

KIB, MIB, GIB = 1 << 10, 1 << 20, 1 << 30


@dataclasses.dataclass
class Plan:
    rounds: int = 3
    seconds: int = 2
    sizes: tuple = (100, KIB, 64 * KIB, MIB)
    connections: tuple = (1, 8, 64, 256)
    offsets: tuple = (10, 100, 1000)
    example_users: int = 64
    example_rounds: int = 100
    growth_seconds: int = 2
    growth_connections: tuple = (1, 4, 16, 64, 256, 1024, 4096)
    growth_prefixes: tuple = (1, 10, 100, 1000)
    growth_file_bytes: tuple = (0, MIB, 32 * MIB, GIB, 5 * GIB, 20 * GIB)
    growth_offsets: tuple = (1, 10, 100, 1000, 10000)
    growth_workers: tuple = (1, 2, 3, 4, 6, 8)
    disk_bytes: int = 4 * GIB
    write_sizes: tuple = (64 * KIB, MIB)
    cold_bytes: int = GIB
    cold_connections: tuple = (1, 8, 64)
    cold_seconds: int = 5


QUICK = {
    "rounds": 1, "seconds": 1, "sizes": (100,), "connections": (8,), "offsets": (100,),
    "example_users": 16, "example_rounds": 20, "growth_seconds": 1,
    "growth_connections": (1, 256), "growth_prefixes": (1, 100),
    "growth_file_bytes": (0, 20 * GIB), "growth_offsets": (1, 1000), "growth_workers": (1, 4),
    "disk_bytes": 64 * MIB, "write_sizes": (64 * KIB,), "cold_bytes": 32 * MIB,
    "cold_connections": (8,), "cold_seconds": 1,
}


class Context:
    """What each chapter gets: the plan, the programs, a directory of its own, and who is asked."""

    def __init__(self, plan, arguments, directory):
        self.plan, self.directory = plan, directory
        self.rochefort, self.ceiling = arguments.rochefort, arguments.ceiling
        self.strangers = arguments.peer
        self.seed, self.bytes = arguments.seed, arguments.bytes or plan.disk_bytes
        self.out = arguments.out

    def fresh(self, name):
        """A new empty directory."""
        return tempfile.mkdtemp(prefix=name + "-", dir=self.directory)

    def path(self, name):
        return os.path.join(self.directory, name)


def progress(text, end=False):
    """One line that says what is going on; overwritten where there is a terminal."""
    if sys.stderr.isatty():
        sys.stderr.write("\r\x1b[K" + text[:110] + ("\n" if end else ""))
    else:
        sys.stderr.write(text + "\n")
    sys.stderr.flush()
