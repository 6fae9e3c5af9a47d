"""What a power cut leaves: on each file system, every value whose append was answered after a sync
is read from every state that the disk may be in.

A server runs on a loop device whose writes and flushes are recorded, in order; see block_recorder.
Of the writes that no flush came after, a power cut leaves none, all, all but one, only one, or any
others. The states are mounted, and a server on them is asked for the values.

ROCHEFORT_CRASH_STATES: on how many states of each file system values are read (default 20; 0: on all).
ROCHEFORT_CRASH_SEED: which of them, and the ids.
"""
import contextlib
import json
import os
import random
import shutil
import subprocess
import tempfile
import unittest

import block_recorder
import capabilities
import harness
import suite

STATES_MAX = int(os.environ.get("ROCHEFORT_CRASH_STATES", "20"))
SEED = int(os.environ.get("ROCHEFORT_CRASH_SEED", "1"))
MIB = 1 << 20

# Name: the command that makes it, of which size; how it is mounted; the check before that, with the
# exit statuses that are good.
NO_LAZY = "lazy_itable_init=0,lazy_journal_init=0"
FILE_SYSTEMS = {
    "ext2": (["mkfs.ext2", "-q", "-F"], 48 * MIB, "ext2", ["e2fsck", "-fy"], (0, 1)),
    "ext4 without a journal": (["mkfs.ext4", "-q", "-F", "-O", "^has_journal", "-E", NO_LAZY],
                               48 * MIB, "ext4", ["e2fsck", "-fy"], (0, 1)),
    "ext4": (["mkfs.ext4", "-q", "-F", "-E", NO_LAZY], 64 * MIB, "ext4", None, ()),
    "xfs": (["mkfs.xfs", "-q", "-f"], 320 * MIB, "xfs", None, ()),
    "btrfs": (["mkfs.btrfs", "-q", "-f"], 256 * MIB, "btrfs", None, ()),
}


def run(*command, good=(0,)):
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode not in good:
        raise AssertionError("%s: exit %d: %s%s" % (command, done.returncode, done.stdout,
                                                    done.stderr))
    return done.stdout.strip()


@contextlib.contextmanager
def mounted(path, kind, directory, direct=False):
    """The file system in that file, with its loop device taken away at the end."""
    os.makedirs(directory, exist_ok=True)
    device = run("losetup", "--show", "-f", *(["--direct-io=on"] if direct else []), path)
    try:
        run("mount", "-t", kind, device, directory)
        try:
            yield
        finally:
            run("umount", directory)
    finally:
        run("losetup", "-d", device)


class Appended:
    """Values whose appends were answered after a sync: where each is, and since when."""

    def __init__(self, recorder):
        self.recorder, self.values = recorder, []

    def append(self, client, prefix, id, sync=True):
        value = b"%s %s %d " % (prefix.encode(), id.encode(), len(self.values)) * 20
        status, _, body = client.request("POST", "/append", value, id=id, storagePrefix=prefix,
                                         sync=1 if sync else None)
        assert status == 200, (status, body)
        if sync:
            self.values.append((self.recorder.position(), prefix, id, json.loads(body)["offset"],
                                value))


def serve(appended, root, random_ids):
    """New prefixes, old ones, one that was not synced at first, one that is made anew; restarts."""
    ids = ["id %d" % random_ids.randrange(1000) for _ in range(6)]
    with harness.Server(root=root) as server, server.client() as client:
        appended.append(client, "a", ids[0])
        for number in range(40):  # of a prefix that nobody has synced yet
            appended.append(client, "b", "x %d" % number, sync=False)
        appended.append(client, "b", ids[0])
        for id in ids:
            appended.append(client, "a", id)
        appended.append(client, "anew", ids[0], sync=False)
        client.close("anew")
        shutil.rmtree(os.path.join(root, "anew"))
        appended.append(client, "anew", ids[1])
        appended.append(client, "not synced", ids[0], sync=False)
        server.kill()
        server.start()
        with server.client() as again:
            appended.append(again, "not synced", ids[2])
            appended.append(again, "b", ids[3])
            shutil.rmtree(os.path.join(root, "anew"))  # while it is open
            appended.values = [value for value in appended.values if value[1] != "anew"]
            appended.append(again, "anew", ids[4])
            appended.append(again, "anew", ids[5], sync=False)
            appended.append(again, "c", ids[5])


