"""src/deploy/haproxy/README.md: a fourth node is added, by the steps and the very texts of that page.
Everything that was stored before is where it was, and what is stored then is under the new map."""
import os
import re
import unittest

import cluster
import harness
import records
import slots
import suite

PAGE = "haproxy/README.md"
IDS = ["id %d" % number for number in range(300)]
OLD_PREFIXES = (None, "old", "2026-12-31")
NEW = "2027-01-01"
SLOTS_LINE = re.compile(r"^.*map_int\(/etc/haproxy/slots\.map\).*\n", re.MULTILINE)


def blocks(kind):
    return [re.sub(r"^ {3}", "", text, flags=re.MULTILINE) for text in re.findall(
        r"^   ```%s\n(.*?)^   ```$" % kind, cluster.deployed(PAGE), re.MULTILINE | re.DOTALL)]


def new_flags():
    return re.findall(r"^ +rochefort -slots (\S+)$", cluster.deployed(PAGE), re.MULTILINE)


class Grown(cluster.HAProxy):
    """As the page says, with the files of the page."""

    def configuration(self):
        rules, backend = blocks("haproxy")
        text = super().configuration()
        assert len(SLOTS_LINE.findall(text)) == 1
        return SLOTS_LINE.sub(lambda _: rules, text) + "\n" + backend

    @property
    def paths(self):
        files = {"/etc/haproxy/slots.map": os.path.join(cluster.DEPLOY, "haproxy/slots.map")}
        for kind in ("map", "prefixes"):
            name = "four-nodes." + kind
            files["/etc/haproxy/" + name] = self.write(name, blocks(kind)[0])
        return files


class WrongMap(Grown):
    """An old prefix is taken for a new one."""

    @property
    def paths(self):
        return {**super().paths,
                "/etc/haproxy/four-nodes.prefixes": self.write("old.prefixes", "old\n")}


@unittest.skipIf(cluster.reason_to_skip(Grown), cluster.reason_to_skip(Grown))
class FourthNode(unittest.TestCase):
    def setUp(self):
        self.three = self.enterContext(cluster.Cluster())
        self.flags = new_flags()

    def append(self, client, id, prefix):
        return client.request("POST", "/append", self.value(id, prefix), id=id, storagePrefix=prefix)

    @staticmethod
    def value(id, prefix):
        return ("%s of %s" % (id, prefix)).encode()

    def fill(self, proxy, prefixes):
        """{(prefix, id): offset}"""
        with harness.Client(proxy.port) as client:
            return {(prefix, id): client.append(id, self.value(id, prefix), prefix)
                    for prefix in prefixes for id in IDS}

    def check(self, proxy, offsets):
        with harness.Client(proxy.port) as client:
            for (prefix, id), offset in offsets.items():
                self.assertEqual(self.value(id, prefix), client.get(id, offset, prefix))
            for prefix in {prefix for prefix, _ in offsets}:
                ids = [id for other, id in offsets if other == prefix]
                body = client.get_multi(ids[0], [offsets[prefix, ids[0]]] * 2, prefix)
                self.assertEqual(([self.value(ids[0], prefix)] * 2, None), harness.split_multi(body))

    def restart(self):
        """Step 2."""
        for node, flag in zip(self.nodes[:3], self.flags):
            node.stop()
            node.flags[node.flags.index("-slots") + 1] = flag
            node.start()
        for number in (1, 2, 3):  # the proxy may have found them down
            harness.wait_for(lambda number=number: self.is_up(number), "node %d to be up" % number)

    def is_up(self, number):
        with self.three.client() as client:
            return client.request("GET", "/node%d/healthz" % number)[0] == 200

    def grow(self):
        self.nodes = [*self.three.nodes, self.enterContext(
            harness.Server("-buckets", "4", "-slots", self.flags[3]))]
        self.restart()

    def places(self, prefix):
        """{value: nodes}"""
        found = {}
        for number, node in enumerate(self.nodes):
            if os.path.exists(os.path.join(node.root, prefix)):
                for file in records.decode_prefix(node.root, prefix).values():
                    for _, value in file.values():
                        found.setdefault(value, []).append(number)
        return found

    def test_old_and_new_prefixes(self):
        offsets = self.fill(self.three.proxy, OLD_PREFIXES)
        before = [set(os.listdir(node.root)) for node in self.three.nodes]
        self.grow()
        self.check(self.three.proxy, offsets)  # with the map alone that was there
        offsets.update(self.fill(self.three.proxy, OLD_PREFIXES))
        proxy = self.enterContext(Grown([node.port for node in self.nodes]))
        self.check(proxy, offsets)
        offsets.update(self.fill(proxy, (*OLD_PREFIXES, NEW, "2027-")))
        self.check(proxy, offsets)
        for prefix in OLD_PREFIXES:
            places = self.places(prefix or "default")
            self.assertEqual({self.value(id, prefix): [self.three.owner(id)] * 3 for id in IDS}, places)
        for prefix in (NEW, "2027-"):
            self.assertEqual({self.value(id, prefix): [slots.slot_of(id, 4096) // 1024] for id in IDS},
                             self.places(prefix))
        for names, node in zip(before, self.nodes):
            self.assertEqual(names | {NEW, "2027-"}, set(os.listdir(node.root)))
        for number, (node, flag) in enumerate(zip(self.nodes, self.flags)):
            with open(os.path.join(node.root, NEW, "MANIFEST"), encoding="utf-8") as file:
                self.assertTrue(file.read().endswith("\nslots %s\n" % flag))
            with harness.Client(proxy.port) as client:
                for path in ("/close", "/ends"):
                    status, _, body = client.request("GET", "/node%d%s" % (number + 1, path),
                                                     storagePrefix=NEW)
                    self.assertEqual(200, status, body)

    def test_a_new_prefix_before_the_new_map(self):
        """Between steps 2 and 3: an id is stored where it belongs under the new map, or gets 421."""
        self.grow()
        with self.three.client() as client:
            statuses = {id: self.append(client, id, NEW)[0] for id in IDS}
        self.assertEqual({200, 421}, set(statuses.values()))
        good = {id for id, status in statuses.items() if status == 200}
        expected = {self.value(id, NEW): [slots.slot_of(id, 4096) // 1024] for id in good}
        self.assertEqual(expected, self.places(NEW))
        proxy = self.enterContext(Grown([node.port for node in self.nodes]))
        self.check(proxy, self.fill(proxy, (NEW,)))

    def test_a_wrong_map_for_old_prefixes(self):
        """At the nodes that have the prefix it is 421, and nothing is stored."""
        self.fill(self.three.proxy, ("old",))
        self.grow()
        before = self.places("old")
        proxy = self.enterContext(WrongMap([node.port for node in self.nodes]))
        with harness.Client(proxy.port) as client:
            for id in IDS:
                number = slots.slot_of(id, 4096) // 1024
                if number == 3:  # which does not know of the prefix
                    status = client.request("GET", "/get", id=id, offset=0, storagePrefix="old")[0]
                    self.assertEqual(404, status)
                elif number != self.three.owner(id):
                    self.assertEqual(421, self.append(client, id, "old")[0])
        self.assertEqual(before, self.places("old"))


if __name__ == "__main__":
    suite.main()
