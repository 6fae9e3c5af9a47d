"""A disk that remembers the order of all that was written to it.

Recorder is a FUSE file system of one file, the disk's image, in a process of its own: a loop device
on that file hands it each write and each flush, in order. From the record the states can be built
that a power cut can leave: a disk may have kept, or lost, each write that no flush came after.

Speaks FUSE's protocol, version 7.31, as in linux/fuse.h.
"""
import ctypes
import errno
import os
import shutil
import signal
import stat
import struct
import subprocess

LIBC = ctypes.CDLL(None, use_errno=True)
CLONE_NEWNS = 0x20000
MS_REC, MS_PRIVATE = 0x4000, 0x40000

NAME = "disk"
ROOT_NODE, DISK_NODE = 1, 2
IN_HEADER = struct.Struct("<IIQQIIIHH")  # length, opcode, unique, node, uid, gid, pid
OUT_HEADER = struct.Struct("<IiQ")  # length, -errno, unique
WRITE_IN = struct.Struct("<QQIIQII")  # handle, offset, bytes, flags...; that of a read is the same
INIT_IN = struct.Struct("<IIII")  # major, minor, max_readahead, flags
INIT_OUT = struct.Struct("<IIIIHHIIHHII24x")
ENTRY_OUT = struct.Struct("<QQQQII")
ATTR_OUT = struct.Struct("<QII")
ATTR = struct.Struct("<QQQQQQIIIIIIIIII")
OPEN_OUT = struct.Struct("<QII")
STATFS_OUT = struct.Struct("<QQQQQIIII24x")
LOOKUP, FORGET, GETATTR, SETATTR, OPEN, READ, WRITE, STATFS, RELEASE = 1, 2, 3, 4, 14, 15, 16, 17, 18
FSYNC, FLUSH, INIT, INTERRUPT, DESTROY, BATCH_FORGET = 20, 25, 26, 36, 38, 42
BIG_WRITES, MAX_PAGES, DIRECT_IO = 1 << 5, 1 << 22, 1
WRITE_BYTES_MAX = 1 << 20
FOREVER_S = 1 << 20

EVENT = struct.Struct("<QQ")  # offset and bytes of a write, whose data follow; bytes 0: a flush


def check(result):
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def own_mounts():
    """What this process and its children mount from now on ends with them."""
    check(LIBC.unshare(CLONE_NEWNS))
    check(LIBC.mount(None, b"/", None, ctypes.c_ulong(MS_REC | MS_PRIVATE), None))


def copy(source, target):
    subprocess.run(["cp", "--sparse=always", "--reflink=auto", source, target], check=True)


class Recorder:
    """Use as a context manager; `path` is the file for the loop device. `image` is what the disk
    holds at first, and is left as it is."""

    def __init__(self, image, directory):
        self.image = image
        self.now = os.path.join(directory, "now")
        self.log = os.path.join(directory, "record")
        self.mount_point = os.path.join(directory, "fuse")
        self.path = os.path.join(self.mount_point, NAME)

    def __enter__(self):
        os.mkdir(self.mount_point)
        copy(self.image, self.now)
        open(self.log, "w").close()
        fuse = os.open("/dev/fuse", os.O_RDWR | os.O_CLOEXEC)
        options = "fd=%d,rootmode=40000,user_id=0,group_id=0" % fuse
        try:
            check(LIBC.mount(b"recorder", self.mount_point.encode(), b"fuse", ctypes.c_ulong(0),
                             options.encode()))
            self.process = os.fork()
        except OSError:
            os.close(fuse)
            raise
        if self.process == 0:
            try:
                Server(fuse, self.now, self.log).run()
            finally:
                os._exit(1)
        os.close(fuse)
        return self

    def __exit__(self, *arguments):
        subprocess.run(["umount", "--lazy", self.mount_point], check=False)
        os.kill(self.process, signal.SIGKILL)
        os.waitpid(self.process, 0)
        shutil.rmtree(self.mount_point, ignore_errors=True)
        os.unlink(self.now)

    def position(self):
        """In the record: all that was written by now is before it."""
        return os.path.getsize(self.log)

    def events(self):
        """[(position of its end, offset, data or None for a flush)]"""
        events = []
        with open(self.log, "rb") as file:
            while True:
                header = file.read(EVENT.size)
                if len(header) < EVENT.size:
                    return events
                offset, size = EVENT.unpack(header)
                data = file.read(size) if size else None
                events.append((file.tell(), offset, data))


