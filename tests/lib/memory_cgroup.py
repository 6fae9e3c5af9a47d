"""A control group with a memory limit for programs under test, of version 1 or 2."""
import os
import re
import tempfile
import unittest

from process import wait_for

LIMIT_FILES = {"cgroup": "memory.limit_in_bytes", "cgroup2": "memory.max"}
EVENT_FILES = {"cgroup": "memory.oom_control", "cgroup2": "memory.events"}


def _groups():
    """(file system, directory of this process's group) of each hierarchy that may limit memory."""
    with open("/proc/self/cgroup") as file:
        lines = [line.rstrip("\n").split(":", 2) for line in file]
    with open("/proc/self/mountinfo") as file:
        for line in file:
            fields, kind = (part.split() for part in line.split(" - "))
            kind, options = kind[0], kind[-1].split(",")
            for number, controllers, path in lines:
                if (kind == "cgroup" and "memory" in options and "memory" in controllers.split(",")
                        or kind == "cgroup2" and number == "0" and controllers == ""):
                    below = path[len(fields[3].rstrip("/")):] if path.startswith(fields[3]) else "/"
                    yield kind, os.path.join(fields[4], below.strip("/"))


class MemoryCgroup:
    """
    Use as a context manager; skips the test if none can be made. `under` is the command that runs
    another one in it.
    """

    def __init__(self, limit_bytes):
        self.limit_bytes = limit_bytes

    def __enter__(self):
        reasons = []
        for kind, group in _groups():
            # In version 2 a group with processes has no groups with controllers below it.
            for parent in (group, os.path.dirname(group.rstrip("/"))):
                try:
                    self.make(kind, parent)
                    return self
                except OSError as error:
                    reasons.append("%s: %s" % (error.filename, error.strerror))
        raise unittest.SkipTest("needs a control group with a memory limit; " +
                                ("; ".join(reasons) or "no hierarchy for memory is mounted"))

    def make(self, kind, parent):
        self.kind = kind
        self.path = tempfile.mkdtemp(prefix="rochefort-test-", dir=parent)
        self.under = ["sh", "-c", 'echo $$ >"$0" && exec "$@"',
                      os.path.join(self.path, "cgroup.procs")]
        try:
            with open(os.path.join(self.path, LIMIT_FILES[kind]), "r+") as file:
                file.write("%d" % self.limit_bytes)
        except OSError:
            os.rmdir(self.path)
            raise

    def kills(self):
        """How many of its processes have been killed for lack of memory."""
        with open(os.path.join(self.path, EVENT_FILES[self.kind])) as file:
            return int(re.search(r"^oom_kill (\d+)$", file.read(), re.MULTILINE).group(1))

    def removed(self):
        """False as long as the kernel still counts an ended process."""
        try:
            os.rmdir(self.path)
        except OSError:
            return False
        return True

    def __exit__(self, kind, value, trace):
        wait_for(self.removed, "the processes of %s to end" % self.path)
