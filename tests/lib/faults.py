"""A server whose disk fails as the test plans it; see fail_disk.c."""
import os
import signal
import struct
import tempfile

import harness

FAIL_DISK = os.environ["FAIL_DISK"]
CALLS = ("pwritev", "preadv2", "ftruncate", "fstat", "openat", "fsetxattr", "pread", "mkdirat",
         "statx", "fdatasync", "fsync", "statx_lock", "pwrite", "renameat", "unlinkat",
         "fremovexattr", "close")
PLAN = struct.Struct("<iiiii")
EVER = 1 << 30


class Server(harness.Server):
    """harness.Server with fail()."""

    def __init__(self, *flags, **options):
        self.plans = tempfile.NamedTemporaryFile(prefix="rochefort-faults-")
        self.plans.truncate(PLAN.size * len(CALLS))
        super().__init__(*flags, env={"FAIL_FILE": self.plans.name}, preload=[FAIL_DISK], **options)

    def __exit__(self, *arguments):
        self.heal()
        super().__exit__(*arguments)
        self.plans.close()

    def plan(self, call, *fields):
        os.pwrite(self.plans.fileno(), PLAN.pack(*fields), PLAN.size * CALLS.index(call))

    def fail(self, call, error, nth=1, times=1, bytes=0):
        """From now on the nth call, and times - 1 after it, fail with that errno. The calls
        before move that many bytes at most, if it is not 0."""
        self.plan(call, error, nth, times, bytes, 0)

    def shorten(self, call, bytes, nth=1, times=1):
        """From now on the nth call, and times - 1 after it, move that many bytes at most."""
        self.plan(call, 0, nth, times, bytes, 0)

    def kill_at(self, call, nth):
        """The nth call from now on is not made: the process is killed there."""
        self.plan(call, -signal.SIGKILL, nth, 1, 0, 0)

    def seen(self, call):
        """How many calls there were since the last fail(), shorten() or heal()."""
        data = os.pread(self.plans.fileno(), PLAN.size, PLAN.size * CALLS.index(call))
        return PLAN.unpack(data)[4]

    def heal(self, *calls):
        for call in calls or CALLS:
            self.plan(call, 0, 0, 0, 0, 0)
