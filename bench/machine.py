"""The machine: its description, its limits, and the kernel's page cache."""
import datetime
import os
import platform
import re
import resource
import subprocess

import programs
from process import wait_for

HERE = os.path.dirname(os.path.abspath(__file__))
DESCRIPTORS = 20000
RESIDENT_MAX = 0.01
EVICT_SECONDS = 20
SYNC_SECONDS = 900


def first_line(*command):
    """The first line that a program prints, or "" if it cannot be run."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False,
                              stdin=subprocess.DEVNULL, cwd=HERE)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return (done.stdout + done.stderr).strip().partition("\n")[0]


def read(path, pattern, default=""):
    with open(path) as file:
        match = re.search(pattern, file.read(), re.M)
    return match.group(1).strip() if match else default


def describe(binary, directory):
    return {
        "date": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d %H:%M UTC"),
        "commit": first_line("git", "describe", "--always", "--dirty", "--abbrev=12"),
        "version": first_line(binary, "-version"),
        "cpu": read("/proc/cpuinfo", r"^model name\s*: (.*)$", platform.machine()),
        "cores": os.cpu_count(),
        "memory_gib": round(int(read("/proc/meminfo", r"^MemTotal:\s+(\d+)")) / 2 ** 20, 1),
        "kernel": platform.release(),
        "filesystem": first_line("findmnt", "-n", "-o", "FSTYPE", "-T", directory),
        "load_before": os.getloadavg()[0],
        "programs": [first_line("wrk", "-v").split(" Copyright")[0],
                     first_line(programs.find("nginx"), "-v"),
                     first_line("redis-server", "--version"), first_line("fio", "--version"),
                     first_line("strace", "--version")],
    }


def raise_descriptor_limit():
    """For thousands of connections; returns the new limit, which children inherit."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = DESCRIPTORS if hard == resource.RLIM_INFINITY else min(hard, DESCRIPTORS)
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    return wanted


def resident(path):
    """Which part of the file is in memory, 0 to 1."""
    found = programs.run(["fincore", "-b", "-n", "-o", "RES", path], EVICT_SECONDS)
    return int(found) / os.path.getsize(path)


def drop(path):
    """Asks the kernel to drop the file's pages; returns which part of it is still in memory."""
    programs.run(["sync", path], SYNC_SECONDS)
    with open(path, "rb") as file:
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    left = resident(path)
    if left > RESIDENT_MAX and os.geteuid() == 0:
        os.sync()
        with open("/proc/sys/vm/drop_caches", "w") as file:
            file.write("1\n")
        left = resident(path)
    return left


def evict(path):
    """Drops the file from memory. Repeated, as reads that were begun before may still add pages."""
    wait_for(lambda: drop(path) <= RESIDENT_MAX, "%s to leave the memory, so that reads are cold; "
             "--directory must be on a disk" % path, EVICT_SECONDS)
