"""The two servers of the benchmark: a proxy that times every AWS call, and a Lambda Runtime API for one process.

Both contestants go through the same proxy, so that its own cost (some tenths of a millisecond a call) is in both
columns.
"""

import asyncio
import dataclasses
import json
import re
import time


@dataclasses.dataclass
class AwsCall:
    name: str
    began: float
    ended: float = float("inf")


async def read_message(reader):
    """One HTTP/1.1 message with a content-length: (head, headers, body), or None where the peer is gone."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except (asyncio.IncompleteReadError, ConnectionResetError):
        return None
    lines = head.decode("latin-1").split("\r\n")
    pairs = (line.split(": ", 1) for line in lines[1:] if ": " in line)
    headers = {name.lower(): value for name, value in pairs}
    assert "chunked" not in headers.get("transfer-encoding", ""), "the proxy reads no chunked bodies"
    body = await reader.readexactly(int(headers.get("content-length", 0)))
    return head, headers, body


# awsJson's target prefixes, as people call the services.
SERVICES = {
    "AmazonEC2ContainerServiceV20141113": "ecs",
    "AmazonEC2ContainerRegistry_V20150921": "ecr",
    "AmazonSSM": "ssm",
    "DynamoDB_20120810": "dynamodb",
}


def name_of(headers, body):
    """`DynamoDB.GetItem`, `ecs.UpdateService`: from the protocol's own place."""
    if target := headers.get("x-amz-target"):
        service, _, operation = target.rpartition(".")
        return f"{SERVICES.get(service, service)}.{operation}"
    if action := re.search(rb"(?:^|&)Action=(\w+)", body):
        return f"elb.{action[1].decode()}"
    return "http.get"


class Proxy:
    """Forwards to the endpoint, each call `delay` seconds late, and notes it."""

    def __init__(self, upstream_port):
        self.upstream_port, self.delay, self.calls = upstream_port, 0.0, []

    async def start(self):
        server = await asyncio.start_server(self.serve, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        return self

    async def serve(self, reader, writer):
        up_reader, up_writer = await asyncio.open_connection("127.0.0.1", self.upstream_port)
        try:
            while message := await read_message(reader):
                head, headers, body = message
                call = AwsCall(name_of(headers, body), time.perf_counter())
                self.calls.append(call)
                if headers.get("expect") == "100-continue":
                    writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
                if self.delay:
                    await asyncio.sleep(self.delay)
                up_writer.write(head + body)
                answer = await read_message(up_reader)
                assert answer, "the endpoint cut a connection"
                call.ended = time.perf_counter()
                writer.write(answer[0] + answer[2])
                await writer.drain()
        finally:
            writer.close()
            up_writer.close()


class RuntimeApi:
    """Lambda's Runtime API for one process: `invoke` gives it an event and waits for what it says."""

    def __init__(self):
        self.events, self.answers, self.asked = asyncio.Queue(), asyncio.Queue(), asyncio.Event()

    async def start(self):
        server = await asyncio.start_server(self.serve, "127.0.0.1", 0)
        self.address = "127.0.0.1:%d" % server.sockets[0].getsockname()[1]
        return self

    async def serve(self, reader, writer):
        while message := await read_message(reader):
            request, _, body = message
            path = request.split(b" ", 2)[1].decode()
            if path.endswith("/invocation/next"):
                self.asked_at = time.perf_counter()
                self.asked.set()
                if not (event := await self.events.get()):
                    break  # the process was killed
                await self.reply(writer, 200, json.dumps(event).encode())
            else:
                await self.answers.put((path.rsplit("/", 1)[1], body.decode(), time.perf_counter()))
                await self.reply(writer, 202, b"{}")
        writer.close()

    async def reply(self, writer, status, body):
        deadline = int((time.time() + 3600) * 1000)  # far off: the endpoint's clock runs ahead of this one
        head = (
            f"HTTP/1.1 {status} x\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n"
            f"lambda-runtime-aws-request-id: bench\r\nlambda-runtime-deadline-ms: {deadline}\r\n"
            "lambda-runtime-invoked-function-arn: arn:aws:lambda:eu-central-1:123456789012:function:deploy\r\n"
            "lambda-runtime-trace-id: Root=1-00000000-000000000000000000000000\r\n\r\n"
        )
        writer.write(head.encode() + body)
        await writer.drain()

    async def end(self, child):
        child.kill()
        await child.wait()
        await self.events.put(None)

    async def invoke(self, event):
        await self.events.put(event)
        kind, body, at = await asyncio.wait_for(self.answers.get(), 60)
        assert kind == "response", f"the function failed: {body}"
        self.said = body
        return at


def waves(calls, last=None):
    """The calls by how many must end before each begins: [[names that ran side by side], …], up to the call `last`.

    A call can depend on another one only if it began after that one had ended, so the number of waves is the length
    of the longest chain.
    """
    deep, found = {}, []
    for call in sorted(calls, key=lambda c: c.began):
        wave = max((deep[id(c)] + 1 for c in calls if c.ended <= call.began), default=0)
        deep[id(call)] = wave
        if wave == len(found):
            found.append([])
        found[wave].append(call.name)
        if call.name == last:
            return found[: wave + 1]
    return found


def waiting(calls, until):
    """Seconds before `until` in which at least one call was under way."""
    total, seen = 0.0, 0.0
    for call in sorted(calls, key=lambda c: c.began):
        began, ended = max(call.began, seen), min(call.ended, until)
        total, seen = total + max(0.0, ended - began), max(seen, ended)
    return total
