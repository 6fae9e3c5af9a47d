"""Reads that find nothing in the page cache, beside fio's random reads of the same file."""
import os
import random
import shutil

import fio
import generator
import ledger as protocol
import pages
import records
import speed
from plan import progress
from servers import Rochefort

RECORD_BYTES = 4096  # header and value together: one page
REQUESTS_MAX = 200000


def numbered(count):
    """Values that are all different."""
    filler = random.Random(4).randbytes(RECORD_BYTES - records.HEADER.size - 8)
    for n in range(count):
        yield n.to_bytes(8, "little") + filler


def load(context, server, offsets, connections):
    """Each offset once, in no order."""
    rng = random.Random(connections)
    chosen = rng.sample(offsets, min(len(offsets), REQUESTS_MAX))
    lane = speed.Lane(server, context, "get", RECORD_BYTES,
                      [protocol.get("id", offset) for offset in chosen])
    # asking for the length of a reply has read one record; that is no harm
    result = generator.wrk(server.address, lane.path, connections, context.plan.cold_seconds)
    generator.check_bytes(result, lane.reply_bytes, connections, lane.first)
    lane.done()
    result["again"] = result["requests"] > len(chosen)
    return result


def run(context):
    directory, rows, again = context.fresh("cold"), [], False
    count = min(context.plan.cold_bytes, context.bytes) // RECORD_BYTES
    root = os.path.join(directory, "root")
    progress("read: making a file of %d records" % count)
    offsets = records.write_bucket(root, "default", 0, numbered(count))
    path = os.path.join(root, "default", "append.0.raw")
    server = Rochefort(context.rochefort, directory, "-buckets", "1")
    try:
        for connections in context.plan.cold_connections:
            progress("read: %d at a time, rochefort" % connections)
            pages.evict(path)
            row = load(context, server, offsets, connections)
            again = again or row.pop("again")
            rows.append(dict(row, server="rochefort", connections=connections))
            progress("read: %d at a time, fio" % connections)
            pages.evict(path)
            row = fio.random_read(path, RECORD_BYTES, count * RECORD_BYTES, connections,
                                  context.plan.cold_seconds)
            rows.append(dict(row, server="fio", connections=connections))
    finally:
        server.stop()
        shutil.rmtree(directory, ignore_errors=True)
    note = "%d records of %d B in one file, one disk thread; fio: as many threads as reads" % (
        count, RECORD_BYTES)
    if again:
        note += "; THE FILE WAS READ MORE THAN ONCE, so some of it was warm"
    return {"rows": rows, "note": note}
