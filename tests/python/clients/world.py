"""An AWS endpoint that tests talk to, and `windlass local` as one."""

import contextlib
import dataclasses
import json
import os

import boto3
from botocore.config import Config

from processes import CREDENTIALS, REGION, ROOT, eventually, free_port, running


@dataclasses.dataclass
class World:
    """An AWS endpoint, and what is there to begin with."""

    name: str
    endpoint: str
    # What `windlass local` tells a shell to export.
    variables: dict = dataclasses.field(default_factory=dict)
    function: str = ""
    alb: str = ""
    cluster: str = "main"
    vpc: str = ""
    load_balancer: str = ""
    listener: str = ""

    def client(self, service):
        return boto3.client(
            service,
            endpoint_url=self.endpoint,
            region_name=REGION,
            aws_access_key_id=CREDENTIALS["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
            config=Config(retries={"mode": "standard", "max_attempts": 8}),
        )

    @property
    def registry(self):
        return "localhost:" + self.endpoint.rsplit(":", 1)[1]


def binary():
    path = os.environ.get("WINDLASS") or str(ROOT / "target/debug/windlass")
    assert os.access(path, os.X_OK), f"{path} is not there: cargo build -p windlass -p windlass-deploy -p windlass-verify -p windlass-scale -p windlass-drain, or set WINDLASS"
    return path


@contextlib.contextmanager
def windlass_local(directory, speed):
    """`windlass local` on free ports, `speed` times as fast as life. Gives the world and the process."""
    port, alb = free_port(), free_port()
    command = [binary(), "local", "--json", "--port", str(port), "--alb-port", str(alb), "--speed", str(speed)]
    with running(command, f"http://127.0.0.1:{port}/_windlass/health", directory) as child:
        told = eventually("windlass local tells its variables", (directory / "out").read_text)
        told = json.loads(told)
        world = World("sim", f"http://127.0.0.1:{port}", told["variables"], told["function"], alb=f"http://127.0.0.1:{alb}")
        yield world, child
