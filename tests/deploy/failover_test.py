"""A node is killed under load and started again, behind the configurations of src/deploy and behind
those that are the usual recipe and wrong here.

Sixteen clients append and read. Whatever is in front: no value is on a node that does not have its id,
every append that was answered is there, and each get that was answered with 200 is right. Behind the
right configurations only the ids of the node fail, and what was refused is not stored. ROCHEFORT_THOROUGH=1 makes the load last longer.
"""
import collections
import contextlib
import http.client
import json
import os
import random
import threading
import unittest

import cluster
import harness
import suite

CLIENTS = 16
IDS = ["id %d" % number for number in range(200)]
KILLED = 1
# So many answers are waited for: before the kill, with the node gone, and after it is back.
ANSWERS = 10000 if os.environ.get("ROCHEFORT_THOROUGH") == "1" else 1000
BROKEN = (OSError, http.client.HTTPException)

# HAProxy as it is usually set up: a ring, checks, and another node for what fails.
RING = """
global
    maxconn 4096
defaults
    mode http
    timeout connect 1s
    timeout client 60s
    timeout server 60s
    %(retries)s
frontend rochefort
    bind :8080
    default_backend ring
backend ring
    balance url_param id
    hash-type consistent djb2 avalanche
    option httpchk GET /readyz
    default-server check inter 100ms fall 1 rise 1
    server node1 10.0.0.1:8000
    server node2 10.0.0.2:8000
    server node3 10.0.0.3:8000
"""
NGINX_RING = """
user www-data;
pid /run/nginx.pid;
events { worker_connections 4096; }
http {
    access_log off;
    upstream ring {
        hash $arg_id consistent;
        server 10.0.0.1:8000; server 10.0.0.2:8000; server 10.0.0.3:8000;
    }
    server {
        listen 8080;
        location / { proxy_pass http://ring; }
    }
}
"""


class Wrong(cluster.HAProxy):
    retries = "retries 0"
    paths = {}

    def configuration(self):
        return RING % {"retries": self.retries}


class WrongRedispatch(Wrong):
    retries = "retries 3\n    option redispatch 1\n    retry-on all-retryable-errors"


def with_backups(text):
    """Ours, made worse: each node stands in for the others."""
    text = cluster.replace(text, {"retries 0": WrongRedispatch.retries})
    for number in (1, 2, 3):
        backups = "".join("    server other%d 10.0.0.%d:8000 backup\n" % (other, other)
                          for other in (1, 2, 3) if other != number)
        line = "    server node%d 10.0.0.%d:8000\n" % (number, number)
        text = cluster.replace(text, {line: line + backups})
    return text


class WrongNginx(cluster.Nginx):
    def command(self):
        path = self.write("slots.conf", self.configure(NGINX_RING))
        return [cluster.proxies.find("nginx"), "-c", path, "-p", self.directory, "-e", "stderr"]


class Load:
    """What the clients have sent and got. Each counter and list has one writer."""

    def __init__(self, port):
        self.port = port
        self.ended = threading.Event()
        self.counts = [collections.Counter() for _ in range(CLIENTS)]  # of answers: status, 0 for none
        self.sent = [{} for _ in range(CLIENTS)]  # value: id
        self.answered = [[] for _ in range(CLIENTS)]  # (id, offset, value)
        self.refused = [set() for _ in range(CLIENTS)]  # values
        self.failed = [set() for _ in range(CLIENTS)]  # (status, id)
        self.wrong = []
        self.threads = [threading.Thread(target=self.run, args=(number,))
                        for number in range(CLIENTS)]

    def get(self, client, entry):
        id, offset, value = entry
        status, _, body = client.request("GET", "/get", id=id, offset=offset)
        if status == 404 or (status == 200 and body != value):
            self.wrong.append((entry, status, body))
        return status

    def append(self, client, number, id, value):
        self.sent[number][value] = id
        status, _, body = client.request("POST", "/append", value, id=id)
        if status == 200:
            self.answered[number].append((id, json.loads(body)["offset"], value))
        elif status in (421, 503):
            self.refused[number].add(value)
        return status

    def run(self, number):
        rng = random.Random(number)
        client, mine = harness.Client(self.port), self.answered[number]
        while not self.ended.is_set():
            entry = rng.choice(mine) if mine and rng.random() < 0.5 else None
            id = entry[0] if entry else rng.choice(IDS)
            try:
                if entry:
                    status = self.get(client, entry)
                else:
                    status = self.append(client, number, id, b"%d of client %d" % (
                        len(self.sent[number]), number))
            except BROKEN:
                status = 0
                client.hang_up()
            self.counts[number][status] += 1
            if status != 200:
                self.failed[number].add((status, id))
        client.hang_up()

    def total(self):
        return sum(sum(list(counts.values())) for counts in self.counts)

    def count(self, status):
        return sum(counts[status] for counts in self.counts)

    def failures(self):
        """{status: ids}"""
        found = collections.defaultdict(set)
        for failed in self.failed:
            for status, id in failed:
                found[status].add(id)
        return found

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *arguments):
        self.ended.set()
        for thread in self.threads:
            thread.join()


