"""Caches in front of the server: what they keep, and that it is never wrong.

With the default -cache-control a cache asks each time: http/proxies_test.py has that for whole
values, this for slices of them. Who never reuses the name of a prefix may let caches keep values
for good: then a value is sent once, and the server does not see the requests for it any more.
"""
import json
import os
import unittest

import harness
import proxies
import suite

IMMUTABLE = "public, max-age=31536000, immutable"
SLICE_BYTES = 4096
LONG = b"".join(b"%07d\n" % number for number in range(5000))  # 40,000 bytes: ten slices


class NginxSlices(proxies.Nginx):
    """Asks for values in parts, and keeps these as long as the server permits."""

    cache = ("slice %d; proxy_cache cache; proxy_cache_key $uri$is_args$args$slice_range;"
             " proxy_set_header Range $slice_range;"
             " proxy_cache_valid any 1m;" % SLICE_BYTES)


class Behind:
    PROXY = None
    FLAGS = ()

    def setUp(self):
        self.server = self.enterContext(harness.Server("-buckets", "1", *self.FLAGS))
        self.proxy = self.enterContext(self.PROXY(self.server.port))
        self.client = self.enterContext(harness.Client(self.proxy.port))

    def gets(self):
        """Requests for /get that the server has answered."""
        with self.server.client() as client:
            status, _, body = client.request("GET", "/stats")
        self.assertEqual(200, status)
        samples = json.loads(body)["rochefort_http_requests_total"]
        return sum(sample["value"] for sample in samples if sample["labels"]["endpoint"] == "get")

    def get_range(self, offset, first, last):
        target = "/get?id=a&storagePrefix=p&offset=%d" % offset
        self.client.http.request("GET", target, headers={"Range": "bytes=%d-%d" % (first, last)})
        reply = self.client.http.getresponse()
        return reply.status, reply.read()


class Kept(Behind):
    """-cache-control lets the cache keep values for good."""

    FLAGS = ("-cache-control", IMMUTABLE)

    def test_values_are_sent_once(self):
        values = (b"short", LONG)
        offsets = [self.client.append("a", value, "p") for value in values]
        for value, offset in zip(values, offsets):
            self.assertEqual(value, self.client.get("a", offset, "p"))
        before = self.gets()
        self.assertGreaterEqual(before, len(values))
        for _ in range(5):
            for value, offset in zip(values, offsets):
                self.assertEqual(value, self.client.get("a", offset, "p"))
        self.assertEqual(before, self.gets())

    def test_404_is_not_kept(self):
        """Not for a moment: the append that makes it wrong may follow at once."""
        for number in range(3):
            prefix = "p%d" % number
            for _ in range(2):
                self.assertEqual(404, self.client.request("GET", "/get", id="a", offset=0,
                                                          storagePrefix=prefix)[0])
            self.assertEqual(0, self.client.append("a", b"value", prefix))
            self.assertEqual(b"value", self.client.get("a", 0, prefix))


class Slices(Behind):
    """Whole values and parts of them, though the cache asks for other parts."""

    def check(self, value, offset):
        self.assertEqual(value, self.client.get("a", offset, "p"))
        for first, last in ((0, 0), (SLICE_BYTES - 1, SLICE_BYTES), (10000, 30000)):
            self.assertEqual((206, value[first:last + 1]), self.get_range(offset, first, last))

    def test_values_and_ranges(self):
        offset = self.client.append("a", LONG, "p")
        for _ in range(2):
            self.check(LONG, offset)


@proxies.needs(proxies.Nginx)
class NginxKept(Kept, unittest.TestCase):
    PROXY = proxies.NginxCache


@proxies.needs(proxies.Nginx)
class NginxSlicesKept(Kept, unittest.TestCase):
    PROXY = NginxSlices


@proxies.needs(proxies.Nginx)
class NginxSlicesAsked(Slices, unittest.TestCase):
    PROXY = NginxSlices

    def test_slices_of_a_prefix_made_anew_are_the_new_ones(self):
        for value in (LONG, LONG[::-1]):
            self.assertEqual(0, self.client.append("a", value, "p"))
            for _ in range(2):
                self.check(value, 0)
            self.client.close("p")
            directory = os.path.join(self.server.root, "p")
            for name in os.listdir(directory):
                os.unlink(os.path.join(directory, name))
            os.rmdir(directory)
            self.assertEqual(404, self.client.request("GET", "/get", id="a", offset=0,
                                                      storagePrefix="p")[0])


@proxies.needs(proxies.Nginx)
class NginxSlicesImmutable(Slices, unittest.TestCase):
    PROXY = NginxSlices
    FLAGS = ("-cache-control", IMMUTABLE)


@proxies.needs(proxies.Varnish)
class VarnishKept(Kept, unittest.TestCase):
    PROXY = proxies.VarnishAlone


if __name__ == "__main__":
    suite.main()
