"""Measures what hostile servers and clients of one organization cost another: promise 16.

    python -m tests.load.hostile [--seconds 30] [attack ...]

Alice calls two workers on one machine at once, each two hundred times a second: first alone, then while
another organization attacks one of the two. The attackers are a process of lower priority. Reported are the
ratio of her p99 at the attacked worker to that at the other, which has the same machine at the same time; how
much the attacked worker's memory grew; and how long it kept connections whose clients had left.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from asyncio.subprocess import Process
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Final

import msgspec

from common.tokens import GRANT, new_token, token_hash
from gateway_config.wire.bundle import Bundle, BundleGrant, BundlePolicy, BundleServer, BundleTool
from gateway_config.wire.messages import Head, HeadsAnswer, SignedBundle
from tests.gateway.test_main import Worker
from tests.gateway_config.wire.bundles import signed
from tests.load.gateway import _Plane, _Takes
from tests.load.hostile_peers import ATTACKS, BY_SERVERS
from tests.ports import free_port

ACME: Final = "00000000-0000-7000-8000-00000000ac3e"
UMBRA: Final = "00000000-0000-7000-8000-0000000003b4"
SERVERS: Final = {ACME: "00000000-0000-7000-8000-0000000005e1", UMBRA: "00000000-0000-7000-8000-0000000005e2"}
_POLICY: Final = "00000000-0000-7000-8000-000000000901"
_DOCUMENT: Final = '{"version": "1", "default": "allow"}'
_CALLS_A_SECOND: Final = 200
_SETTLE_SECONDS: Final = 0.3
_MOST_MEMORY: Final = 64 * 1024


@dataclass
class Found:
    """The results of one attack: what Alice's calls took in seconds, one list per second of calling; `memory`
    in KiB; `wrong`: how many of her calls were not answered correctly."""

    attack: str
    alone: list[list[float]] = field(default_factory=list)
    elsewhere: list[list[float]] = field(default_factory=list)
    attacked: list[list[float]] = field(default_factory=list)
    memory: int = 0
    kept: float = 0.0
    wrong: int = 0

    @property
    def ratio(self) -> float:
        return p99(self.attacked) / p99(self.elsewhere)

    @property
    def most(self) -> float:
        return 1.5 if self.attack in BY_SERVERS else 2.0

    @property
    def holds(self) -> bool:
        return self.ratio <= self.most and self.memory <= _MOST_MEMORY and self.kept <= 60 and not self.wrong

    def row(self) -> str:
        return (
            f"| {self.attack} | {1e3 * p99(self.alone):.1f} | {1e3 * p99(self.elsewhere):.1f} | "
            f"{1e3 * p99(self.attacked):.1f} | "
            f"{self.ratio:.2f} | {self.most} | {self.memory / 1024:.1f} | {self.kept:.1f} | {self.wrong} |"
        )


def p99(turns: Iterable[list[float]]) -> float:
    seconds = list(chain.from_iterable(turns))
    return statistics.quantiles(seconds, n=100)[98] if len(seconds) > 1 else float("inf")


# The control plane and the worker


class _TwoTenants(_Takes):
    def do_GET(self) -> None:
        bundles: dict[str, SignedBundle] = self.plane.bundles  # type: ignore[attr-defined]
        organization = self.path.rstrip("/").rpartition("/")[2]
        if organization in bundles:
            return self._answer(200, msgspec.json.encode(bundles[organization]))
        if not self.path.startswith("/internal/v1/heads"):
            return super().do_GET()
        time.sleep(20 if "wait=25" in self.path else 0)
        of_all = [one.envelope for one in bundles.values()]
        heads = tuple(Head(one.organization, one.revision, one.hash) for one in of_all)
        return self._answer(200, msgspec.json.encode(HeadsAnswer(1, heads)))


def _bundle(organization: str, token: str, port: int, document: str) -> SignedBundle:
    server = SERVERS[organization]
    tools = (BundleTool(name="search", digest="d"),)
    url = f"http://127.0.0.1:{port}/mcp"
    bundle = Bundle(
        organization=organization,
        servers=(BundleServer(id=server, name="S", upstream_url=url, tools=tools),),
        policies=(BundlePolicy(_POLICY, _POLICY, 1, document),),
        grants=(
            BundleGrant(
                id=f"{server[:-3]}941", token_sha256=token_hash(token), server=server, policy=_POLICY
            ),
        ),
    )
    return signed(bundle, 1, not_before=int(time.time()) - 1)


@contextmanager
def working(
    folder: Path, tokens: dict[str, str], ports: dict[str, int], umbras: str = _DOCUMENT
) -> Iterator[Worker]:
    documents = {ACME: _DOCUMENT, UMBRA: umbras}
    bundles = {one: _bundle(one, tokens[one], ports[one], documents[one]) for one in (ACME, UMBRA)}
    plane = _Plane(bundles[ACME])
    plane.bundles = bundles  # type: ignore[attr-defined]
    plane.server.RequestHandlerClass = type("TwoTenants", (_TwoTenants,), {"plane": plane})
    worker = Worker(folder, plane, EGRESS_ALLOW_PRIVATE="127.0.0.0/8", LOG_LEVEL="warning")
    worker.start()
    reading = threading.Thread(target=lambda: worker.process.stdout and worker.process.stdout.read())
    reading.start()
    try:
        worker.wait_until_ready()
        yield worker
    finally:
        worker.process.terminate()
        worker.process.wait(60)
        plane.go_away()


def _memory(pid: int) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS"))


# Alice


class _Shop(asyncio.Protocol):
    """Alice's server."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        body = b'{"jsonrpc":"2.0","id":1,"result":{"content":[]}}'
        head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body)
        assert isinstance(self._transport, asyncio.Transport)
        self._transport.write(head + body)


