"""The simulation of scale.py agrees with arithmetic where there is some, and SCALE.md has its table."""
import os
import unittest

import scale
import slots

PAGE = os.path.join(os.path.dirname(__file__), "../src/deploy/SCALE.md")


class Simulation(unittest.TestCase):
    def test_the_page_has_what_the_program_prints(self):
        with open(PAGE, encoding="utf-8") as page:
            self.assertIn("\n" + "\n".join(scale.table()) + "\n", page.read())

    def test_failures_agree_with_the_probabilities(self):
        for nodes, seconds in ((3, 4 * 3600), (10, 4 * 3600), (100, 3600)):
            some, of_id, two = scale.failures(nodes, 4, seconds)
            down = seconds / (scale.YEAR / 4 + seconds)  # of the time, one node
            up, one = (1 - down) ** nodes, nodes * down * (1 - down) ** (nodes - 1)
            for simulated, expected, tolerance in (
                    (of_id, down, 0.05), (some, 1 - up, 0.05), (two, 1 - up - one, 0.25)):
                self.assertAlmostEqual(1, simulated / (expected * scale.YEAR), delta=tolerance)

    def test_loads(self):
        for nodes in scale.NODES:
            for skew in (0, 1):
                self.assertAlmostEqual(1, sum(scale.loads(nodes, skew)))
        first = 1 / sum(1 / rank for rank in range(1, scale.IDS + 1))
        loads = scale.loads(10, 1)  # the most wanted id alone is so much of its node's load
        self.assertGreater(loads[slots.slot_of("id 0", 4096) * 10 // 4096], first)

    def test_what_one_more_node_moves(self):
        # from 1 to 2 one half; from 2 to 3 the second sixth and the fourth
        self.assertAlmostEqual(0.5, scale.moved(1), delta=0.001)
        self.assertAlmostEqual(0.5, scale.moved(2), delta=0.001)


if __name__ == "__main__":
    unittest.main()
