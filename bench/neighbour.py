"""dd, somebody else who writes to the same disk without pause.

It writes nothing but zeros, faster than the disk takes them, so what the kernel lets wait to be
written is used up by it, and everybody else who writes is held up.
"""
import os
import shutil

import programs
from plan import GIB, MIB
from process import wait_for

SECONDS_MAX = 900
MOST_BYTES = 24 * GIB


class Neighbour:
    """Starts it, and waits until it has written `head_bytes`; data is in a directory of its own."""

    def __init__(self, context, head_bytes):
        self.directory = context.fresh("dd")
        self.path = os.path.join(self.directory, "zeros")
        most = min(MOST_BYTES, shutil.disk_usage(self.directory).free // 2)
        self.program = programs.Program(
            ["dd", "if=/dev/zero", "of=" + self.path, "bs=1M", "count=%d" % (most // MIB)],
            os.path.join(self.directory, "log"))
        wait_for(lambda: self.written_bytes() >= head_bytes or self.ended(),
                 "dd to write so much", SECONDS_MAX)

    def written_bytes(self):
        try:
            return os.path.getsize(self.path)
        except FileNotFoundError:
            return 0

    def ended(self):
        return self.program.popen.poll() is not None

    def stop(self):
        """Ends it and removes what it wrote; answers whether it was there to the last."""
        lasted = not self.ended()
        self.program.stop()
        shutil.rmtree(self.directory)
        return lasted
