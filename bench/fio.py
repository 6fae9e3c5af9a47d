"""fio, as the measure of what the disk itself can do."""
import glob
import json

import programs
from process import Failure

GRACE_SECONDS = 120
WRITE_SECONDS = 3600


def fio(arguments, seconds):
    out = programs.run(["fio", "--name=bench", "--output-format=json", "--ioengine=psync",
                        "--thread", "--group_reporting"] + arguments, seconds).decode()
    try:
        return json.loads(out[out.index("{"):])["jobs"][0]
    except (ValueError, KeyError, IndexError) as error:
        raise Failure("fio did not report:\n" + out) from error


def write(path, block_bytes, total_bytes, log_path):
    """
    One writer, from the beginning to the end, through the page cache, without a sync. Answers the
    seconds and, of each block, (when it was written, how long that took), in microseconds.
    """
    job = fio(["--filename=" + path, "--rw=write", "--bs=%d" % block_bytes, "--fallocate=none",
               "--size=%d" % total_bytes, "--refill_buffers=0", "--write_lat_log=" + log_path],
              WRITE_SECONDS)
    log = []
    for name in glob.glob(log_path + "_clat.*.log"):
        with open(name) as file:
            for line in file:
                ms, ns = line.split(",")[:2]
                log.append((int(ms) * 1000, int(ns) // 1000))
    if len(log) * block_bytes != job["write"]["io_bytes"]:
        raise Failure("fio wrote %d bytes in %d blocks" % (job["write"]["io_bytes"], len(log)))
    return job["write"]["runtime"] / 1000, sorted(log)


def random_read(path, block_bytes, threads, seconds, size_bytes):
    """So many threads, each with one read under way, in a part of the file that is its own; each
    block is read at most once."""
    part = size_bytes // threads // block_bytes * block_bytes
    job = fio(["--filename=" + path, "--readonly", "--rw=randread", "--bs=%d" % block_bytes,
               "--size=%d" % part, "--offset_increment=%d" % part, "--numjobs=%d" % threads,
               "--runtime=%d" % seconds, "--invalidate=1"], seconds + GRACE_SECONDS)
    steps = job["read"]["clat_ns"]["percentile"]
    return {"per_second": job["read"]["iops"], "requests": job["read"]["total_ios"],
            **{name: steps[key] / 1000 for name, key in (
                ("p50_us", "50.000000"), ("p99_us", "99.000000"), ("p999_us", "99.900000"))}}
