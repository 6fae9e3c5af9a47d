"""fio, as the measure of what the disk itself can do."""
import json

import process
from wire import Failure

GRACE_SECONDS = 120


def fio(arguments, seconds):
    out = process.run(["fio", "--name=bench", "--output-format=json", "--ioengine=psync",
                       "--thread", "--group_reporting"] + arguments, seconds).decode()
    try:
        return json.loads(out[out.index("{"):])["jobs"][0]
    except (ValueError, KeyError, IndexError) as error:
        raise Failure("fio did not report:\n" + out) from error


def latencies(part):
    """Of a call, in microseconds."""
    steps = part["clat_ns"]["percentile"]
    figures = {name: steps[key] / 1000 for name, key in (
        ("p50_us", "50.000000"), ("p99_us", "99.000000"), ("p999_us", "99.900000"))}
    figures["max_us"] = part["clat_ns"]["max"] / 1000
    return figures


def write(path, block_bytes, total_bytes):
    """One writer, from the beginning to the end, through the page cache, without a sync."""
    job = fio(["--filename=" + path, "--rw=write", "--bs=%d" % block_bytes, "--fallocate=none",
               "--size=%d" % total_bytes, "--refill_buffers=0"], 3600)
    return {"seconds": job["write"]["runtime"] / 1000, "bytes": job["write"]["io_bytes"],
            **latencies(job["write"])}


def random_read(path, block_bytes, total_bytes, threads, seconds):
    """So many threads, each with one read under way, in a part of the file that is its own."""
    part = total_bytes // threads // block_bytes * block_bytes
    job = fio(["--filename=" + path, "--readonly", "--rw=randread", "--bs=%d" % block_bytes,
               "--size=%d" % part, "--offset_increment=%d" % part, "--numjobs=%d" % threads,
               "--runtime=%d" % seconds, "--invalidate=1"], seconds + GRACE_SECONDS)
    return {"per_second": job["read"]["iops"], **latencies(job["read"])}
