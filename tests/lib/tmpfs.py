"""A server whose root is a small file system of its own, a tmpfs.

The mount is in a namespace of the server's own and goes with it. Tests need capabilities.needs_mounts.
"""
import os

import harness
from capabilities import mount_namespace


class Server(harness.Server):
    """A server with a disk of that size, and so many inodes if it is given. self.inside is the way to
    its root from outside."""

    def __init__(self, size, *flags, inodes=0, **options):
        self.mount_options = "size=%s,nr_inodes=%d" % (size, inodes)  # 0: no limit
        super().__init__(*flags, **options)

    def start(self):
        os.makedirs(self.root)
        mount = 'mount -t tmpfs -o "$1" none "$2" && shift 2 && exec "$@"'
        self.under = [*mount_namespace(), "sh", "-c", mount, "sh", self.mount_options, self.root]
        super().start()
        self.inside = "/proc/%d/root%s" % (self.process.pid, self.root)

    def free(self):
        """Blocks and inodes."""
        status = os.statvfs(self.inside)
        return status.f_bfree, status.f_ffree

    def leave_room(self, bytes):
        """Fills the disk but for so many bytes, whole blocks."""
        status = os.statvfs(self.inside)
        with open(os.path.join(self.inside, "filler"), "wb") as filler:
            os.posix_fallocate(filler.fileno(), 0, status.f_bfree * status.f_frsize - bytes)

    def make_room(self):
        os.unlink(os.path.join(self.inside, "filler"))
