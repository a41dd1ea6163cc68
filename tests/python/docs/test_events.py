"""`cargo lambda invoke` with every file of events/, as docs/developing.md says: each function answers each event, or refuses
it by its own words.

cargo-lambda's emulator is the real one. The functions are the binaries that `cargo test` built: `cargo lambda watch` by
itself would build them and the SDKs once more, because cargo counts features differently there.
"""

import concurrent.futures
import contextlib
import json
import os
import pathlib
import re
import subprocess
import sys

import pytest
from processes import ROOT, eventually, free_port, running
from world import binary, windlass_local

CARGO_LAMBDA = str(pathlib.Path(sys.executable).parent / "cargo-lambda")
EVENTS = sorted(path.name for path in (ROOT / "events").glob("*.json"))
FUNCTIONS = ("deploy", "scale", "drain", "verify")
# What verify is asked; it has no other callers, so that all else is a fault of who sent it.
FOR_VERIFY = re.compile(r"ecs-lifecycle-hook-|windlass-verdict-wanted")


@contextlib.contextmanager
def functions(world, port, directory):
    """The functions' binaries, each under the emulator's Runtime API, with what `windlass local` says to export."""
    with contextlib.ExitStack() as stack:
        for name in FUNCTIONS:
            variables = {
                **os.environ,
                **world.variables,
                "AWS_LAMBDA_RUNTIME_API": f"http://127.0.0.1:{port}/.rt/{name}",
                "AWS_LAMBDA_FUNCTION_NAME": name,
                "AWS_LAMBDA_FUNCTION_VERSION": "1",
                "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "256",
                "AWS_LAMBDA_LOG_GROUP_NAME": name,
                "AWS_LAMBDA_LOG_STREAM_NAME": name,
            }
            log = stack.enter_context(open(directory / f"{name}.log", "wb"))
            child = subprocess.Popen([pathlib.Path(binary()).parent / name], env=variables, stdout=log, stderr=log)
            stack.callback(child.wait, 15)
            stack.callback(child.terminate)
        yield


def invoke(port, function, event):
    """What `cargo lambda invoke` ends with and prints."""
    command = [CARGO_LAMBDA, "lambda", "invoke", "--invoke-address", "127.0.0.1", "--invoke-port", str(port), function]
    done = subprocess.run([*command, "--data-file", f"events/{event}"], capture_output=True, text=True, timeout=60, cwd=ROOT)
    return done.returncode, done.stdout, " ".join(re.sub(r"[│×]", " ", done.stderr).split())


@pytest.fixture(scope="module")
def answers(tmp_path_factory):
    """(function, event) → how it ended. A function takes one event at a time, the four take theirs side by side."""
    directory = tmp_path_factory.mktemp("events")
    port = free_port()
    watch = [CARGO_LAMBDA, "lambda", "watch", "--only-lambda-apis", "--invoke-address", "127.0.0.1", "--invoke-port", str(port)]
    # Any path that is no function's: an invocation would wait for one.
    url = f"http://127.0.0.1:{port}/2015-03-31/functions/none/invocations"
    with windlass_local(directory, speed=1) as (world, _), running(watch, url, tmp_path_factory.mktemp("watch")):
        with functions(world, port, directory), concurrent.futures.ThreadPoolExecutor() as pool:
            def all_of(function):
                return {(function, event): invoke(port, function, event) for event in EVENTS}

            found = {}
            for answered in pool.map(all_of, FUNCTIONS):
                found |= answered
            yield found


@pytest.fixture(scope="module")
def words():
    """How `windlass event` calls each file's event: a function says the same."""
    files = [f"events/{event}" for event in EVENTS]
    done = subprocess.run([binary(), "event", "--json", *files], capture_output=True, text=True, timeout=60, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    return {pathlib.Path(told["file"]).name: told["event"] for told in json.loads(done.stdout)["events"]}


@pytest.mark.parametrize("event", EVENTS)
@pytest.mark.parametrize("function", ["deploy", "scale", "drain"])
def test_a_function_answers_every_event(answers, words, function, event):
    code, out, err = answers[function, event]
    assert code == 0, err
    answer = json.loads(out)
    # It knows its own account, and says so of an event of another one.
    assert answer["event"].removesuffix(", account 123456789000 in eu-central-1") == words[event]
    # It rings, or says why not. A sweep over nothing, and an image that nobody follows, need no reason.
    nobody = event.startswith("schedule-") or (function == "deploy" and event.startswith(("ecr-", "inspector2-scan-image")))
    assert answer["rings"] or answer.get("reason") or nobody, answer
    assert not [ring for ring in answer["rings"] if "out of time" in ring["end"]], answer


@pytest.mark.parametrize("event", EVENTS)
def test_verify_answers_what_is_asked_of_it_and_refuses_all_else(answers, words, event):
    code, out, err = answers["verify", event]
    if not FOR_VERIFY.match(event):
        assert code == 1
        # The emulator breaks lines in the middle of what it quotes.
        plain = re.sub(r"\s", "", err)
        assert re.sub(r"\s", "", words[event]) in plain and "answerslifecyclehooks" in plain, err
        return
    assert code == 0, err
    answer = json.loads(out)
    assert answer.get("hookStatus") in ("SUCCEEDED", "FAILED", "IN_PROGRESS") or answer.get("verdict") in ("passed", "failed", "undecided"), answer
