"""Values up to the default limit of 64 MiB, in all the ways in which curl sends them."""
import json
import os
import random
import unittest

import curl
from curl import BYTES, JSON

LIMIT_BYTES = 64 << 20
CHUNKED = ("-H", "Transfer-Encoding: chunked")
EXPECT, NO_EXPECT = ("-H", "Expect: 100-continue"), ("-H", "Expect:")


class LargeValues(curl.TestCase):
    def round_trip(self, *arguments):
        value = os.urandom(LIMIT_BYTES)
        reply = self.expect(200, JSON, "/append?id=x", *arguments,
                            "--data-binary", "@" + self.write("value", value))
        got = self.expect(200, BYTES, "/get?id=x&offset=%d" % json.loads(reply)["offset"])
        self.assertTrue(value == got)

    def test_64_mib_with_content_length(self):
        self.round_trip(*NO_EXPECT)

    def test_64_mib_in_chunks(self):
        self.round_trip(*CHUNKED, *NO_EXPECT)

    def test_64_mib_with_expect_100_continue(self):
        self.round_trip(*EXPECT)

    def test_64_mib_in_chunks_with_expect_100_continue(self):
        self.round_trip(*CHUNKED, *EXPECT)

    def test_every_length_from_1_to_2100_bytes(self):
        draw = random.Random(1)
        with self.server.client() as client:
            for length in range(1, 2101):
                value = draw.randbytes(length)
                self.assertEqual(value, client.get("n", client.append("n", value)), length)


if __name__ == "__main__":
    unittest.main()
