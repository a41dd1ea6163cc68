"""Windlass's stack, deployed by `sam deploy` into ministack: CloudFormation, Lambda, EventBridge, DynamoDB, SSM, SQS, IAM
are ministack's; ECS, ECR, ELB, Auto Scaling and CloudWatch are the simulator's. Two implementations that know nothing of
each other have to agree on the wiring."""

import dataclasses
import json
import os
import pathlib
import subprocess
import sys

import boto3
import pytest

from samcli.yamlhelper import yaml_dump, yaml_parse

from processes import CREDENTIALS, REGION, ROOT, eventually, free_port, running
from world import World, binary, windlass_local

# The simulator's account, so that ARNs of one are ARNs to the other.
ACCOUNT = "123456789012"
OF_THE_SIMULATOR = ["ECS", "ECR", "ELASTIC_LOAD_BALANCING_V2", "AUTO_SCALING", "CLOUDWATCH", "APPLICATION_AUTO_SCALING"]
TOOLS = pathlib.Path(sys.executable).parent


@dataclasses.dataclass
class Deployed:
    """The stack, and what is around it."""

    sim: World
    variables: dict
    outputs: dict
    log: pathlib.Path

    def client(self, service):
        return boto3.client(
            service,
            endpoint_url=self.variables["AWS_ENDPOINT_URL"],
            region_name=REGION,
            aws_access_key_id=CREDENTIALS["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
        )

    def windlass(self, *arguments):
        done = subprocess.run([binary(), *arguments], capture_output=True, text=True, timeout=60, env={**os.environ, **self.variables})
        assert done.returncode == 0, f"windlass {' '.join(arguments)}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done.stdout


def ministack():
    """The server's own environment: what it needs fits no other tool's pins. scripts/test makes it."""
    path = ROOT / ".venv-ministack/bin/ministack"
    assert path.exists(), f"{path} is not there: scripts/setup-tools ministack"
    return str(path)


def built():
    """What `sam build` made, for this machine's processor: the functions' folders and the template of them."""
    path = ROOT / ".aws-sam" / os.uname().machine.replace("aarch64", "arm64") / "template.yaml"
    assert path.exists(), f"{path} is not there: scripts/build-functions --quick --arch {path.parent.name}"
    return path


@pytest.fixture(scope="session")
def deployed(tmp_path_factory):
    directory = tmp_path_factory.mktemp("sim")
    # In real time: the functions' clock is the machine's.
    with windlass_local(directory, speed=1) as (sim, _):
        port, directory = free_port(), tmp_path_factory.mktemp("ministack")
        endpoint = f"http://127.0.0.1:{port}"
        variables = {
            **CREDENTIALS,
            "AWS_REGION": REGION,
            "AWS_ENDPOINT_URL": endpoint,
            **{f"AWS_ENDPOINT_URL_{service}": sim.endpoint for service in OF_THE_SIMULATOR},
        }
        settings = {
            "BIND_HOST": "127.0.0.1",
            "GATEWAY_PORT": str(port),
            "MINISTACK_HOST": "127.0.0.1",
            "MINISTACK_REGION": REGION,
            "MINISTACK_ACCOUNT_ID": ACCOUNT,
            "STATE_DIR": str(directory / "state"),
            "S3_DATA_DIR": str(directory / "s3"),
        }
        with running([ministack()], f"{endpoint}/_ministack/health", directory, {**variables, **settings}):
            outputs = deploy(variables, sim.variables["WINDLASS_LISTENER_ARN"])
            # The `windlass` command finds the stack by the parameter that it made: nothing of it is exported.
            yield Deployed(sim, variables, outputs, directory / "err")
        print((directory / "err").read_text()[-6000:], file=sys.stderr)


# What ministack refuses by its type, even behind a condition that does not hold. With RegistryAccounts only: the simulator
# has it (tests/tests/push_to_live/accounts.rs).
UNKNOWN_TO_MINISTACK = {"AWS::Events::EventBusPolicy"}


def known(template):
    """The built template beside itself, without what ministack does not know."""
    whole = yaml_parse(template.read_text())
    left_out = [name for name, resource in whole["Resources"].items() if resource["Type"] in UNKNOWN_TO_MINISTACK]
    assert all(whole["Resources"].pop(name)["Condition"] == "HasRegistryAccounts" for name in left_out), left_out
    path = template.with_name("template-ministack.yaml")
    path.write_text(yaml_dump(whole))
    return path


def deploy(variables, listener):
    """`sam deploy`, as a user would."""
    environment = {**os.environ, **variables, "SAM_CLI_TELEMETRY": "0"}

    def run(*command):
        done = subprocess.run([str(TOOLS / command[0]), *command[1:]], capture_output=True, text=True, timeout=400, env=environment, cwd=ROOT)
        assert done.returncode == 0, f"{' '.join(command)}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    run("aws", "s3", "mb", "s3://artifacts")
    processor = built().parent.name
    # ministack makes no alarms of metric math: cfn-lint and the CDK's validation have looked at those.
    parameters = [f"Architecture={processor}", f"ListenerArn={listener}", "ClusterNames=main", "RepositoryNames=*", "Alarms=no"]
    run("sam", "deploy", "--template-file", str(known(built())), "--stack-name", "windlass", "--s3-bucket", "artifacts", "--capabilities", "CAPABILITY_IAM", "--no-confirm-changeset", "--no-progressbar", "--parameter-overrides", *parameters)
    stacks = json.loads(run("aws", "cloudformation", "describe-stacks", "--stack-name", "windlass", "--output", "json"))
    return {output["OutputKey"]: output["OutputValue"] for output in stacks["Stacks"][0]["Outputs"]}


@pytest.fixture(scope="session")
def deploy_function(deployed):
    arn = deployed.client("lambda").get_function(FunctionName=deployed.outputs["Function"])["Configuration"]["FunctionArn"]
    return eventually("the function's ARN", lambda: arn)
