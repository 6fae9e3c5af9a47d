"""On what machine, kernel and commit the figures were taken."""
import datetime
import os
import platform
import re
import resource
import subprocess

import programs

HERE = os.path.dirname(os.path.abspath(__file__))
DESCRIPTORS = 20000


def first_line(command, good=(0,)):
    """What a program says about itself, or "" if it is not there or says no."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False,
                              stdin=subprocess.DEVNULL, cwd=HERE)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    lines = (done.stdout + done.stderr).strip().splitlines()
    return lines[0].strip() if lines and done.returncode in good else ""


def read(path, pattern):
    try:
        with open(path) as file:
            match = re.search(pattern, file.read(), re.M)
    except OSError:
        return ""
    return match.group(1).strip() if match else ""


def filesystem(directory):
    """The type of the file system that holds the directory."""
    best = ("", "unknown")
    with open("/proc/mounts") as file:
        for line in file:
            _, point, kind = line.split()[:3]
            inside = (os.path.realpath(directory) + "/").startswith(point.rstrip("/") + "/")
            if inside and len(point) >= len(best[0]):
                best = point, kind
    return best[1]


def describe(binary, directory):
    return {
        "date": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d %H:%M UTC"),
        "commit": first_line(["git", "describe", "--always", "--dirty", "--abbrev=12"])
        or "unknown",
        "version": first_line([binary, "-version"]),
        "cpu": read("/proc/cpuinfo", r"^model name\s*: (.*)$") or platform.machine(),
        "cores": os.cpu_count(),
        "memory_gib": round(int(read("/proc/meminfo", r"^MemTotal:\s+(\d+)")) / 2 ** 20, 1),
        "kernel": platform.release(),
        "filesystem": filesystem(directory),
        "load_before": os.getloadavg()[0],
        "programs": {
            "wrk": first_line(["wrk", "-v"], (0, 1)).split(" Copyright")[0],
            "nginx": first_line([programs.find("nginx"), "-v"]),
            "redis": first_line(["redis-server", "--version"]),
            "fio": first_line(["fio", "--version"]),
            "strace": first_line(["strace", "--version"]),
        },
    }


def dirty_limit_bytes():
    """How much may wait to be written before the kernel slows writers down; about."""
    fixed = int(read("/proc/sys/vm/dirty_bytes", r"(\d+)") or 0)
    ratio = int(read("/proc/sys/vm/dirty_ratio", r"(\d+)") or 20)
    available = int(read("/proc/meminfo", r"^MemAvailable:\s+(\d+)")) * 1024
    return fixed or available * ratio // 100


def raise_descriptor_limit():
    """For thousands of connections; answers what we may have now. Children inherit it."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = DESCRIPTORS if hard == resource.RLIM_INFINITY else min(hard, DESCRIPTORS)
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    return wanted
