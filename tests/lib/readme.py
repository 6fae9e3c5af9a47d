"""The examples and links of README.md and of the other documents."""
import os
import re
import unicodedata

ADDRESS = "localhost:8001"
# As a command and as a reply has it.
ROOT, ROOT_PRINTED = "~/.local/state/rochefort", "/home/you/.local/state/rochefort"
# Where the operator's document says that a script has been copied to.
SCRIPTS = "/usr/local/sbin/", os.path.join(os.environ["SOURCE_DIR"], "src/deploy/")


def blocks(text, language):
    """The contents of all fenced blocks in a language."""
    return re.findall("^```%s\n(.*?)^```$" % language, text, re.M | re.S)


def languages(text):
    """The language of each fenced block, "" for none."""
    return re.findall(r"^```(.*)\n(?:.*\n)*?```$", text, re.M)


def console_examples(text, address, root):
    """
    (command, what it must print) of each line with a $, for a fresh server with 10 buckets at
    host:port `address` with its data in `root`. The commands are for any POSIX shell.
    """
    found = re.findall(r"^\$ (.*)\n((?:(?!\$ ).*\n)*)", "".join(blocks(text, "console")), re.M)
    assert found and all("curl" not in command or "http://%s" % ADDRESS in command
                         for command, _ in found), found
    return [(command.replace(ADDRESS, address).replace("curl ", "curl -s -m 60 ")
             .replace(ROOT, root).replace(*SCRIPTS), printed.replace(ROOT_PRINTED, root).strip())
            for command, printed in found]


def scripts(text):
    """{name: content} of the Python blocks whose first line is a comment that begins with a name."""
    return {re.match(r"# (\S+\.py)\b", block).group(1): block for block in blocks(text, "python")}


def prose(text):
    """The text without its code."""
    text = re.sub(r"^```.*?^```$", "", text, flags=re.M | re.S)
    text = re.sub(r"(?m)^(?: {4}|\t).*$", "", text)
    return re.sub(r"(`+).+?\1", "code", text, flags=re.S)


def anchors(text):
    """The names that a heading can be linked by, as GitHub makes them."""
    without_code = re.sub(r"^```.*?^```$", "", text, flags=re.M | re.S)
    names, counts = set(), {}
    for heading in re.findall(r"^#+ +(.*?) *#*$", without_code, re.M):
        shown = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", heading).replace("`", "").lower()
        slug = "".join("-" if c == " " else c for c in shown
                       if c in "-_ " or unicodedata.category(c)[0] in "LN")
        count = counts[slug] = counts.get(slug, -1) + 1
        names.add(slug if count == 0 else "%s-%d" % (slug, count))
    return names


def broken_links(path):
    """Relative links of a document that lead nowhere: files that are missing, unknown headings."""
    with open(path, encoding="utf-8") as file:
        text = file.read()
    broken = []
    for link in re.findall(r"\]\(([^)\s]+)\)", prose(text)):
        if re.match(r"[a-z]+:", link):
            continue
        name, _, anchor = link.partition("#")
        target = os.path.normpath(os.path.join(os.path.dirname(path), name)) if name else path
        if not os.path.exists(target):
            broken.append(link)
        elif anchor:
            if not target.endswith(".md"):
                broken.append(link)
                continue
            with open(target, encoding="utf-8") as file:
                if anchor not in anchors(file.read()):
                    broken.append(link)
    return broken
