"""The snippets of docs/terraform.md parse, and say what Windlass reads and writes."""

import json
import re

import hcl2
import pytest
from conftest import ROOT

PAGE = (ROOT / "docs/terraform.md").read_text()


def blocks(language):
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)


def plain(value):
    """Without the quotes that the parser leaves on strings."""
    if isinstance(value, dict):
        return {plain(name): plain(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [plain(inner) for inner in value]
    return value.strip('"') if isinstance(value, str) else value


PARSED = [plain(hcl2.loads(text)) for text in blocks("hcl")]


def all_of(kind, resource):
    """name → body, of every block of that kind in the page."""
    found = {}
    for document in PARSED:
        for block in document.get(kind, []):
            for name, body in block.get(resource, {}).items():
                found[name] = body
    return found


def test_every_snippet_parses():
    assert len(PARSED) == PAGE.count("```hcl") >= 4
    assert all(PARSED)


def test_every_service_leaves_its_revision_to_windlass():
    services = all_of("resource", "aws_ecs_service")
    assert set(services) == {"shop", "worker"}
    for name, service in services.items():
        (lifecycle,) = service["lifecycle"]
        ignored = [re.sub(r"[${}]", "", one) for one in lifecycle["ignore_changes"]]
        assert "task_definition" in ignored, name


def test_the_tags_are_those_that_windlass_reads():
    tags = all_of("resource", "aws_ecs_service")["shop"]["tags"]
    source = (ROOT / "shared/src/spec/tag.rs").read_text()
    assert tags
    for tag in tags:
        assert f'"{tag}"' in source, tag


def test_the_parameters_are_those_that_windlass_writes_and_reads():
    published = all_of("data", "aws_ssm_parameter")["shop"]["name"]
    source = (ROOT / "shared/src/deploy/publish.rs").read_text()
    path = re.search(r'PATH: &str = "(.*)"', source)[1]
    assert published == f"{path}/main/shop"
    spec = all_of("resource", "aws_ssm_parameter")["shop_spec"]["name"]
    prefix = re.search(r'PARAMETER_PREFIX: &str = "(.*)"', (ROOT / "shared/src/spec/mod.rs").read_text())[1]
    assert spec == f"{prefix}main/shop"


@pytest.mark.parametrize("text", blocks("json"))
def test_what_is_published_has_the_members_that_the_page_says(text):
    source = (ROOT / "shared/src/deploy/publish.rs").read_text()
    written = re.findall(r'^        "(\w+)":', source, re.MULTILINE)
    assert sorted(json.loads(text)) == sorted(written) != []
    assert "local.shop.digest" in PAGE
