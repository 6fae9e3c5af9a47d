"""A GlusterFS volume on this machine: three bricks, each with a glusterd in a network namespace of its
own, and mounts, each from a namespace of its own too. They are joined by a bridge in one more, so
that the network of each can be cut, and nothing of the machine's own network is touched.
"""
import contextlib
import os
import re
import signal
import subprocess

import process

BRICKS = (1, 2, 3)
MOUNTS = ("a", "b")
with open(os.path.join(os.environ["SOURCE_DIR"], "src/deploy/GLUSTER.md"), encoding="utf-8") as page:
    DOCUMENT = page.read()
# What the document has an operator type.
OPTIONS = dict(re.findall(r"^ *gluster volume set v (\S+) (\S+)$", DOCUMENT, re.M))
MOUNT_FLAGS = ["--" + flag for flag in re.search(
    r"^ *mount -t glusterfs -o (\S+)", DOCUMENT, re.M).group(1).split(",")
    if not flag.startswith("backup-volfile-servers")]
TIMEOUT_SECONDS = 60


def run(*command, check=True):
    """Its output."""
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          timeout=TIMEOUT_SECONDS)
    if check and done.returncode != 0:
        raise process.Failure("%s: exit %d: %s" % (" ".join(command), done.returncode,
                                                   done.stdout + done.stderr))
    return done.stdout + done.stderr


def _running(pid):
    """Not a zombie either."""
    try:
        with open("/proc/%d/stat" % pid) as file:
            return file.read().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


class Namespace:
    """A network namespace with one interface on the bridge."""

    def __init__(self, cluster, name, number):
        self.name, self.link = cluster.name + name, "%s%s" % (cluster.name, name)
        self.switch = cluster.name + "sw"
        self.address = "198.18.77.%d" % number
        run("ip", "netns", "add", self.name)
        run("ip", "-n", self.switch, "link", "add", self.link, "type", "veth", "peer", "name",
            "eth0", "netns", self.name)
        run("ip", "-n", self.switch, "link", "set", self.link, "master", "bridge", "up")
        run("ip", "-n", self.name, "address", "add", self.address + "/24", "dev", "eth0")
        for link in ("eth0", "lo"):
            run("ip", "-n", self.name, "link", "set", link, "up")

    def cut(self):
        """Nothing gets in or out, and nobody is told."""
        run("ip", "-n", self.switch, "link", "set", self.link, "nomaster")

    def restore(self):
        run("ip", "-n", self.switch, "link", "set", self.link, "master", "bridge")

    def pids(self, program=""):
        """Of the processes in it, those whose command line has this."""
        found = []
        for pid in map(int, run("ip", "netns", "pids", self.name).split()):
            with contextlib.suppress(OSError), open("/proc/%d/cmdline" % pid, "rb") as file:
                if program in file.read().replace(b"\0", b" ").decode():
                    found.append(pid)
        return found

    def kill(self, program=""):
        pids = self.pids(program)
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        process.wait_for(lambda: not any(map(_running, pids)), "processes to end")


class Brick(Namespace):
    def __init__(self, cluster, number):
        super().__init__(cluster, "g%d" % number, number)
        self.directory = os.path.join(cluster.directory, "g%d" % number)
        for name in ("lib", "log", "brick"):
            os.makedirs(os.path.join(self.directory, name))
        self.path = os.path.join(self.directory, "brick")
        self.start()

    def start(self):
        # glusterd has its files where it wants them, but in a mount namespace of its own
        script = ('mount --bind "$1/lib" /var/lib/glusterd; mount --bind "$1/log" '
                  '/var/log/glusterfs; mount -t tmpfs none /run; mkdir /run/gluster; '
                  "exec glusterd -N")
        self.daemon = process.Process(
            ["ip", "netns", "exec", self.name, "unshare", "--mount", "sh", "-ec", script, "sh",
             self.directory], os.path.join(self.directory, "out"))

    def enter(self, *command, check=True):
        """Runs it in there. Its output."""
        return run("nsenter", "-t", "%d" % self.daemon.pid, "-m", "-n", *command, check=check)

    def command(self, *arguments, check=True):
        """Output of gluster(8)."""
        return self.enter("gluster", "--mode=script", *arguments, check=check)

    def kill_brick(self):
        """The process that serves the brick alone."""
        pid, = self.pids("glusterfsd ")
        with open("/proc/%d/cmdline" % pid, "rb") as file:
            self.brick_command = file.read().decode().split("\0")[:-1]
        self.kill("glusterfsd ")

    def restart_brick(self):
        """By the command that glusterd has started it with."""
        self.enter(*self.brick_command)


