"""Push → UpdateService: the deploy function's binary under a Runtime API, beside `ecs deploy`, on one endpoint.

Prints medians of both in one table, then the waves of calls (with a delay on each call, what runs side by side and
what waits for what is plain), then a pass with nothing to do. Plain HTTP on loopback. Trust ratios, not absolute times.
"""

import argparse
import asyncio
import contextlib
import json
import os
import pathlib
import re
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests/python/clients"))

from conftest import windlass_local  # noqa: E402
from images import push  # noqa: E402
from processes import REGION  # noqa: E402
from wire import Proxy, RuntimeApi, waiting, waves  # noqa: E402

TARGET = pathlib.Path(os.environ.get("TARGET", ROOT / "target"))
# Apart from what the endpoint's own function looks after: it would answer the same events.
CLUSTER = TABLE = "bench"
UPDATE = "ecs.UpdateService"


READS = re.compile(r"\w+\.(Describe|List|Get|BatchGet|Query)\w*")


def peak_rss_mb(pid):
    """The high-water mark of this program alone: `ru_maxrss` would count the parent before exec."""
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmHWM"):
                return int(line.split()[1]) / 1024
    return 0.0


def update_of(calls):
    return next(c for c in calls if c.name == UPDATE)


class Bench:
    def __init__(self, world, proxy, directory):
        self.world, self.proxy, self.directory, self.pushed = world, proxy, directory, 0
        self.environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(directory),
            **world.variables,
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{proxy.port}",
        }

    def lambdas(self, runtime):
        """What Lambda and the stack put into a function's environment."""
        return self.environment | {
            "AWS_LAMBDA_RUNTIME_API": runtime.address,
            "AWS_LAMBDA_FUNCTION_NAME": "deploy",
            "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "256",
            "AWS_LAMBDA_LOG_GROUP_NAME": "bench",
            "AWS_LAMBDA_LOG_STREAM_NAME": "bench",
            # In AWS the function trusts Amazon's roots alone; at another endpoint the system's, unless told: the same.
            "SSL_CERT_FILE": str(ROOT / "aws/src/amazon-roots.pem"),
            "WINDLASS_CLUSTERS": CLUSTER,
            "WINDLASS_TABLE": TABLE,
        }

    def prepare(self):
        """Two services of the same content: one tracked by Windlass, one for the peer."""
        ecr, ecs = self.world.client("ecr"), self.world.client("ecs")
        ecs.create_cluster(clusterName=CLUSTER)
        keys = {"pk": "HASH", "sk": "RANGE"}
        self.world.client("dynamodb").create_table(
            TableName=TABLE,
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in keys],
            KeySchema=[{"AttributeName": name, "KeyType": kind} for name, kind in keys.items()],
        )
        for name, tags in {"ours": [{"key": "windlass:track", "value": "ours:semver=1.x"}], "peer": []}.items():
            ecr.create_repository(repositoryName=name)
            self.push(name)
            image = f"{self.world.registry}/{name}:{self.tag}"
            container = {"name": "web", "image": image, "cpu": 64, "memory": 64, "essential": True}
            ecs.register_task_definition(family=name, networkMode="bridge", containerDefinitions=[container])
            ecs.create_service(cluster=CLUSTER, serviceName=name, taskDefinition=name, desiredCount=0, launchType="EC2", tags=tags)

    def push(self, repository):
        """A new image; gives ECR's event of it."""
        self.pushed += 1
        self.tag = f"1.0.{self.pushed}"
        self.digest = push(self.directory / self.tag, self.world, repository, self.tag)
        return {
            "version": "0",
            "id": f"00000000-0000-0000-0000-{self.pushed:012}",
            "detail-type": "ECR Image Action",
            "source": "aws.ecr",
            "account": "123456789012",
            "time": "2026-01-01T00:00:00Z",
            "region": REGION,
            "resources": [],
            "detail": {
                "action-type": "PUSH",
                "result": "SUCCESS",
                "repository-name": repository,
                "image-digest": self.digest,
                "image-tag": self.tag,
            },
        }

    async def sweep(self):
        """The timer's pass: finds the tagged service, and notes which repository it follows."""
        runtime = await RuntimeApi().start()
        child = await spawn(TARGET / "release/deploy", self.lambdas(runtime))
        await runtime.invoke(json.loads((ROOT / "events/schedule-eventbridge-rule.json").read_text()))
        await runtime.end(child)

    async def ours(self, quiet=False):
        """One cold start and its first pass; where `quiet`, then the same event again until all is done."""
        await asyncio.sleep(0.5)
        await self.sweep()  # sees the end of the rollout before, as ECS's event would have told
        event, runtime = self.push("ours"), await RuntimeApi().start()
        self.proxy.calls.clear()
        began = time.perf_counter()
        child = await spawn(TARGET / "release/deploy", self.lambdas(runtime))
        try:
            answered = await runtime.invoke(event)
            calls, rss = list(self.proxy.calls), peak_rss_mb(child.pid)
            for _ in range(3 if quiet else 0):  # the rollout ends meanwhile: what the last one sees is quiet
                await asyncio.sleep(1)
                self.proxy.calls.clear()
                await runtime.invoke(event)
            again = list(self.proxy.calls)
        finally:
            await runtime.end(child)
        assert self.image_of("ours").endswith(f"/ours@{self.digest}"), f"not deployed: {runtime.said} {waves(calls)} {self.said()}"
        return measured(calls, began, answered, rss), calls, again

    async def peer(self):
        """One run of the peer, which does not wait for the rollout either."""
        self.push("peer")
        image = f"{self.world.registry}/peer:{self.tag}"
        self.proxy.calls.clear()
        program = pathlib.Path(sys.executable).parent / "ecs"
        command = ["deploy", CLUSTER, "peer", "--image", "web", image, "--timeout", "-1"]
        began = time.perf_counter()
        child = await spawn(program, self.environment, *command)
        rss = 0.0
        while child.returncode is None:
            rss = max(rss, peak_rss_mb(child.pid))
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(asyncio.shield(child.wait()), 0.005)
        ended, calls = time.perf_counter(), list(self.proxy.calls)
        assert child.returncode == 0 and self.image_of("peer") == image, f"not deployed: {self.said()}"
        return measured(calls, began, ended, rss), calls

    async def init(self, program):
        """Spawn → the first /next, ms."""
        runtime = await RuntimeApi().start()
        began = time.perf_counter()
        child = await spawn(TARGET / "release" / program, self.lambdas(runtime))
        await asyncio.wait_for(runtime.asked.wait(), 10)
        await runtime.end(child)
        return (runtime.asked_at - began) * 1000

    def said(self):
        return (self.directory / "said").read_text()

    def image_of(self, service):
        ecs = self.world.client("ecs")
        live = ecs.describe_services(cluster=CLUSTER, services=[service])["services"][0]["taskDefinition"]
        return ecs.describe_task_definition(taskDefinition=live)["taskDefinition"]["containerDefinitions"][0]["image"]


