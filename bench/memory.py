"""Memory: what an idle connection takes, and what the server takes when all of them are busy."""
import socket

import figures
import ledger as protocol
import peers
import speed
import usage
import users
from plan import SMALL, progress
from process import Failure
from servers import Rochefort, Speaker
from wire import Parser, converse

FIRST = 50  # the first connections pay for what is made once
BUSY_CONNECTIONS = 256
SPARE_DESCRIPTORS = 64
SECONDS = 20


def connect(address, request, sockets, count):
    """That many more connections, each with one request served, and kept open."""
    data = request.render("%s:%d" % address)
    for _ in range(count):
        sock = socket.create_connection(address, SECONDS)
        sockets.append(sock)
        sock.sendall(data)
        parser, reply = Parser(), None
        while reply is None:
            part = sock.recv(1 << 16)
            if not part:
                raise Failure("a reply is lost\n  request: %s" % request)
            reply = parser.feed(part)
        if reply.status != 200:
            raise Failure("wrong reply: %s\n  request: %s" % (reply, request))


def small_request(contestant):
    """A get. What it gets is appended on one connection: more would leave room for the others."""
    if not isinstance(contestant, Speaker):
        return contestant.requests("get", SMALL)[0]
    found = []
    converse(contestant.address, [users.filling_user(found, "id", [bytes(SMALL)], "idle")])
    return protocol.get("id", found[0][1], "idle")


def idle(contestant, count):
    """Bytes of resident memory that each connection adds."""
    request, sockets = small_request(contestant), []
    try:
        connect(contestant.address, request, sockets, FIRST)
        before = usage.rss_bytes(contestant.pid)
        connect(contestant.address, request, sockets, count)
        after = usage.rss_bytes(contestant.pid)
    finally:
        for sock in sockets:
            sock.close()
    return {"bytes_per_connection": (after - before) / count, "rss_bytes": after}


def starters(context):
    """Each starts one whom we ask for idle connections, in a directory."""
    return {"rochefort": lambda directory: Rochefort(context.rochefort, directory),
            "evhttp, our sockets": lambda directory: peers.Ceiling(context.ceiling, directory,
                                                                   "own"),
            "evhttp alone": lambda directory: peers.Ceiling(context.ceiling, directory, "plain"),
            "nginx": lambda directory: peers.NginxFile(peers.Nginx(directory))}


def idle_rows(context):
    count = min(context.plan.memory_connections, context.descriptors - SPARE_DESCRIPTORS - FIRST)
    rounds = {name: [] for name in starters(context)}

    def run(item, what):
        name, start = item
        progress("memory: %d idle connections, %s: %s" % (count, what, name))
        contestant = start(context.fresh("idle"))
        try:
            rounds[name].append(idle(contestant, count))
        finally:
            contestant.stop()
    context.rounds(list(starters(context).items()), run)
    return [{"server": name, "connections": count, **figures.summarise(found), "rounds": found}
            for name, found in rounds.items()]


def busy_rows(context):
    """A fresh server each time, so that none has memory left from before."""
    lanes = [("mixed", SMALL)] + [(kind, size) for size in context.plan.memory_sizes
                                  for kind in ("append", "get") if size > SMALL]
    rounds = {lane: [] for lane in lanes}

    def run(lane, what):
        kind, size = lane
        progress("memory: %s %d, %d connections, %s" % (kind, size, BUSY_CONNECTIONS, what))
        server = Rochefort(context.rochefort, context.fresh("busy"))
        try:
            loaded = speed.Lane(server, context, kind, size, server.requests(kind, size))
            result = loaded.run(BUSY_CONNECTIONS,
                                context.plan.seconds_of(kind, size, BUSY_CONNECTIONS))
            loaded.done()
        finally:
            server.stop()
        rounds[lane].append({"peak_rss_bytes": result["peak_rss_bytes"]})
    context.rounds(lanes, run)
    return [{"server": "rochefort", "workload": kind, "size": size,
             "connections": BUSY_CONNECTIONS, **figures.summarise(rounds[kind, size]),
             "rounds": rounds[kind, size]} for kind, size in lanes]


def run(context):
    return {"idle": idle_rows(context), "busy": busy_rows(context)}
