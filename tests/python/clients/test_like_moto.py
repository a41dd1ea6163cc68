"""The simulator beside moto: the same calls, the same fields; the same mistakes, the same codes.

moto is an independent witness of AWS's static shapes, not the judge: where the two differ, `differences.toml` says
which, and why. A difference that is not listed fails, and so does one that is listed and gone.
"""

import pathlib
import tomllib
import types

import pytest
from botocore.exceptions import ClientError
from calls import CALLS, MISTAKES, same_id_twice

LISTED = tomllib.loads((pathlib.Path(__file__).parent / "differences.toml").read_text())


class Asked:
    """A world that was asked everything once."""

    def __init__(self, world):
        clients = types.SimpleNamespace(**{s: world.client(s) for s in ("ecs", "ecr", "elbv2", "ssm")})
        self.answers, self.codes = {}, {}
        for name, call in CALLS.items():
            answer = call(world, clients, self.answers)
            answer.pop("ResponseMetadata", None)
            self.answers[name] = answer
        for name, (_, call) in MISTAKES.items():
            try:
                call(world, clients, self.answers)
                self.codes[name] = "accepted"
            except ClientError as error:
                self.codes[name] = error.response["Error"]["Code"]
        self.two_ports = same_id_twice(world, clients, self.answers)


@pytest.fixture(scope="session")
def sim(local):
    return Asked(local)


@pytest.fixture(scope="session")
def witness(moto):
    return Asked(moto)


def shape(value, path=""):
    """Every path of an answer with its type, list indices folded: {"services[].status": "str"}."""
    if isinstance(value, dict):
        inner = [shape(v, f"{path}.{k}" if path else k) for k, v in value.items()]
    elif isinstance(value, list):
        inner = [shape(v, f"{path}[]") for v in value]
    else:
        return {path: type(value).__name__}
    found = {path: type(value).__name__} if path else {}
    for part in inner:
        found |= part
    return found


def differences(ours, theirs):
    """path → who has it alone, or both types. What lies below a difference is part of it."""
    ours, theirs = shape(ours), shape(theirs)
    found = {}
    for path in sorted(ours.keys() | theirs.keys()):
        if any(path.startswith((above + ".", above + "[")) for above in found):
            continue
        if path not in theirs:
            found[path] = "sim only"
        elif path not in ours:
            found[path] = "moto only"
        elif ours[path] != theirs[path]:
            found[path] = f"sim {ours[path]}, moto {theirs[path]}"
    return found


def inside(path):
    """A path below the answer's member: `service.status` and `services[].status` are both `status`."""
    return path.split(".", 1)[-1]


@pytest.mark.parametrize("name", CALLS)
def test_the_same_fields(name, sim, witness):
    listed = {path: entry["what"] for entry in LISTED["fields"] if name in entry["calls"] for path in entry["paths"]}
    found = differences(sim.answers[name], witness.answers[name])
    assert {inside(path): what for path, what in found.items()} == listed


@pytest.mark.parametrize("name", MISTAKES)
def test_the_same_error_code(name, sim, witness):
    right, _ = MISTAKES[name]
    assert sim.codes[name] == right, "the simulator does not answer as AWS does"
    listed = LISTED["errors"].get(name, {}).get("moto", right)
    assert witness.codes[name] == listed, "moto's answer is not what differences.toml says"


def test_one_instance_on_two_ports_is_two_targets(sim, witness):
    assert sim.two_ports == [40001, 40002]
    assert witness.two_ports == LISTED["two_ports"]["moto"]


def test_every_listed_difference_is_of_a_call_made_and_says_why():
    for entry in LISTED["fields"]:
        assert set(entry["calls"]) <= set(CALLS) and entry["why"], entry
    assert set(LISTED["errors"]) <= set(MISTAKES)
    assert all(entry["why"] for entry in LISTED["errors"].values())
