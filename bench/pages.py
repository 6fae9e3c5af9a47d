"""The kernel's page cache: whether a file is in it, how to get it out or to the disk."""
import ctypes
import mmap
import os
import time

import machine
from process import wait_for

RESIDENT_MAX = 0.01
EVICT_SECONDS = 20
SETTLED_BYTES = 16 << 20
libc = ctypes.CDLL(None, use_errno=True)


def flush(directory):
    """Waits until the files of a directory are on the disk."""
    for folder, _, names in os.walk(directory):
        for name in names:
            fd = os.open(os.path.join(folder, name), os.O_RDONLY)
            try:
                os.fsync(fd)
            finally:
                os.close(fd)


def unwritten_bytes():
    """What waits in memory to be written to any disk, or is on its way."""
    return sum(int(machine.read("/proc/meminfo", r"^%s:\s+(\d+)" % field)) * 1024
               for field in ("Dirty", "Writeback"))


def settle(seconds):
    """Gets all to the disk and waits until next to nothing is left to be written. Somebody else may
    write all the while: after so many seconds it goes on as it is."""
    os.sync()
    limit = time.monotonic() + seconds
    while time.monotonic() < limit and unwritten_bytes() > SETTLED_BYTES:
        time.sleep(0.05)


def resident(path):
    """Which part of the file is in memory, 0 to 1."""
    size = os.path.getsize(path)
    pages = (size + mmap.PAGESIZE - 1) // mmap.PAGESIZE
    found = (ctypes.c_ubyte * pages)()
    with open(path, "rb") as file, mmap.mmap(file.fileno(), size, access=mmap.ACCESS_COPY) as view:
        first = ctypes.c_char.from_buffer(view)
        error = libc.mincore(ctypes.c_void_p(ctypes.addressof(first)), ctypes.c_size_t(size), found)
        del first  # or the mapping could not be closed
        if error != 0:
            raise OSError(ctypes.get_errno(), "mincore")
    return sum(value & 1 for value in bytes(found)) / pages


def drop(path):
    """Asks the kernel to forget the file; answers which part of it is still in memory."""
    fd = os.open(path, os.O_RDONLY)
    try:
        os.fsync(fd)
        os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
    finally:
        os.close(fd)
    left = resident(path)
    if left > RESIDENT_MAX and os.geteuid() == 0:
        os.sync()
        with open("/proc/sys/vm/drop_caches", "w") as file:
            file.write("1\n")
        left = resident(path)
    return left


def evict(path):
    """
    Gets the file out of memory. Asking for this one file is enough where nobody maps it, and does
    no harm to others; only if it did not help, and we may, the whole cache is dropped. Asked again
    for a while, as reads that were begun before may still bring pages in.
    """
    wait_for(lambda: drop(path) <= RESIDENT_MAX, "%s to leave the memory, so that reads are cold; "
             "--directory must be on a disk" % path, EVICT_SECONDS)
