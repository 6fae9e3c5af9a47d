"""What this machine lets a test do. A test that needs more is skipped with the reason.

Each probe does once what the tests do: a capability that is there may still be forbidden by a
container's filter of system calls.
"""
import errno
import functools
import os
import shutil
import socket
import subprocess
import tempfile
import unittest

MOUNT_TMPFS = ["mount", "-t", "tmpfs", "none", "/tmp"]
NAMESPACES = (["unshare", "--mount"], ["unshare", "--user", "--map-root-user", "--mount"])
IPV6, LOCALHOST = "::1", "localhost"


def _works(command):
    try:
        return subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True,
                              timeout=60).returncode == 0
    except FileNotFoundError:
        return False


@functools.cache
def mount_namespace():
    """The command that runs another one in a mount namespace of its own, or None."""
    return next((command for command in NAMESPACES if _works(command + MOUNT_TMPFS)), None)


@functools.cache
def can_bind(host):
    """Whether a socket can be bound to an address of that host."""
    try:
        infos = socket.getaddrinfo(host, 0, type=socket.SOCK_STREAM)
    except socket.gaierror:
        return False
    for family, kind, protocol, _, address in infos:
        try:
            with socket.socket(family, kind, protocol) as sock:
                sock.bind(address)
                return True
        except OSError:
            continue
    return False


@functools.cache
def has_extended_attributes():
    """Of the user, on the file system with the tests' directories."""
    with tempfile.TemporaryDirectory(prefix="rochefort-xattr-") as directory:
        try:
            os.setxattr(directory, "user.rochefort.test", b"x")
        except OSError as error:
            if error.errno not in (errno.EOPNOTSUPP, errno.EPERM):
                raise
            return False
    return True


@functools.cache
def has_reads_without_waiting():
    """RWF_NOWAIT, on the file system with the tests' directories; tmpfs has none."""
    with tempfile.TemporaryFile(prefix="rochefort-nowait-") as file:
        file.write(b"x")
        file.flush()
        try:
            os.preadv(file.fileno(), [bytearray(1)], 0, os.RWF_NOWAIT)
        except OSError as error:
            if error.errno not in (errno.EOPNOTSUPP, errno.EAGAIN):
                raise
            return error.errno == errno.EAGAIN
    return True


def _needs(have, reason):
    return unittest.skipUnless(have, "needs " + reason)


def needs_mounts(test):
    return _needs(mount_namespace(), "mount namespaces (CAP_SYS_ADMIN, or user namespaces)")(test)


def needs_ipv6(test):
    return _needs(can_bind(IPV6), "IPv6 on the loopback interface")(test)


def needs_localhost(test):
    return _needs(can_bind(LOCALHOST), "the name localhost, in /etc/hosts")(test)


def needs_extended_attributes(test):
    return _needs(has_extended_attributes(), "a file system with extended attributes")(test)


@functools.cache
def _why_no_gluster():
    """What is missing for lib/gluster.py, or None."""
    if os.geteuid() != 0:
        return "not root"
    for program in ("glusterd", "glusterfs", "gluster", "ip", "nsenter"):
        if shutil.which(program) is None:
            return "no " + program
    try:
        os.close(os.open("/dev/fuse", os.O_RDWR))
    except OSError as error:
        return "/dev/fuse: %s" % error.strerror
    name = "rc%d-probe" % os.getpid()
    if not _works(["ip", "netns", "add", name]):
        return "no network namespaces"
    try:
        if not _works(["ip", "-n", name, "link", "add", "probe", "type", "bridge"]):
            return "no bridges"
        mount = "mount -t tmpfs none /run && mount --bind /tmp /var/log/glusterfs"
        return None if _works(["ip", "netns", "exec", name, "unshare", "--mount", "sh", "-c",
                               mount]) else "no mount namespaces"
    finally:
        _works(["ip", "netns", "del", name])


def needs_gluster(test):
    return _needs(_why_no_gluster() is None, "a GlusterFS volume: %s" % _why_no_gluster())(test)


def needs_strace(test):
    return _needs(shutil.which("strace") and _works(["strace", "-o", "/dev/null", "true"]),
                  "strace, and leave to trace (CAP_SYS_PTRACE in some containers)")(test)


def needs_root(test):
    return _needs(os.getuid() == 0, "root, to become another user")(test)
