"""dump: its lines, and the values at offsets."""
import datetime

import records
import suite
import tool_case


class Dump(tool_case.Case):
    def test_lines(self):
        times = [0, 1, 1518264381123456789, 2**64 - 1]
        path = self.write(b"".join(records.encode(b"v" * n, t) for n, t in enumerate(times)))
        out, _ = self.check(0, "dump", path)
        wanted = []
        for n, time_ns in enumerate(times):
            moment = datetime.datetime(1970, 1, 1) + datetime.timedelta(seconds=time_ns // 10**9)
            offset = sum(16 + k for k in range(n))
            wanted.append("%d %s.%09dZ %d" % (offset, moment.isoformat(), time_ns % 10**9, n))
        # length 0 and time 0 is a gap of 16 bytes, not a record
        self.assertEqual(wanted[1:], out.splitlines())

    def test_values(self):
        values, offsets, data = tool_case.three()
        path = self.write(data)
        out = tool_case.run("dump", path, str(offsets[2]), str(offsets[0])).stdout
        self.assertEqual(values[2] + values[0], out)
        self.assertEqual(values[1], tool_case.run("dump", "--", path, str(offsets[1])).stdout)
        for offset in (1, 37, len(data), len(data) - 3, 2**63 - 1):
            out, err = self.check(1, "dump", path, str(offset))
            self.assertEqual(("", "rochefort: %s: offset %d: no record starts there\n" %
                              (path, offset)), (out, err))
        for offset in ("-1", "x", "1x", "", " 1", str(2**63)):
            self.check(2, "dump", path, offset)
        self.write(data[:-1])
        self.assertIn("cut short", self.check(1, "dump", path, str(offsets[2]))[1])
        self.assertIn("Input/output", self.check(1, "dump", path, str(offsets[1]),
                                                 fail_read=(4096, 4097))[1])


if __name__ == "__main__":
    suite.main()