class Alice:
    def __init__(self, port: int, token: str) -> None:
        body = b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"search","arguments":{}}}'
        head = (
            f"POST /mcp/{SERVERS[ACME]}/ HTTP/1.1\r\nHost: 127.0.0.1\r\n"
            f"Authorization: Bearer {token}\r\n"
            "Content-Type: application/json\r\nAccept: application/json\r\n"
            f"Content-Length: {len(body)}\r\n\r\n"
        )
        self._request = head.encode() + body
        self._port = port

    async def call(self, seconds: float) -> tuple[list[float], int]:
        """Return how long each call took, from when it was due, and how many were not answered correctly."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        took, wrong, began = [], 0, time.monotonic()
        for number in range(int(seconds * _CALLS_A_SECOND)):
            due = began + number / _CALLS_A_SECOND
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            due = max(due, time.monotonic() - 0.05)  # one long wait does not count again in all that follow
            writer.write(self._request)
            head = await reader.readuntil(b"\r\n\r\n")
            length = head.lower().partition(b"content-length: ")[2].partition(b"\r")[0]
            body = await reader.readexactly(int(length))
            took.append(time.monotonic() - due)
            wrong += b'"result":{"content":[]}' not in body
        writer.close()
        return took, wrong


# One attack


async def measure(attack: str, seconds: int, policy: str = _DOCUMENT, *body: str) -> Found:
    """Measure one attack. `policy` is the attackers'; `body` the file they send, if the attack needs one."""
    found = Found(attack)
    shop = await asyncio.get_running_loop().create_server(_Shop, "127.0.0.1", 0)
    tokens = {ACME: new_token(GRANT), UMBRA: new_token(GRANT)}
    ports = {ACME: shop.sockets[0].getsockname()[1], UMBRA: free_port()}
    with ExitStack() as stack:
        workers = []
        for _ in ("spared", "attacked"):
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            workers.append(stack.enter_context(working(folder, tokens, ports, policy)))
        alices = [Alice(worker.port, tokens[ACME]) for worker in workers]
        await _called(found, alices, 2)
        told = (str(workers[1].port), tokens[UMBRA], SERVERS[UMBRA], str(ports[UMBRA]), *body)
        peers = await _attackers(attack, *told)
        for _ in range(max(1, seconds // 3)):
            found.alone += await _called(found, alices, 1)
        await _attacked(found, workers[1], peers, alices, seconds)
    shop.close()
    return found


async def _called(found: Found, alices: Sequence[Alice], seconds: float) -> list[list[float]]:
    """Call both workers at once; return what the calls took at each of them."""
    all_took = []
    for took, wrong in await asyncio.gather(*(alice.call(seconds) for alice in alices)):
        all_took.append(took)
        found.wrong += wrong
    return all_took


async def _attackers(*told: str) -> Process:
    command = (sys.executable, "-m", "tests.load.hostile_peers", *told)
    peers = await asyncio.create_subprocess_exec(*command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert peers.stdout
    await peers.stdout.readline()
    return peers


async def _attacked(
    found: Found, worker: Worker, peers: Process, alices: Sequence[Alice], seconds: int
) -> None:
    assert peers.stdin
    before = _memory(worker.process.pid)
    watching = asyncio.ensure_future(_watch(worker.process.pid))
    peers.stdin.write(b"go\n")
    await asyncio.sleep(_SETTLE_SECONDS)
    for _ in range(seconds):
        elsewhere, here = await _called(found, alices, 1)
        found.elsewhere.append(elsewhere)
        found.attacked.append(here)
    watching.cancel()
    found.memory = _most_memory[0] - before
    found.kept = await _end(peers)


async def _end(peers: Process) -> float:
    """End the attack; return the most seconds that a connection was kept after its clients had left."""
    assert peers.stdin and peers.stdout
    peers.stdin.close()
    kept = float(await peers.stdout.readline())
    await peers.wait()
    return kept


_most_memory = [0]


async def _watch(pid: int) -> None:
    _most_memory[0] = 0
    while True:
        _most_memory[0] = max(_most_memory[0], _memory(pid))
        await asyncio.sleep(0.1)


def main() -> int:
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--seconds", type=int, default=30)
    asked.add_argument("attacks", nargs="*", choices=[*ATTACKS, []])
    options = asked.parse_args()
    print(
        "| attack | p99 alone, ms | elsewhere, ms | here, ms "
        "| ratio | promised | memory, MiB | kept, s | wrong |"
    )
    print("|---|---|---|---|---|---|---|---|---|")
    all_found = []
    for attack in options.attacks or ATTACKS:
        found = asyncio.run(measure(attack, options.seconds))
        print(found.row(), flush=True)
        all_found.append(found)
    return 0 if all(found.holds for found in all_found) else 1


if __name__ == "__main__":
    sys.exit(main())
