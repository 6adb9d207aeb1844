"""CPU and requests of one tools/call: the gateway beside FastMCP's proxy, a counting server behind both.

    python -m tests.load.beside_a_peer [--calls 20000] [--peers-calls 3000] [--connections 8]

Both are warmed up before anything is counted, every call that was begun is waited for, and then as many calls
are counted as were made. So what starting costs does not count, and the requests at the server are whole.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.load.gateway import ANSWER, ANSWERS, TOOL, Target, gateway, nginx
from tests.load.peers import CountingServer, fastmcp_proxy
from tests.ports import free_port

_WARM: Final = 300
PROMISED: Final = 40


@dataclass(frozen=True, slots=True)
class Cost:
    cpu_us: float
    calls_a_second: float
    requests: float
    forwarded: float


async def _caller(target: Target, left: list[int]) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", target.port)
    request = target.request()
    while left[0] > 0:
        left[0] -= 1
        writer.write(request)
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        length = int(head.partition(b"content-length: ")[2].partition(b"\r")[0])
        body = await reader.readexactly(length)
        if not head.startswith(b"http/1.1 200") or b'"result"' not in body:
            raise RuntimeError(f"a call went wrong: {body.decode()}")
    writer.close()


async def _call(target: Target, calls: int, connections: int) -> None:
    left = [calls]
    await asyncio.gather(*(_caller(target, left) for _ in range(connections)))


def cost(target: Target, server: CountingServer, calls: int, connections: int) -> Cost:
    asyncio.run(_call(target, _WARM, connections))
    server.asked()
    used, began = target.cpu_seconds(), time.perf_counter()
    asyncio.run(_call(target, calls, connections))
    seconds, cpu = time.perf_counter() - began, target.cpu_seconds() - used
    asked = server.asked()
    return Cost(1e6 * cpu / calls, calls / seconds, asked.total() / calls, asked["tools/call"] / calls)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=20_000)
    parser.add_argument("--peers-calls", type=int, default=3_000)
    parser.add_argument("--connections", type=int, default=8)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        folder = Path(name)
        folder.chmod(0o755)
        port, peers_port = free_port(), free_port()
        server = stack.enter_context(CountingServer(TOOL, json.loads(ANSWER)["result"]).running())
        stack.enter_context(nginx(folder, "direct", port, ANSWERS, port))
        _, _, ours = stack.enter_context(gateway(folder, port, server.port))
        pid = stack.enter_context(fastmcp_proxy(server.port, peers_port))
        mine = cost(ours, server, given.calls, given.connections)
        theirs = cost(Target("FastMCP", peers_port, pid), server, given.peers_calls, given.connections)
    print("| | CPU a call, us | calls a second | requests a call | tools/call of them |")
    print("|---|---|---|---|---|")
    for who, one in (("gateway", mine), ("FastMCP's proxy", theirs)):
        requests = f"{one.requests:.4f} | {one.forwarded:.4f}"
        print(f"| {who} | {one.cpu_us:.0f} | {one.calls_a_second:.0f} | {requests} |")
    print(f"\n{theirs.cpu_us / mine.cpu_us:.1f} times less than FastMCP's proxy; promised are {PROMISED}.")


if __name__ == "__main__":
    main()
