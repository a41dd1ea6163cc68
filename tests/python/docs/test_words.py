"""What the pages say without running anything: every block is marked, every command is one that there is, every spec is
one that `windlass spec check` takes, every link leads somewhere."""

import contextlib
import functools
import io
import os
import pathlib
import re
import shlex
import subprocess
import sys
import tomllib

import pytest
import yaml
from awscli.clidriver import create_clidriver
from marks import Runs, read_mark
from pages import PAGES, SHELLS, anchors, blocks, inline_code, links
from processes import ROOT
from world import binary

TOOLS = pathlib.Path(sys.executable).parent
SHELL_BLOCKS = [block for page in PAGES for block in blocks(page) if block.language in SHELLS]
SPECS = [block for page in PAGES for block in blocks(page) if block.language == "yaml"]


def run(*command, stdin="", cwd=ROOT, timeout=60):
    environment = {**os.environ, "AWS_DEFAULT_REGION": "eu-central-1", "AWS_EC2_METADATA_DISABLED": "true", "SAM_CLI_TELEMETRY": "0"}
    return subprocess.run(command, input=stdin, capture_output=True, text=True, timeout=timeout, env=environment, cwd=cwd)


@pytest.mark.parametrize("page", PAGES)
def test_every_fence_names_its_language(page):
    # A picture is the only thing that needs none.
    unnamed = [str(block) for block in blocks(page) if not block.language and re.search(r"\b(windlass|aws|sam) [a-z-]+ ", block.text) and "▶" not in block.text]
    assert not unnamed, f"say what it is (sh, yaml, text): {unnamed}"


@pytest.mark.parametrize("block", SHELL_BLOCKS, ids=str)
def test_every_block_of_commands_is_run_or_says_who_runs_it(block):
    mark = read_mark(block)
    if mark.runs is Runs.ELSEWHERE:
        missing = [path for path in mark.by if not (ROOT / path).exists()]
        assert mark.by and not missing, f"{block}: it says that it is run by {mark.by}; not there: {missing}"


# ---- Commands ----------------------------------------------------------------------------------------------


def commands(text):
    """Each command of a shell text as words: without comments, here-documents, and what is only the shell's. What stands in
    `$( … )` is a command of its own."""
    text = re.sub(r"<<'?(\w+)'?.*?^\1$", "", text.replace("\\\n", " "), flags=re.DOTALL | re.MULTILINE)
    for inner in re.findall(r"\$\(\s*([^()]*(?:\([^()]*\)[^()]*)*)\)", text):
        yield from commands(inner)
        text = text.replace(inner, "")
    for line in joined_quotes(text.splitlines()):
        yield from split_at_operators(shlex.split(line, comments=True))


def joined_quotes(lines):
    """Lines, those of one quoted text together."""
    held = ""
    for line in lines:
        held = f"{held}\n{line}" if held else line
        try:
            shlex.split(held, comments=True)
        except ValueError:
            continue
        yield held
        held = ""
    assert not held, f"a quote is not closed: {held}"


def split_at_operators(words):
    command = []
    for word in [*words, ";"]:
        if word in (";", "|", "||", "&&", "&"):
            if command:
                yield command
            command = []
        else:
            command.append(word)


def refusal(words):
    """What a command line's own program has against it; empty where nothing."""
    words = words[1:] if words[:1] == ["eval"] else words
    while words and re.match(r"^\w+=", words[0]):
        words = words[1:]
    # What goes into a file is no argument.
    if ">" in words:
        words = words[: words.index(">")]
    # A built program is called by its place before it is installed.
    program, arguments = (words or [""])[0].removeprefix("target/debug/"), words[1:]
    if program == "windlass":
        # clap reads what stands before --help: an unknown command, option or word too many is an error.
        done = run(binary(), *arguments, "--help")
        return "" if done.returncode == 0 else done.stderr
    if program.endswith("sam"):
        told = help_of_sam(arguments[0])
        missing = [word for word in arguments if word.startswith("--") and not re.search(re.escape(word.split("=")[0]) + r"(?![\w-])", told)]
        return f"sam {arguments[0]} has no {missing}" if missing else ""
    if program == "aws":
        return refused_by_aws(arguments)
    if "/" in program and not program.startswith(("/", "~", "$", "<")):
        return "" if (ROOT / program).exists() else f"{program} is not in the repository"
    return ""


@functools.cache
def help_of_sam(command):
    return run(str(TOOLS / "sam"), command, "--help").stdout


# Only in the AWS CLI's second version, or a command of the CLI's own that makes no skeleton.
NOT_BY_SKELETON = {("logs", "tail"), ("cloudformation", "deploy"), ("ecr", "get-login-password"), ("s3", "mb")}


def refused_by_aws(arguments):
    """The AWS CLI's own opinion, without a call: with --generate-cli-skeleton it reads all else and stops."""
    if tuple(arguments[:2]) in NOT_BY_SKELETON:
        return ""
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()) as said:
        try:
            code = aws_cli().main([*arguments, "--generate-cli-skeleton", "input"])
        except SystemExit as end:
            code = end.code
    return said.getvalue() if code else ""


