"""How load, failures and closes add up over many nodes: the simulation of src/deploy/SCALE.md.

Ids are spread by the hash of -slots and the map of even shares; nodes fail independently, as often and
for as long as ASSUMED says, over so many years that the averages stand. The same seed gives the same table.
"""
import heapq
import random

import slots

SEED = 1
SLOTS = 4096
NODES = (3, 10, 100)
IDS = 20000
# Not measured: put your own here. A node's machine fails so often, and is gone for so long: its process
# alone (systemd's RestartSec of 2 s), with a standby on a replicated root, or until it is repaired.
ASSUMED = {"failures a year": 4, "seconds": {"restart": 2, "standby": 10, "repair": 4 * 3600}}
YEAR = 365.25 * 86400
YEARS = 1000
# Measured, see SCALE.md: appends a second of a node, and through HAProxy, all on 2 cores; seconds of close-all.sh a node.
MEASURED = {"node": 68400, "proxy": 21500, "close": 0.0143}


def loads(nodes, skew):
    """The share of each node in the requests, if the id of rank r gets r ** -skew of them."""
    node_of = [number for number in range(nodes) for _ in range(
        slots.share(number, nodes, SLOTS)[1] - slots.share(number, nodes, SLOTS)[0] + 1)]
    weights = [rank ** -skew for rank in range(1, IDS + 1)]
    load = [0.0] * nodes
    for number, weight in enumerate(weights):
        load[node_of[slots.slot_of("id %d" % number, SLOTS)]] += weight
    return [one / sum(weights) for one in load]


def busiest(nodes, skew):
    """The load of the busiest node over the mean."""
    return max(loads(nodes, skew)) * nodes


def failures(nodes, a_year, seconds, years=YEARS):
    """(seconds a year in which some node is down, those in which an id is, those with two nodes down)"""
    rng, end = random.Random(SEED), years * YEAR
    mean = YEAR / a_year
    queue = [(rng.expovariate(1 / mean), True) for _ in range(nodes)]
    heapq.heapify(queue)
    some = two = of_nodes = last = 0.0
    down = 0
    while queue[0][0] < end:
        now, fails = heapq.heappop(queue)
        some += (now - last) * (down > 0)
        two += (now - last) * (down > 1)
        of_nodes += (now - last) * down
        last = now
        down += 1 if fails else -1
        heapq.heappush(queue, (now + (seconds if fails else rng.expovariate(1 / mean)), not fails))
    return some / years, of_nodes / nodes / years, two / years


def moved(nodes):
    """Of what is stored, the share that one more node takes from the others, if all ids were spread anew
    by even shares of the slots; a ring moves 1 / (nodes + 1)."""
    def node(slot, count):
        return next(n for n in range(count) if slot <= slots.share(n, count, SLOTS)[1])
    return sum(node(slot, nodes) != node(slot, nodes + 1) for slot in range(SLOTS)) / SLOTS


def duration(seconds):
    for unit, length in (("h", 3600), ("min", 60)):
        if seconds >= length:
            return "%.1f %s" % (seconds / length, unit)
    return "%.1f s" % seconds


def table():
    rows = [["", *("%d nodes" % nodes for nodes in NODES)]]

    def row(name, value):
        rows.append([name, *(value(nodes) for nodes in NODES)])
    row("slots of a node", lambda n: "%d or %d" % (SLOTS // n, SLOTS // n + 1))
    row("busiest node over the mean, all ids alike", lambda n: "%.2f" % busiest(n, 0))
    row("the same, id of rank r asked 1/r as often", lambda n: "%.2f" % busiest(n, 1))
    row("appends/s, all ids alike", lambda n: "%.0fk" % (
        n * MEASURED["node"] / busiest(n, 0) / 1000))
    row("appends/s, 1/r", lambda n: "%.0fk" % (n * MEASURED["node"] / busiest(n, 1) / 1000))
    row("machines of 2 cores with HAProxy for that, at most", lambda n: "%.0f" % (
        n * MEASURED["node"] / busiest(n, 0) / MEASURED["proxy"] + 0.5))
    row("failures a year", lambda n: "%d" % (n * ASSUMED["failures a year"]))
    for how, seconds in ASSUMED["seconds"].items():
        figures = {n: failures(n, ASSUMED["failures a year"], seconds) for n in NODES}
        row("%s (%s): an id is down in a year" % (how, duration(seconds)),
            lambda n: duration(figures[n][1]))
        row("%s: some node is down" % how, lambda n: duration(figures[n][0]))
        row("%s: two nodes at once" % how, lambda n: duration(figures[n][2]))
    row("close-all.sh", lambda n: duration(n * MEASURED["close"]))
    row("moved by one more node: as in haproxy/README.md", lambda n: "0 %")
    row("if a ring did it", lambda n: "%.1f %%" % (100 / (n + 1)))
    row("if the slots were cut anew", lambda n: "%.1f %%" % (100 * moved(n)))
    return ["| %s |" % " | ".join(cells) for cells in rows[:1]] + ["|---|" + "--:|" * len(NODES)] + [
        "| %s |" % " | ".join(cells) for cells in rows[1:]]


if __name__ == "__main__":
    print("\n".join(table()))
