"""Runs one gateway as a process of its own; its only grant may do everything with one server.

    python -m tests.conformance.worker --upstream URL --token T --origin O --data FOLDER TOOL...

Prints `READY <port>` once it serves. Workers with the same folder share their limits, as on one machine.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from subprocess import PIPE, Popen
from typing import IO

from common.egress import EgressPolicy, parse_networks
from gateway.app import Gateway
from gateway.counters.sqlite import SqliteLimiter
from tests.gateway.limiters import trusted_file
from tests.gateway.world import ACME, KEYS, SERVER, Config, Log, organization, server

ALLOW_ALL = '{"version": "1", "default": "allow"}'
PATH = f"/mcp/{SERVER}/"


@asynccontextmanager
async def serving(
    upstream: str, token: str, data: Path, tools: Sequence[str], origins: Sequence[str] = ()
) -> AsyncIterator[int]:
    """Serve a gateway in this process; yields its port."""
    registered = server(upstream, tools=tools)
    acme = organization(ACME, registered, {token: {}}, document=ALLOW_ALL, lease=86_400)
    limiter = SqliteLimiter(trusted_file(data / "limits.sqlite"), worker="gw")
    gateway = Gateway(
        config=Config([acme]),
        limiter=limiter,
        decisions=Log(),
        egress=EgressPolicy(parse_networks("127.0.0.0/8,::1/128")),
        keyring=KEYS,
        hosts=frozenset({"127.0.0.1", "localhost"}),
        origins=frozenset(origins),
    )
    http = await gateway.serve("127.0.0.1", 0)
    try:
        yield http.port
    finally:
        await http.close()
        gateway.close()
        await limiter.close()


async def serve(arguments: argparse.Namespace) -> None:
    given = (arguments.upstream, arguments.token, arguments.data, arguments.tools, arguments.origin)
    async with serving(*given) as port:
        print(f"READY {port}", flush=True)
        await asyncio.Event().wait()


@contextmanager
def running(*command: str) -> Iterator[str]:
    """Run one of our modules as a process; yields what it printed after READY."""
    process = Popen([sys.executable, "-W", "ignore", "-m", *command], stdout=PIPE, text=True)
    try:
        assert process.stdout is not None
        yield _ready(process.stdout, command[0])
    finally:
        process.terminate()
        process.wait(timeout=10)
        assert process.stdout is not None
        process.stdout.close()


def _ready(lines: IO[str], what: str) -> str:
    said = lines.readline().split()
    assert said[:1] == ["READY"], f"{what} did not start"
    return said[1]


@contextmanager
def running_worker(
    upstream: str, token: str, data: Path, tools: Sequence[str], origins: Sequence[str] = ()
) -> Iterator[int]:
    allowed = [option for origin in origins for option in ("--origin", origin)]
    given = ("--upstream", upstream, "--token", token, "--data", str(data), *allowed, "--", *tools)
    with running("tests.conformance.worker", *given) as port:
        yield int(port)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--upstream", required=True)
    parser.add_argument("--token", required=True)
    parser.add_argument("--origin", action="append", default=[])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("tools", nargs="*")
    asyncio.run(serve(parser.parse_args()))


if __name__ == "__main__":
    main()