def measured(calls, began, ended, rss):
    """One run as the table has it."""
    update = update_of(calls)
    return {
        "to UpdateService, ms": (update.began - began) * 1000,
        "of that, its own, ms": (update.began - began - waiting(calls, update.began)) * 1000,
        "whole, ms": (ended - began) * 1000,
        "peak RSS, MB": rss,
        "calls to UpdateService": sum(c.began <= update.began for c in calls),
        "calls in all": len(calls),
        "deep, to UpdateService": len(waves(calls, UPDATE)),
    }


async def spawn(program, environment, *arguments):
    """What it says goes to the file that `said` reads."""
    with open(pathlib.Path(environment["HOME"]) / "said", "wb") as out:
        return await asyncio.create_subprocess_exec(program, *arguments, env=environment, stdout=out, stderr=out)


def of_each(choose, runs):
    return {key: choose([run[key] for run in runs]) for key in runs[0]}


def table(title, ours, peer):
    print(f"\n{title}\n{'':28}{'windlass deploy':>18}{'ecs deploy':>14}{'ratio':>9}")
    for key in ours:
        ratio = f"{peer[key] / ours[key]:.1f}×" if ours[key] else ""
        print(f"{key:28}{ours[key]:18.1f}{peer[key]:14.1f}{ratio:>9}")


