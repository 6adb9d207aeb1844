"""Measures what a limit costs in Redis: CPU per call of the calling process, with 32 calls in flight.

For comparison, in the same run: the same reservations through redis-py's asyncio client, and a bare PING
through the limiter's own connection.

    python -m tests.load.limiter [--calls 20000]
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
import time
from collections.abc import Awaitable, Callable
from hashlib import sha1
from itertools import count
from pathlib import Path

import redis.asyncio
import uvloop

from gateway.counters.base import Charge, Reserved
from gateway.counters.redis import SCRIPT, RedisLimiter, _parameters
from gateway.counters.redis_wire import Address, connect
from tests.limiters_wait import waiting_long
from tests.load.promised import note
from tests.redis_server import FOUND, RedisServer, running

IN_FLIGHT = 32
_LIMIT = Charge("acme", "grant", "g1", "keys", None, 1_000, 1_000_000_000, 1_000_000)
_ids = count()


async def cost(ask: Callable[[str], Awaitable[object]], calls: int) -> float:
    """Microseconds of CPU per call."""

    async def some() -> None:
        for _ in range(calls // IN_FLIGHT):
            await ask(f"decision-{next(_ids)}")

    await asyncio.gather(*(some() for _ in range(IN_FLIGHT)))  # warm
    began = time.process_time()
    await asyncio.gather(*(some() for _ in range(IN_FLIGHT)))
    return (time.process_time() - began) * 1e6 / calls


async def measure(server: RedisServer, calls: int) -> dict[str, float]:
    epoch = "known"
    server.client().hset("pl:meta", "epoch", epoch)
    limiter = RedisLimiter(Address.parse(server.url))
    async with asyncio.timeout(10):
        # Nothing signals that it is connected.
        while await limiter.reserve(f"decision-{next(_ids)}", [_LIMIT]) != Reserved():  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    client = redis.asyncio.Redis(port=server.port)
    wire = await connect(Address.parse(server.url))
    sha = sha1(SCRIPT.encode(), usedforsecurity=False).hexdigest()

    async def ours(decision: str) -> None:
        assert await limiter.reserve(decision, [_LIMIT]) == Reserved()

    async def theirs(decision: str) -> None:
        await client.evalsha(sha, 0, epoch, "reserve", decision, "", *_parameters([_LIMIT]))

    async def ping(_: str) -> None:
        await wire.ask("PING")

    found = {
        "a limit in Redis": await cost(ours, calls),
        "the same script through redis-py": await cost(theirs, calls),
        "a PING through the limiter's connection": await cost(ping, calls),
    }
    await limiter.close()
    await client.aclose()
    wire.close()
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=20_000)
    calls = parser.parse_args().calls
    if FOUND is None:
        raise SystemExit("there is no redis-server")
    with tempfile.TemporaryDirectory() as folder, running(Path(folder)) as server, waiting_long():
        found = uvloop.run(measure(server, calls))
    ours = found["a limit in Redis"]
    note("redis", ours)
    print(f"CPU of the asking process a call, {IN_FLIGHT} in flight, appendfsync always")
    for name, micros in found.items():
        print(f"  {name}: {micros:.1f} us (x{micros / ours:.2f})")


if __name__ == "__main__":
    main()
