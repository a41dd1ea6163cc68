"""The comment before a block of commands: who runs it.

| mark | means |
|---|---|
| `<!-- run: local -->` | this test runs it, against `windlass local` |
| `<!-- run: local; first: COMMAND -->` | the same, once COMMAND has brought about what the page speaks of |
| `<!-- run: local; in its place: COMMAND -->` | needs what no test machine has (Docker); this test runs COMMAND there |
| `<!-- run by: PATH … -->` | those files run it; they are in the repository |
| `<!-- needs AWS -->`, `<!-- needs AWS: why -->` | nobody runs it: it needs an account |

A block of YAML is a service's spec, whole or a part of one, unless its comment says `cluster's spec`, `trace`, or
`not a spec: why`. `file: NAME` is a whole spec that the page's commands find under that name.
"""

import dataclasses
import enum
import re


class Runs(enum.Enum):
    LOCAL = "against windlass local"
    ELSEWHERE = "by another test"
    NOWHERE = "needs AWS"


@dataclasses.dataclass(frozen=True)
class Mark:
    runs: Runs
    # What is run before the block, and what in its place.
    first: str | None = None
    instead: str | None = None
    # The files that run it.
    by: tuple = ()


def read_mark(block):
    """The block's mark; a block without one is an error that says what to write."""
    mark = block.mark
    if found := re.fullmatch(r"run: local(?:; first: (.+?))?(?:; in its place: (.+))?", mark):
        return Mark(Runs.LOCAL, first=found.group(1), instead=found.group(2))
    if mark.startswith("run by: "):
        return Mark(Runs.ELSEWHERE, by=tuple(re.findall(r"[\w.-]+(?:/[\w.-]+)+", mark)))
    if re.match(r"needs AWS(:|$)", mark):
        return Mark(Runs.NOWHERE)
    raise AssertionError(
        f"{block}: a block of commands without a mark. Write before it <!-- run: local --> if `windlass local` can run it, "
        f"<!-- needs AWS --> if only an account can, or <!-- run by: PATH -->; found: {mark or 'nothing'}"
    )
