"""A disk that is slower than this machine's, so that it decides and not the cores: programs in a
control group whose reads of the device below a directory are limited, by version 1 or 2 of cgroups.
"""
import contextlib
import os

from process import Failure

READS_PER_SECOND = 4000
BYTES_PER_SECOND = 200 << 20
V1, V2 = "/sys/fs/cgroup/blkio", "/sys/fs/cgroup"
NAME = "rochefort-bench-%d" % os.getpid()


def write(path, text):
    with open(path, "w") as file:
        file.write(text)


def device_of(directory):
    """MAJOR:MINOR of the whole disk below it."""
    number = os.stat(directory).st_dev
    name = "%d:%d" % (os.major(number), os.minor(number))
    path = os.path.realpath("/sys/dev/block/" + name)
    if not os.path.exists(path):
        raise Failure("%s is not on a disk of its own; --directory sets where" % directory)
    if os.path.exists(path + "/partition"):
        with open(os.path.dirname(path) + "/dev") as file:
            name = file.read().strip()
    return name


@contextlib.contextmanager
def limited(directory):
    """Gives a function that puts a process, by its id, into the group."""
    device = device_of(directory)
    group = os.path.join(V1 if os.path.isdir(V1) else V2, NAME)
    try:
        os.mkdir(group)
    except OSError as error:
        raise Failure("cold reads need control groups: %s" % error) from error
    try:
        try:
            if os.path.isdir(V1):
                write(group + "/blkio.throttle.read_iops_device",
                      "%s %d" % (device, READS_PER_SECOND))
                write(group + "/blkio.throttle.read_bps_device",
                      "%s %d" % (device, BYTES_PER_SECOND))
            else:
                write(V2 + "/cgroup.subtree_control", "+io")
                write(group + "/io.max", "%s riops=%d rbps=%d" % (device, READS_PER_SECOND,
                                                                  BYTES_PER_SECOND))
        except OSError as error:
            raise Failure("the disk cannot be slowed down: %s" % error) from error
        yield lambda pid: write(group + "/cgroup.procs", str(pid))
    finally:
        os.rmdir(group)  # empty: all that were in it have ended
