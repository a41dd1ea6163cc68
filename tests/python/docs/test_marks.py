"""That the tests beside this file can fail: on a block without a mark, on a command that fails, on one that there is not."""

import pytest
from conftest import Account
from marks import Runs, read_mark
from pages import Block
from test_commands import run
from test_words import commands, refusal
from world import windlass_local


def block(text, mark=""):
    return Block("docs/page.md", "sh", text, 10, mark)


def test_a_block_without_a_mark_is_refused_by_its_line():
    with pytest.raises(AssertionError, match="docs/page.md:10: a block of commands without a mark"):
        read_mark(block("windlass status"))


def test_a_mark_says_what_comes_before_and_what_stands_in():
    mark = read_mark(block("docker push", "run: local; first: push shop 1 && true; in its place: push shop 2"))
    assert (mark.runs, mark.first, mark.instead) == (Runs.LOCAL, "push shop 1 && true", "push shop 2")


def test_a_command_that_fails_is_named_by_page_and_line(tmp_path):
    for directory in ("local", "person"):
        (tmp_path / directory).mkdir()
    with windlass_local(tmp_path / "local", speed=1) as (world, _):
        account = Account(world, tmp_path / "person")
        text = "windlass status\nwindlass explain main/nobody --cluster\ntrue"
        with pytest.raises(AssertionError, match="docs/page.md:11: windlass explain"):
            run(account, block(text), read_mark(block(text, "run: local")))


@pytest.mark.parametrize("command", ["windlass statuss", "windlass rollback shop --too 1", "windlass hold a b", "aws ecs list-service", "sam deploy --guide", "scripts/tests"])
def test_a_command_that_there_is_not_is_refused(command):
    assert refusal(command.split())


def test_commands_are_found_in_pipes_comments_quotes_and_substitutions():
    text = 'a "b # c" --d \\\n  e | f  # g\nx=$(h "$(i j)" `k`)\n'
    assert sorted(words[0] for words in commands(text)) == ["a", "f", "h", "i", "x=$()"]