def goal(words, value, met):
    print(f"  {'met    ' if met else 'NOT met'}  {words}: {value}")


async def measure(world, directory, runs, delay_ms):
    proxy = await Proxy(int(world.endpoint.rsplit(":", 1)[1])).start()
    bench = Bench(world, proxy, directory)
    bench.prepare()
    await bench.sweep(), await bench.ours(), await bench.peer()  # from here on, both do it for the second time

    # One of each in turn, so that a busy moment of the machine is in both columns.
    ours, peer = [], []
    for _ in range(runs):
        ours.append((await bench.ours())[0])
        peer.append((await bench.peer())[0])
    table(f"least of {runs} runs (a busy machine disturbs these the least)", of_each(min, ours), of_each(min, peer))
    ours, peer = of_each(statistics.median, ours), of_each(statistics.median, peer)
    table(f"medians of {runs} runs", ours, peer)

    proxy.delay = delay_ms / 1000
    slow, calls, again = await bench.ours(quiet=True)
    slow_peer, peer_calls = await bench.peer()
    table(f"with {delay_ms} ms added to each call (one run)", slow, slow_peer)
    for name, of in (("windlass deploy", calls), ("ecs deploy", peer_calls), ("windlass, nothing to do", again)):
        print(f"\n{name}: what waits for what")
        for n, names in enumerate(waves(of), 1):
            print(f"  {n:2}  {', '.join(names)}")
    proxy.delay = 0

    programs = ("deploy", "examples/empty")
    starts = [{program: await bench.init(program) for program in programs} for _ in range(runs)]
    inits = of_each(statistics.median, starts)
    print(f"\ninit (spawn → first /next), ms: deploy {inits['deploy']:.2f}, an empty handler {inits['examples/empty']:.2f}")

    print("\ngoals (performance.md)")
    key = "to UpdateService, ms"
    goal("at least 40 times faster than ecs deploy", f"{peer[key] / ours[key]:.0f} times", peer[key] >= 40 * ours[key])
    key = "peak RSS, MB"
    goal("at most 1/5 of its memory", f"1/{peer[key] / ours[key]:.1f}", peer[key] >= 5 * ours[key])
    ratio = inits["deploy"] / inits["examples/empty"]
    goal("init at most 1.5 times an empty handler's", f"{ratio:.2f} times", ratio <= 1.5)
    to_update = waves(calls, UPDATE)
    leased = next((n for n, wave in enumerate(to_update, 1) if "dynamodb.UpdateItem" in wave), 0)
    beyond = len(to_update) - leased
    goal("UpdateService at most 3 round trips beyond the lease", f"{beyond}, of {len(to_update)} in all", beyond <= 3)
    writes = sorted({c.name for c in again if not READS.fullmatch(c.name)} - {"dynamodb.UpdateItem"})
    goal("a pass with nothing to do only reads, beside ringing and the lease", ", ".join(writes) or "it does", not writes)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=9, help="runs of each (medians are printed)")
    parser.add_argument("--delay-ms", type=float, default=20, help="added to each call in the second table")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        directory = pathlib.Path(directory)
        # 20 revisions, then one a second, is AWS's rate and the simulator's: its clock runs fast enough to stay out of it.
        with windlass_local(directory, speed=20) as (world, _):
            asyncio.run(measure(world, directory, options.runs, options.delay_ms))


if __name__ == "__main__":
    main()
