"""The pages that people read: their fenced blocks with the marks before them, their inline commands, their links."""

import dataclasses
import re

from processes import ROOT

# A person's pages. tests/PEERS.md and events/INDEX.md are lists, without commands.
PAGES = sorted(
    str(path.relative_to(ROOT)) for pattern in ("*.md", "docs/*.md", "cdk/*.md", "cluster/*.md") for path in ROOT.glob(pattern)
)
FENCE = re.compile(r"^( *)(```+)\s*([\w-]*)\s*$")
MARK = re.compile(r"^\s*<!--\s*(.*?)\s*-->\s*$")
SHELLS = ("sh", "bash", "shell", "console")


@dataclasses.dataclass(frozen=True)
class Block:
    """A fenced block: its language, its text, the line of its first line (from 1), and the comment right before it."""

    page: str
    language: str
    text: str
    line: int
    mark: str

    def __str__(self):
        return f"{self.page}:{self.line}"

    @property
    def lines(self):
        return self.text.splitlines()


def read(page):
    return (ROOT / page).read_text()


def blocks(page):
    found, lines, at = [], read(page).splitlines(), 0
    while at < len(lines):
        fence = FENCE.match(lines[at])
        if not fence:
            at += 1
            continue
        indent, ticks, language = fence.groups()
        end = next(n for n in range(at + 1, len(lines)) if lines[n].strip() == ticks)
        text = "\n".join(line.removeprefix(indent) for line in lines[at + 1 : end])
        before = next((line for line in reversed(lines[:at]) if line.strip()), "")
        mark = MARK.match(before)
        found.append(Block(page, language, text, at + 2, mark.group(1) if mark else ""))
        at = end + 1
    return found


def prose(page):
    """The page's lines with its fenced blocks blanked: line numbers stay."""
    lines = read(page).splitlines()
    for block in blocks(page):
        for n in range(block.line - 2, block.line + len(block.lines)):
            lines[n] = ""
    return lines


def inline_code(page):
    """(line, text) of every inline code span."""
    return [(n, text) for n, line in enumerate(prose(page), 1) for text in re.findall(r"`([^`]+)`", line)]


def links(page):
    """(line, target) of every link within the repository."""
    pairs = [(n, target) for n, line in enumerate(prose(page), 1) for target in re.findall(r"\]\(([^)\s]+)\)", line)]
    return [(n, target) for n, target in pairs if not re.match(r"[a-z]+:", target)]


def anchors(page):
    """The anchors that GitHub makes of a page's headings."""
    headings = [line.lstrip("#").strip() for line in prose(page) if re.match(r"#{1,6} ", line)]
    plain = (re.sub(r"[`*]|\[|\]\([^)]*\)", "", heading).lower() for heading in headings)
    return {re.sub(r"[^\w\- ]", "", heading).replace(" ", "-") for heading in plain}
