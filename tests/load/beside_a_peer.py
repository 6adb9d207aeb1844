"""Compares the CPU and requests per tools/call of the gateway and FastMCP's proxy, before a counting server.

    python -m tests.load.beside_a_peer [--calls 2000] [--seconds 5] [--rounds 3] [--connections 16]

CPU is measured as in `tests.load.gateway`: in turn, at as many calls as each can take. Requests are counted
separately, over calls that are each awaited, so that none is counted in part. Needs nginx and wrk.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Final

from tests.load.gateway import ANSWER, TOOL, Target, gateway, load
from tests.load.peers import CountingServer, fastmcp_proxy
from tests.load.promised import note
from tests.ports import free_port

_WARM: Final = 300


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


def requests_a_call(target: Target, server: CountingServer, calls: int, connections: int) -> float:
    asyncio.run(_call(target, _WARM, connections))
    server.asked()
    asyncio.run(_call(target, calls, connections))
    return server.asked().total() / calls


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=2_000)
    parser.add_argument("--seconds", type=int, default=5)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--connections", type=int, default=16)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        folder, peers_port = Path(name), free_port()
        server = stack.enter_context(CountingServer(TOOL, json.loads(ANSWER)["result"]).running())
        _, _, ours = stack.enter_context(gateway(folder, server.port, server.port))
        pid = stack.enter_context(fastmcp_proxy(server.port, peers_port))
        theirs = Target("FastMCP's proxy", peers_port, pid)
        both = [(one, requests_a_call(one, server, given.calls, given.connections)) for one in (ours, theirs)]
        for _ in range(given.rounds):
            for target, _ in both:
                load(target, folder, given.seconds, given.connections)
    print("| | CPU a call, us | calls a second | requests a call |")
    print("|---|---|---|---|")
    for one, requests in both:
        cpu, fast = statistics.median(one.cpu_us), statistics.median(one.calls_a_second)
        print(f"| {one.name} | {cpu:.0f} | {fast:.0f} | {requests:.4f} |")
    times = [peer / mine for peer, mine in zip(theirs.cpu_us, ours.cpu_us, strict=True)]
    note("peer", statistics.median(times))
    note("requests", both[0][1])
    rounds = f"rounds {min(times):.1f} to {max(times):.1f}"
    print(f"\n{statistics.median(times):.1f} times less than FastMCP's proxy ({rounds}).")


if __name__ == "__main__":
    main()