@functools.cache
def aws_cli():
    """The AWS CLI in this process: starting one takes a second."""
    os.environ.setdefault("AWS_DEFAULT_REGION", "eu-central-1")
    return create_clidriver()


@pytest.mark.parametrize("block", SHELL_BLOCKS, ids=str)
def test_every_command_in_a_block_is_one_that_there_is(block):
    refused = [f"{' '.join(words)}: {why}" for words in commands(block.text) if (why := refusal(words))]
    assert not refused, f"{block}:\n" + "\n".join(refused)


INLINE = [(page, n, text) for page in PAGES for n, text in inline_code(page) if re.match(r"(windlass|aws|sam|scripts/\w+) ", text)]


@pytest.mark.parametrize(("page", "line", "text"), INLINE, ids=[f"{page}:{n} {text}" for page, n, text in INLINE])
def test_every_inline_command_is_one_that_there_is(page, line, text):
    # `windlass history …` says that more would follow.
    refused = [why for words in commands(text.replace("…", "")) if (why := refusal(words))]
    assert not refused, f"{page}:{line}: {text}:\n{refused}"


# ---- Specs -------------------------------------------------------------------------------------------------


WHOLE = {"cluster": "main", "service": "shop", "image": {"repository": "shop", "policy": {"semver": "1.x"}}}
TASK = {"task": {"cpu": 64, "memory": 64, "port": 8080}}
# What a fragment on another page leaves out, because it is not what it is about.
ROUTE = {"route": {"paths": ["/*"]}}


def whole(block):
    """The spec that a fragment is a part of: what it does not speak of is added."""
    told = yaml.safe_load(block.text)
    kind = block.mark or "service's spec"
    if kind == "cluster's spec":
        return {"cluster": "main", **told}
    assert kind == "service's spec", f"{block}: <!-- {kind} --> is no mark of a yaml block: marks.py has them"
    return {**WHOLE, **({} if "route" in told else ROUTE), **TASK, **told}


@pytest.mark.parametrize("block", [block for block in SPECS if not block.mark.startswith(("trace", "not a spec:"))], ids=str)
def test_every_spec_is_one(block):
    text = block.text if block.mark.startswith("file: ") else yaml.safe_dump(whole(block))
    done = run(binary(), "spec", "check", "-", stdin=text)
    assert done.returncode == 0, f"{block}:\n{done.stdout}{done.stderr}"


@pytest.mark.parametrize("block", [block for block in SPECS if block.mark == "trace"], ids=str)
def test_every_trace_is_one(block, tmp_path):
    (tmp_path / "my.yaml").write_text(block.text)
    done = run(binary(), "simulate", "my.yaml", "--policy", "windlass", "--json", cwd=tmp_path, timeout=300)
    assert done.returncode == 0, f"{block}:\n{done.stdout}{done.stderr}"


def test_the_sample_of_samconfig_says_what_sam_and_the_template_know():
    told = tomllib.loads((ROOT / "samconfig.example.toml").read_text())["default"]["deploy"]["parameters"]
    parameters = re.findall(r"^  (\w+):$", (ROOT / "template.yaml").read_text().split("\nConditions:")[0], re.MULTILINE)
    assert [one for one in told["parameter_overrides"] if one.split("=")[0] not in parameters] == []
    assert [key for key in told if f"--{key.replace('_', '-')}" not in help_of_sam("deploy")] == []


# ---- Links -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("page", PAGES)
def test_every_link_leads_somewhere(page):
    here = (ROOT / page).parent
    broken = []
    for line, target in links(page):
        path, _, anchor = target.partition("#")
        file = (here / path).resolve() if path else ROOT / page
        if not file.exists():
            broken.append(f"{page}:{line}: {target}: no such file")
        elif anchor and file.suffix == ".md" and anchor not in anchors(str(file.relative_to(ROOT))):
            broken.append(f"{page}:{line}: {target}: no such heading")
    assert not broken, "\n".join(broken)


# ---- Tests that a page names -------------------------------------------------------------------------------


@pytest.mark.parametrize("page", [page for page in PAGES if page != "docs/least-privilege.md"])
def test_every_test_that_a_page_names_is_there(page):
    """`module::name` or `test_name`, or a Rust test's whole sentence; docs/least-privilege.md is judged by its own."""
    named = [(n, text) for n, text in inline_code(page) if re.fullmatch(r"(\w+::)?[a-z]+(_[a-z0-9]+){4,}", text)]
    source = "\n".join(path.read_text() for folder, kind in (("tests", "rs"), ("tests", "py"), ("shared", "rs"), ("aws", "rs")) for path in (ROOT / folder).rglob(f"*.{kind}"))
    missing = [f"{page}:{n}: {text}" for n, text in named if not re.search(rf"(fn|def) {text.split('::')[-1]}\(", source)]
    assert not missing, missing
