"""Users for converse(): what the README's curl lines do, and what the workloads do, checked."""
import json

import ledger as protocol
from wire import expect

FIRST, SECOND = b"some text", b"some other data in same identifier"


def example_user(ledger, number, rounds, rng, ids):
    """
    The README's lines, over and over: append, append, get, getMulti of the second, the first and
    the second, an append with storagePrefix, close, and an offset where nothing starts. Ids are
    shared by users, so most replies depend on what the others did; the prefix is the user's own.
    """
    mine = "mine%d" % number
    for turn in range(rounds):
        id = "some_identifier%d" % rng.randrange(ids)
        mark = b" %d.%d" % (number, turn)
        first, second = FIRST + mark, SECOND + mark + b"!" * rng.randrange(200)
        request = protocol.append(id, first)
        first_at = ledger.appended(request, (yield request), None, id, first)
        request = protocol.append(id, second)
        second_at = ledger.appended(request, (yield request), None, id, second)
        request = protocol.get(id, second_at)
        ledger.got(request, (yield request), second)
        request = protocol.get_multi(id, [second_at, first_at, second_at])
        ledger.got_multi(request, (yield request), [second, first, second])
        request = protocol.append(id, b"kept apart" + mark, mine)
        apart_at = ledger.appended(request, (yield request), mine, id, b"kept apart" + mark,
                                   single_writer=True)
        if rng.randrange(4) == 0:
            request = protocol.close(mine)
            reply = yield request
            expect(reply.status == 200 and (ledger.root is None or
                                            reply.body == b'{"success":true}'), request, reply,
                   'expected 200 and {"success":true}')
        request = protocol.get(id, apart_at, mine)
        ledger.got(request, (yield request), b"kept apart" + mark)
        request = protocol.get(id, first_at + 7)
        reply = yield request
        line = "no record starts there: offset %d of %s\n" % (first_at + 7,
                                                              ledger.places[None, id])
        if ledger.root is None:  # others have words of their own
            expect(reply.status >= 400, request, reply, "expected an error")
        else:
            expect((reply.status, reply.body) == (404, line.encode()), request, reply,
                   "expected 404 and %r" % line)
        prefix, id, offset, value = rng.choice(ledger.entries)  # anybody's, from any time
        request = protocol.get(id, offset, prefix)
        ledger.got(request, (yield request), value)


def sized_user(ledger, number, rng, sizes, prefix):
    """Appends values of these sizes, of random bytes, and reads each back, twice."""
    id, offsets, values = "sized%d" % number, [], []
    for size in sizes:
        value = rng.randbytes(size)
        request = protocol.append(id, value, prefix)
        offsets.append(ledger.appended(request, (yield request), prefix, id, value,
                                       single_writer=True))
        values.append(value)
        request = protocol.get(id, offsets[-1], prefix)
        ledger.got(request, (yield request), value)
    request = protocol.get_multi(id, offsets, prefix)
    ledger.got_multi(request, (yield request), values)


def multi_user(ledger, number, rng, count, size, prefix):
    """A getMulti of so many offsets, in no order."""
    id, places = "multi%d" % number, []
    for _ in range(min(count, 200)):
        value = rng.randbytes(size)
        request = protocol.append(id, value, prefix)
        places.append((ledger.appended(request, (yield request), prefix, id, value), value))
    chosen = rng.choices(places, k=count)
    request = protocol.get_multi(id, [offset for offset, _ in chosen], prefix)
    ledger.got_multi(request, (yield request), [value for _, value in chosen])


def reading_user(ledger, entries):
    """Reads all of these once more."""
    for prefix, id, offset, value in entries:
        request = protocol.get(id, offset, prefix)
        ledger.got(request, (yield request), value)


def filling_user(found, id, values, prefix):
    """Appends these; found gets (id, offset) of each, in order. For what the timed runs read."""
    for value in values:
        request = protocol.append(id, value, prefix)
        reply = yield request
        expect(reply.status == 200, request, reply, "an append must be answered with 200")
        found.append((id, json.loads(reply.body)["offset"]))
