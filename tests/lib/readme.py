"""The README's examples, as it prints them."""
import re


def blocks(text, language):
    """The contents of all fenced blocks in a language."""
    return re.findall("^```%s\n(.*?)^```$" % language, text, re.M | re.S)


def console_examples(text, address, root):
    """
    (command, what it must print) of each line with a $, for a fresh server with 10 buckets at
    host:port `address` with its data in `root`. The commands are for bash.
    """
    found = re.findall(r"^\$ (.*)\n((?:(?!\$ ).*\n)*)", "".join(blocks(text, "console")), re.M)
    assert found and all("http://localhost:8001/" in command for command, _ in found), found
    return [(command.replace("localhost:8001", address).replace("curl", "curl -s -m 60", 1),
             printed.replace("/tmp/rochefort", root).strip()) for command, printed in found]