def choices(pending, rng):
    """What of the pending writes a power cut may have left: all that is none, all, all but one, or
    only one, and some others."""
    writes = [event for event in pending if event[2] is not None]
    yield "none", []
    if not writes:
        return
    yield "all", writes
    for number in range(len(writes) if len(writes) > 1 else 0):
        yield "all but one", writes[:number] + writes[number + 1:]
        yield "only one", [writes[number]]
    for _ in range(4 if len(writes) > 2 else 0):
        yield "some", [write for write in writes if rng.random() < 0.5]


def states(events, values, rng):
    """[(position, what is left, the events)]: after each reply, and before each flush after it,
    when most is pending."""
    first = values[0][0]
    positions = {value[0] for value in values}
    before = 0
    for position, _, data in events:
        if data is None and before >= first:
            positions.add(before)
        before = position
    found = []
    for position in sorted(positions):
        sure, pending = block_recorder.split(events, position)
        for what, left in choices(pending, rng):
            found.append((position, what, sure + left))
    return found


def chosen(found, rng):
    """Those of which there are few kinds, and some of each other kind."""
    if STATES_MAX == 0 or len(found) <= STATES_MAX:
        return found
    kinds = {}
    for state in found:
        kinds.setdefault(state[1], []).append(state)
    for of_kind in kinds.values():
        rng.shuffle(of_kind)
    picked = []
    while len(picked) < STATES_MAX:
        for of_kind in kinds.values():
            if of_kind and len(picked) < STATES_MAX:
                picked.append(of_kind.pop())
    return picked


@unittest.skipUnless(os.getuid() == 0, "needs root, to mount")
@unittest.skipUnless(os.path.exists("/dev/fuse"), "needs FUSE")
@unittest.skipUnless(capabilities.mount_namespace(), "needs mount namespaces")
class CrashStates(unittest.TestCase):
    def read_all(self, directory, values):
        """What cannot be read, or is another value."""
        wrong = []
        with harness.Server(root=os.path.join(directory, "made", "root")) as server:
            with server.client() as client:
                for _, prefix, id, offset, value in values:
                    status, _, body = client.request("GET", "/get", id=id, offset=offset,
                                                     storagePrefix=prefix)
                    if (status, body) != (200, value):
                        wrong.append("%s of %r at %d: %d %r" % (id, prefix, offset, status,
                                                                body[:120]))
        return wrong

    def check_file_system(self, name):
        make, size, kind, check, good = FILE_SYSTEMS[name]
        if shutil.which(make[0]) is None:
            self.skipTest("no %s" % make[0])
        rng = random.Random("%s %d" % (name, SEED))
        work = self.enterContext(tempfile.TemporaryDirectory(prefix="rochefort-crash-"))
        image, state = os.path.join(work, "image"), os.path.join(work, "state")
        mount_point = os.path.join(work, "mounted")
        with open(image, "wb") as file:
            file.truncate(size)
        run(*make, image)
        try:
            with mounted(image, kind, mount_point):
                pass
        except AssertionError as error:
            self.skipTest("cannot be mounted: %s" % error)
        with block_recorder.Recorder(image, work) as recorder:
            appended = Appended(recorder)
            with mounted(recorder.path, kind, mount_point, direct=True):
                serve(appended, os.path.join(mount_point, "made", "root"), rng)
            events = recorder.events()
        found = states(events, appended.values, rng)
        read = wrong = 0
        failures = []
        for position, what, left in chosen(found, rng):
            block_recorder.build(image, left, state)
            if check:
                run(*check, state, good=good)
            values = [value for value in appended.values if value[0] <= position]
            with mounted(state, kind, mount_point):
                lines = self.read_all(mount_point, values)
            read += len(values)
            wrong += len(lines)
            failures += ["%s left at %d: %s" % (what, position, line) for line in lines]
        print("%s: %d of %d states, %d synced values read, %d wrong"
              % (name, min(STATES_MAX or len(found), len(found)), len(found), read, wrong))
        self.assertGreater(read, 0)
        self.assertEqual([], failures[:10])

    def test_ext2(self):
        self.check_file_system("ext2")

    def test_ext4_without_a_journal(self):
        self.check_file_system("ext4 without a journal")

    def test_ext4(self):
        self.check_file_system("ext4")

    def test_xfs(self):
        self.check_file_system("xfs")

    def test_btrfs(self):
        self.check_file_system("btrfs")


if __name__ == "__main__":
    if os.getuid() == 0 and capabilities.mount_namespace():
        block_recorder.own_mounts()
    print("ROCHEFORT_CRASH_SEED=%d" % SEED)
    suite.main()
