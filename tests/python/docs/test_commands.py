"""Every block that says `run: local` is run against `windlass local`, a page's blocks one after the other in one world."""

import pytest
from conftest import Account
from marks import Runs, read_mark
from pages import PAGES, SHELLS, blocks
from processes import eventually
from world import windlass_local

# Where a person's first steps are told, nothing is there yet.
EMPTY = {"docs/install.md", "docs/developing.md", "docs/migration.md"}
# Virtual seconds in a real one.
SPEED = 30


def local_blocks(page):
    """Those of a page that are run here, each with its mark. Unmarked ones are test_words.py's to refuse."""
    shells = [block for block in blocks(page) if block.language in SHELLS and block.mark]
    marked = [(block, read_mark(block)) for block in shells]
    return [(block, mark) for block, mark in marked if mark.runs is Runs.LOCAL]


@pytest.mark.parametrize("page", [page for page in PAGES if local_blocks(page)])
def test_the_commands_of_a_page_do_what_they_say(page, tmp_path):
    for directory in ("local", "person"):
        (tmp_path / directory).mkdir()
    with windlass_local(tmp_path / "local", speed=SPEED) as (world, _):
        account = Account(world, tmp_path / "person")
        if page not in EMPTY:
            account.release_shop()
        for block in blocks(page):
            if block.mark.startswith("file: "):
                (account.directory / block.mark.removeprefix("file: ")).write_text(block.text)
        for block, mark in local_blocks(page):
            if mark.first:
                account.must(mark.first)
            run(account, block, mark)
            eventually("what was begun ends", lambda: quiet(account), 60, lambda: account.shell("windlass plan").stdout)


def run(account, block, mark):
    # As many empty lines before it as the page has: the shell's line numbers are the page's.
    script = "\n" * (block.line - 4) + "set -euo pipefail\n" + f"trap 'echo \"{block.page}:$LINENO: $BASH_COMMAND\" >&2' ERR\n\n" + block.text
    done = account.shell(mark.instead or script)
    assert done.returncode == 0, f"{block}: ended with {done.returncode}\n{done.stdout}\n{done.stderr}"


def quiet(account):
    """Nothing is on its way, and nothing would be begun."""
    return account.shell("windlass plan --check && ! windlass status --json | grep -q '\"in_flight\": \"'").returncode == 0
