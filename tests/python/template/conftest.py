"""The template as SAM reads it, for the checks beside this file."""

import pathlib

import pytest
from samcli.yamlhelper import yaml_parse

ROOT = pathlib.Path(__file__).resolve().parents[3]


@pytest.fixture(scope="session")
def template():
    return yaml_parse((ROOT / "template.yaml").read_text())


@pytest.fixture(scope="session")
def resources(template):
    return template["Resources"]