class Server:
    def __init__(self, fuse, now, log):
        self.fuse = fuse
        self.disk = os.open(now, os.O_RDWR)
        self.log = os.open(log, os.O_WRONLY | os.O_APPEND)
        self.bytes = os.fstat(self.disk).st_size

    def run(self):
        while True:
            try:
                request = os.read(self.fuse, WRITE_BYTES_MAX + 4096)
            except OSError as error:
                if error.errno in (errno.EINTR, errno.ENOENT):  # the request was taken back
                    continue
                return  # unmounted
            _, opcode, unique, node = IN_HEADER.unpack_from(request)[:4]
            reply = self.answer(opcode, node, request[IN_HEADER.size:])
            if reply is None:
                continue
            number, body = (reply, b"") if isinstance(reply, int) else (0, reply)
            os.write(self.fuse, OUT_HEADER.pack(OUT_HEADER.size + len(body), -number, unique) + body)

    def attributes(self, node):
        directory = node == ROOT_NODE
        mode = stat.S_IFDIR | 0o700 if directory else stat.S_IFREG | 0o600
        size = 0 if directory else self.bytes
        return ATTR.pack(node, size, size // 512, 0, 0, 0, 0, 0, 0, mode, 1, 0, 0, 0, 4096, 0)

    def answer(self, opcode, node, body):
        """The body of the reply, an errno, or None: there is no reply."""
        if opcode in (FORGET, BATCH_FORGET, INTERRUPT, DESTROY):
            return None
        if opcode == INIT:
            _, _, readahead, flags = INIT_IN.unpack_from(body)
            return INIT_OUT.pack(7, 31, readahead, flags & (BIG_WRITES | MAX_PAGES), 16, 12,
                                 WRITE_BYTES_MAX, 1, WRITE_BYTES_MAX // 4096, 0, 0, 0)
        if opcode == LOOKUP:
            if body != NAME.encode() + b"\0":
                return errno.ENOENT
            return ENTRY_OUT.pack(DISK_NODE, 0, FOREVER_S, FOREVER_S, 0, 0) + self.attributes(
                DISK_NODE)
        if opcode in (GETATTR, SETATTR):
            return ATTR_OUT.pack(FOREVER_S, 0, 0) + self.attributes(node)
        if opcode == OPEN:
            return OPEN_OUT.pack(0, DIRECT_IO, 0)
        if opcode == STATFS:
            return STATFS_OUT.pack(0, 0, 0, 2, 0, 4096, 255, 4096, 0)
        if opcode in (READ, WRITE):
            _, offset, size = WRITE_IN.unpack_from(body)[:3]
            if opcode == READ:
                return os.pread(self.disk, size, offset)
            data = body[WRITE_IN.size:WRITE_IN.size + size]
            os.pwrite(self.disk, data, offset)
            os.write(self.log, EVENT.pack(offset, size) + data)
            return struct.pack("<II", size, 0)
        if opcode == FSYNC:
            os.write(self.log, EVENT.pack(0, 0))
            return b""
        return b"" if opcode in (RELEASE, FLUSH) else errno.ENOSYS


def build(image, events, target):
    """The image with these writes, in order."""
    copy(image, target)
    fd = os.open(target, os.O_WRONLY)
    try:
        for _, offset, data in events:
            if data is not None:
                os.pwrite(fd, data, offset)
    finally:
        os.close(fd)


def split(events, position):
    """What was written before that position: what is surely on the disk; what may be."""
    sure, pending = [], []
    for event in events:
        if event[0] > position:
            break
        pending.append(event)
        if event[2] is None:
            sure += pending
            pending = []
    return sure, pending