class Mount(Namespace):
    """`path` is where it is, for all processes of the machine."""

    def __init__(self, cluster, name, number):
        super().__init__(cluster, name, number)
        self.cluster, self.path = cluster, os.path.join(cluster.directory, name)
        os.makedirs(self.path)

    def mount(self):
        self.client = process.Process(
            ["nsenter", "--net=/run/netns/" + self.name, "glusterfs", "-N",
             *("--volfile-server=" + brick.address for brick in self.cluster.bricks.values()),
             "--volfile-id=v", *MOUNT_FLAGS, "--log-file=%s.log" % self.path, self.path],
            self.path + ".out")
        process.wait_for(self.is_mounted, "the mount")

    def is_mounted(self):
        with open("/proc/self/mounts") as file:
            return any(line.split()[1] == self.path for line in file)

    def unmount(self):
        """Whatever state it is in."""
        while self.is_mounted():
            run("umount", "-l", self.path)
        self.kill()
        self.client.popen.wait(TIMEOUT_SECONDS)

    def remount(self):
        self.unmount()
        self.mount()


class Cluster:
    """Use as a context manager; `directory` is made, on a file system with extended attributes."""

    def __init__(self, directory):
        os.mkdir(directory)
        self.directory, self.name = directory, "rc%d" % (os.getpid() % 100000)
        self.bricks, self.mounts = {}, {}
        try:
            self.start()
        except BaseException:
            self.stop()
            raise

    def start(self):
        switch = self.name + "sw"
        run("ip", "netns", "add", switch)
        run("ip", "-n", switch, "link", "add", "bridge", "type", "bridge")
        run("ip", "-n", switch, "link", "set", "bridge", "up")
        for number in BRICKS:
            self.bricks[number] = Brick(self, number)
        first, *others = self.bricks.values()
        process.wait_for(lambda: "Number of Peers" in first.command("peer", "status", check=False),
                         "glusterd")
        for brick in others:
            process.wait_for(lambda: "success" in first.command("peer", "probe", brick.address,
                                                                check=False), "a peer")
        process.wait_for(lambda: first.command("peer", "status").count("(Connected)") == 2, "peers")
        first.command("volume", "create", "v", "replica", "3",
                      *("%s:%s" % (brick.address, brick.path) for brick in self.bricks.values()),
                      "force")
        first.command("volume", "set", "v",
                      *(word for option in OPTIONS.items() for word in option))
        first.command("volume", "start", "v")
        for number, name in enumerate(MOUNTS, 11):
            self.mounts[name] = Mount(self, name, number)
            self.mounts[name].mount()

    def is_healed(self):
        """As far as it knows: a file that is being healed need not be among the entries."""
        self.bricks[1].command("volume", "heal", "v", check=False)
        info = self.bricks[1].command("volume", "heal", "v", "info", check=False)
        return re.findall(r"Number of entries: (\S+)", info) == ["0"] * len(BRICKS)

    def stop(self):
        for mount in self.mounts.values():
            with contextlib.suppress(process.Failure, subprocess.TimeoutExpired):
                mount.unmount()
        for each in [*self.mounts.values(), *self.bricks.values()]:
            with contextlib.suppress(process.Failure):
                each.kill()
        for brick in self.bricks.values():
            brick.daemon.popen.wait(TIMEOUT_SECONDS)
        for line in run("ip", "netns", "list", check=False).splitlines():
            name = line.split()[0]
            if name.startswith(self.name):
                run("ip", "netns", "del", name, check=False)

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        self.stop()
