"""A server that is up already: a mix of appends and gets of one size, timed by wrk.

What is appended stays there, in the prefixes "timed" and "fill...". Gets are compared byte for byte
before the runs.
"""
import protocol
import servers
from conversation import ask, expect
from speed import Case
from table import size_text, summarise

KINDS = ("append", "get", "getMulti")
SHARE_MAX = 1000
MULTI_OFFSETS = 100


def parse_mix(text):
    """get=9,append=1 as {kind: share}"""
    mix = {}
    for part in text.split(","):
        kind, _, share = part.partition("=")
        if kind not in KINDS or kind in mix or not share.isdigit() or not (
                0 < int(share) <= SHARE_MAX):
            raise ValueError("%r is not of the form KIND=SHARE[,KIND=SHARE], KIND one of %s" % (
                text, ", ".join(KINDS)))
        mix[kind] = int(share)
    return mix


def spread_evenly(mix):
    """The kinds in the order in which they are sent: each comes as evenly as its share allows."""
    total, owed, order = sum(mix.values()), dict.fromkeys(mix, 0), []
    for _ in range(total):
        for kind in mix:
            owed[kind] += mix[kind]
        chosen = max(owed, key=owed.get)
        owed[chosen] -= total
        order.append(chosen)
    return order


def workload(server, mix, size):
    kinds = {}
    for kind in mix:
        kinds[kind] = server.workload(kind, MULTI_OFFSETS if kind == "getMulti" else size,
                                      None).requests
    order = spread_evenly(mix)
    count = -(-max(map(len, kinds.values())) // len(order)) * len(order)
    at, requests = dict.fromkeys(kinds, 0), []
    for n in range(count):
        kind = order[n % len(order)]
        requests.append(kinds[kind][at[kind] % len(kinds[kind])])
        at[kind] += 1
    return servers.Workload("mix", size, requests)


def run(context, url, mix, size, numbers):
    server = servers.Speaker("--url", url)
    request = protocol.get("id", 0, "timed")
    reply = ask(server.address, request)
    expect(reply.status in (200, 404), request, reply, "this does not speak the protocol")
    case, rows = Case(server, context, workload(server, mix, size)), []
    what = "%s of %s" % (" and ".join("%d %s" % (share, kind) for kind, share in mix.items()),
                         size_text(size))
    for connections in numbers:
        context.rounds("%d connections" % connections, {server.name: connections},
                       lambda n: case.run(n, context.plan.seconds_of(size, n)))
        rounds = case.take_rounds()
        rows.append({"what": what, "connections": connections, **summarise(rounds),
                     "rounds": rounds})
    case.done()
    return rows