class Failover(unittest.TestCase):
    def run_load(self, kind, until, flags=None, **options):
        """`until`: what must have been seen before the node is started again."""
        reason = cluster.reason_to_skip(kind)
        if reason:
            self.skipTest(reason)
        flags = flags or [("-slots", share) for share in
                          cluster.flags_of(cluster.deployed("haproxy/haproxy.cfg"))]
        self.cluster = self.enterContext(cluster.Cluster(kind, flags, **options))
        with Load(self.cluster.proxy.port) as load:
            harness.wait_for(lambda: load.count(200) > ANSWERS, "answers")
            self.cluster.nodes[KILLED].kill()
            seen = load.total()
            harness.wait_for(lambda: load.total() > seen + ANSWERS and until(load),
                             "answers without a node")
            self.cluster.nodes[KILLED].start()
            good = load.count(200)
            harness.wait_for(lambda: load.count(200) > good + ANSWERS, "answers with all nodes")
        return load

    def check_values(self, load):
        """Everything that is stored is where it belongs, and what was answered is stored. Returns how
        often each value is."""
        self.assertEqual([], load.wrong)
        sent = {value: id for values in load.sent for value, id in values.items()}
        found = collections.Counter()
        for number, values in enumerate(self.cluster.values()):
            found.update(values)
            for value in values:
                self.assertEqual(self.cluster.owner(sent[value]), number, value)
        with contextlib.ExitStack() as stack:
            clients = [stack.enter_context(node.client()) for node in self.cluster.nodes]
            for id, offset, value in (entry for entries in load.answered for entry in entries):
                self.assertEqual(value, clients[self.cluster.owner(id)].get(id, offset))
        return found

    def check_right(self, kind, statuses):
        load = self.run_load(kind, lambda load: load.count(statuses[0]) > 0)
        found = self.check_values(load)
        self.assertEqual({1}, set(found.values()))
        for refused in load.refused:
            self.assertEqual(set(), refused & set(found))
        failures = load.failures()
        self.assertLessEqual(set(failures), {0, *statuses})
        for status, ids in failures.items():
            self.assertEqual({KILLED}, {self.cluster.owner(id) for id in ids}, (status, ids))

    def check_loud(self, kind, **options):
        load = self.run_load(kind, lambda load: load.count(421) > 0, **options)
        self.check_values(load)
        self.assertLessEqual(set(load.failures()), {0, 421, 502, 503, 504})

    def test_haproxy(self):
        self.check_right(cluster.HAProxy, (503, 502))

    def test_nginx(self):
        self.check_right(cluster.Nginx, (502,))

    def test_a_ring_of_haproxy_gets_421(self):
        self.check_loud(Wrong)

    def test_a_ring_that_tries_others_gets_421(self):
        self.check_loud(WrongRedispatch)

    def test_nodes_that_stand_in_for_others_get_421(self):
        self.check_loud(cluster.HAProxy, edit=with_backups)

    def test_a_ring_of_nginx_gets_421(self):
        self.check_loud(WrongNginx)

    def test_without_slots_a_ring_spreads_ids_over_nodes(self):
        """That is what is prevented above."""
        load = self.run_load(Wrong, lambda load: load.wrong, [()] * 3)
        sent = {value: id for values in load.sent for value, id in values.items()}
        places = collections.defaultdict(set)
        for number, values in enumerate(self.cluster.values()):
            for value in values:
                places[sent[value]].add(number)
        self.assertIn(2, {len(nodes) for nodes in places.values()})


if __name__ == "__main__":
    suite.main()
