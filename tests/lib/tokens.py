"""A server that asks for tokens, and some tokens."""
import os
import signal
import urllib.parse

import harness

READ, WRITE, ADMIN = "read", "write", "admin"


def token_of(name):
    return "token-of-" + name.ljust(12, "-")


# name: (rights, the only prefix or None)
TOKENS = {"reader": ({READ}, None), "writer": ({WRITE}, None), "admin": ({ADMIN}, None),
          "all": ({READ, WRITE, ADMIN}, None), "reads-mine": ({READ}, "mine"),
          "both-mine": ({READ, WRITE}, "mine"), "writes-odd": ({WRITE}, "a b+ä"),
          "default": ({READ, WRITE}, "default")}


def line_of(name, token=None):
    rights, prefix = TOKENS[name]
    return "%s %s %s" % (token or token_of(name), ",".join(sorted(rights)),
                         urllib.parse.quote(prefix or ""))


def write_file(path, text, mode=0o600):
    """As it should be done: whole, then renamed."""
    with open(path + ".new", "wb") as file:
        file.write(text if isinstance(text, bytes) else text.encode())
    os.chmod(path + ".new", mode)
    os.rename(path + ".new", path)


class Server(harness.Server):
    """Asks for tokens, at first for TOKENS."""

    def __init__(self, *flags, text=None, **options):
        self.text = text or "".join(line_of(name) + "\n" for name in TOKENS)
        super().__init__(*flags, **options)

    def start(self):
        self.tokens = os.path.join(self.directory, "tokens")
        if "-tokens" not in self.flags:
            self.flags += ["-tokens", self.tokens]
            write_file(self.tokens, self.text)
        super().start()

    def read_again(self, line):
        """Sends SIGHUP, and waits for one line more of those that have this in them."""
        before = self.log().count(line)
        self.process.send_signal(signal.SIGHUP)
        harness.wait_for(lambda: self.log().count(line) == before + 1, line)


def bearer(name):
    return ("Authorization: Bearer " + token_of(name),) if name else ()
