"""The two servers of the benchmark: a proxy that times every AWS call, and a Lambda Runtime API for one process.

Both contestants go through the same proxy, so that its own cost (about a tenth of a millisecond a call) is in both
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


# awsJson's target prefixes, as people call the services.
SERVICES = {
    "AmazonEC2ContainerServiceV20141113": "ecs",
    "AmazonEC2ContainerRegistry_V20150921": "ecr",
    "AmazonSSM": "ssm",
    "DynamoDB_20120810": "dynamodb",
}


LENGTH = re.compile(rb"(?i)\ncontent-length: *(\d+)")
TARGET = re.compile(rb"(?i)\nx-amz-target: *(\w+)\.(\w+)")
ACTION = re.compile(rb"[\n&]Action=(\w+)")


def name_of(request):
    """`dynamodb.GetItem`, `ecs.UpdateService`: from the protocol's own place."""
    if target := TARGET.search(request):
        service, operation = (part.decode() for part in target.groups())
        return f"{SERVICES.get(service, service)}.{operation}"
    if action := ACTION.search(request):
        return f"elb.{action[1].decode()}"
    return "http"


class Message:
    """Gathers one HTTP/1.1 message of known length."""

    def __init__(self):
        self.bytes = b""

    def feed(self, data):
        """Whether it is whole now."""
        self.bytes += data
        head, found, body = self.bytes.partition(b"\r\n\r\n")
        if not found:
            return False
        length = LENGTH.search(head)
        assert length or b"chunked" not in head, "the proxy reads no chunked bodies"
        return len(body) >= (int(length[1]) if length else 0)


class Upstream(asyncio.Protocol):
    """The connection to the endpoint that belongs to one of a contestant."""

    def __init__(self, downstream):
        self.downstream = downstream

    def data_received(self, data):
        self.downstream.answered(data)

    def connection_lost(self, _):
        self.downstream.transport.close()


class Downstream(asyncio.Protocol):
    """A connection of a contestant's: bytes go on as they come, requests are noted."""

    def __init__(self, proxy):
        self.proxy, self.request, self.answer, self.call = proxy, Message(), Message(), None

    def connection_made(self, transport):
        self.transport, self.waiting, self.upstream = transport, [], None
        loop = asyncio.get_running_loop()
        made = loop.create_connection(lambda: Upstream(self), "127.0.0.1", self.proxy.upstream_port)
        loop.create_task(made).add_done_callback(self.connected)

    def connected(self, made):
        self.upstream = made.result()[0]
        for data in self.waiting:
            self.upstream.write(data)

    def data_received(self, data):
        if not self.call:
            self.call = AwsCall("", time.perf_counter())
        if self.request.feed(data):
            self.call.name = name_of(self.request.bytes)
            self.proxy.calls.append(self.call)
            whole, self.request = self.request.bytes, Message()
            if self.proxy.delay:
                asyncio.get_running_loop().call_later(self.proxy.delay, self.send, whole)
            else:
                self.send(whole)

    def send(self, data):
        (self.upstream.write if self.upstream else self.waiting.append)(data)

    def answered(self, data):
        if self.answer.feed(data):
            self.call.ended = time.perf_counter()
            self.call, self.answer = None, Message()
        self.transport.write(data)

    def connection_lost(self, _):
        if self.upstream:
            self.upstream.close()


class Proxy:
    """Forwards to the endpoint, each call `delay` seconds late, and notes it."""

    def __init__(self, upstream_port):
        self.upstream_port, self.delay, self.calls = upstream_port, 0.0, []

    async def start(self):
        server = await asyncio.get_running_loop().create_server(lambda: Downstream(self), "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        return self


async def read_message(reader):
    """(head, body) of one HTTP/1.1 message, or None where the peer is gone."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except (asyncio.IncompleteReadError, ConnectionResetError):
        return None
    length = LENGTH.search(head)
    return head, await reader.readexactly(int(length[1]) if length else 0)


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
            request, body = message
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
