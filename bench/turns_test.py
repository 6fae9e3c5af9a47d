"""Of two servers that are compared none has the better place, and none starts on a busy disk."""
import itertools
import os
import types
import unittest
from unittest import mock

HERE = os.path.dirname(os.path.abspath(__file__))

import pages
import plan
import write


class Turns(unittest.TestCase):
    def rounds(self, count, *orders):
        """What Context.rounds lets run, a list for each round."""
        seen = []
        arguments = types.SimpleNamespace(rochefort="", ceiling="", no_disk="", peer=[], seed=1)
        context = plan.Context(plan.Plan(rounds=count), arguments, "", 0)
        context.rounds(orders[0], lambda lane, what: seen.append((what, lane)), *orders[1:])
        return [[lane for _, lane in lanes]
                for _, lanes in itertools.groupby(seen, lambda pair: pair[0])]

    def test_one_order_for_all_rounds(self):
        self.assertEqual([["a", "b"]] * 3, self.rounds(3, ["a", "b"]))

    def test_every_second_round_is_in_the_other_order(self):
        self.assertEqual([["a", "b"], ["b", "a"]] * 2, self.rounds(4, ["a", "b"], ["b", "a"]))

    def test_each_server_comes_after_each_as_often(self):
        sizes, servers = (64, 1024), ("with", "without")
        rounds = self.rounds(4, write.order(sizes, servers), write.order(sizes, servers[::-1]))
        before = {server: [] for server in servers}
        for lanes in rounds:
            self.assertEqual(sorted(rounds[0]), sorted(lanes))
            self.assertEqual(len(lanes), len(set(lanes)))
            for (size, beside, who), (later_size, later_beside, later) in zip(lanes, lanes[1:]):
                if later in servers:
                    rival = who in servers and who != later
                    before[later].append((later_size, later_beside, size, beside,
                                          "rival" if rival else who if who == "fio" else "itself"))
        self.assertEqual(sorted(before["with"]), sorted(before["without"]))

    def test_dd_is_never_before_a_server_that_runs_alone(self):
        lanes = write.order((64, 1024), ("with", "without"))
        for (_, beside, _), (_, later_beside, later) in zip(lanes[-1:] + lanes, lanes):
            if (beside, later_beside) == (write.DD, write.ALONE):
                self.assertEqual("fio", later)


class Settle(unittest.TestCase):
    def settle(self, unwritten, seconds):
        with mock.patch.object(pages, "unwritten_bytes", side_effect=unwritten) as asked, \
                mock.patch.object(os, "sync") as sync:
            pages.settle(seconds)
            sync.assert_called_once_with()
            return asked.call_count

    def test_waits_until_little_is_left(self):
        self.assertEqual(3, self.settle([1 << 30, pages.SETTLED_BYTES + 1, pages.SETTLED_BYTES], 60))

    def test_gives_up_where_somebody_writes_all_the_while(self):
        self.assertLess(self.settle(itertools.repeat(1 << 30), 0.1), 60)

    def test_the_kernel_says_how_much(self):
        self.assertGreaterEqual(pages.unwritten_bytes(), 0)


if __name__ == "__main__":
    unittest.main()
