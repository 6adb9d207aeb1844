"""Agents that call through the gateways of a cluster and record what they sent and heard."""

from __future__ import annotations

import asyncio
import itertools
import json
import random
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, Final

from tests.cluster.faults import Faults
from tests.cluster.history import ALLOWED, Call
from tests.cluster.upstream import digest_of
from tests.gateway.raw_http import Answer, Client

PATIENCE: Final = 20.0
META: Final = "policylayer/decision"


@dataclass(frozen=True, slots=True)
class Agent:
    """A grant, as its holder sees it."""

    grant: str
    token: str
    path: str


@dataclass(frozen=True, slots=True)
class Heard:
    call: Call
    meta: dict[str, Any]


class Clients:
    """Makes calls in an event loop of its own, so that the test goes on meanwhile."""

    def __init__(self, ports: dict[str, int], calls: list[Call]) -> None:
        self._ports = ports
        self._calls = calls
        self._loop = Faults()
        self._numbers = itertools.count()

    def close(self) -> None:
        self._loop.close()

    def once(self, agent: Agent, tool: str, gateway: str, arguments: Any = None) -> Heard:
        return self._loop.do(self._once(agent, tool, gateway, arguments))

    def together(
        self, agent: Agent, tool: str, gateways: Sequence[str], arguments: Any = None
    ) -> Future[Any]:
        """Make one call at each of these gateways at once; the calls are identical if arguments are given."""

        async def all_of_them() -> list[Heard]:
            asked = [self._once(agent, tool, gateway, arguments) for gateway in gateways]
            return list(await asyncio.gather(*asked))

        return asyncio.run_coroutine_threadsafe(all_of_them(), self._loop.loop)

    def go_on(self, agent: Agent, tools: Sequence[str], *, callers: int, pause: float) -> Callable[[], None]:
        """Start callers; return a function that stops them, which returns when they have stopped."""
        stopping = asyncio.Event()
        work = [self._caller(agent, tools, pause, stopping, random.Random(n)) for n in range(callers)]
        running = [asyncio.run_coroutine_threadsafe(one, self._loop.loop) for one in work]

        def stop() -> None:
            self._loop.loop.call_soon_threadsafe(stopping.set)
            for one in running:
                one.result(3 * PATIENCE)

        return stop

    async def _caller(
        self, agent: Agent, tools: Sequence[str], pause: float, stopping: asyncio.Event, rng: random.Random
    ) -> None:
        open_ones: dict[str, Client] = {}
        while not stopping.is_set():
            gateway = rng.choice(list(self._ports))
            heard = await self._call(agent, rng.choice(tools), gateway, None, open_ones)
            if heard.call.said is None and gateway in open_ones:
                open_ones.pop(gateway).writer.close()
            await asyncio.sleep(rng.uniform(0, 2 * pause))
        for client in open_ones.values():
            client.writer.close()

    async def _once(self, agent: Agent, tool: str, gateway: str, arguments: Any) -> Heard:
        opened: dict[str, Client] = {}
        heard = await self._call(agent, tool, gateway, arguments, opened)
        for client in opened.values():
            client.writer.close()
        return heard

    async def _call(
        self, agent: Agent, tool: str, gateway: str, arguments: Any, opened: dict[str, Client]
    ) -> Heard:
        given = {"n": str(next(self._numbers))} if arguments is None else arguments
        began = time.time()
        said, meta = None, dict[str, Any]()
        try:
            async with asyncio.timeout(PATIENCE):
                client = opened.get(gateway)
                if client is None:
                    client = Client(self._ports[gateway], agent.token, agent.path)
                    await client.connect()
                    opened[gateway] = client
                said, meta = _understood(await client.call(tool, given))
        except (OSError, TimeoutError, asyncio.IncompleteReadError, ValueError, IndexError):
            pass  # no answer, whatever the reason: the gateway may have judged the call or not
        call = Call(digest_of(given), tool, agent.grant, began, time.time(), said)
        self._calls.append(call)
        return Heard(call, meta)


def _understood(answer: Answer) -> tuple[str | None, dict[str, Any]]:
    """What the gateway decided, with the details; None if the answer holds no verdict."""
    if answer.status != 200:
        return None, {"status": answer.status}
    message = json.loads(answer.body)
    if "result" not in message:
        return None, message
    meta: dict[str, Any] = message["result"].get("_meta", {}).get(META, {})
    code = str(meta.get("code", ALLOWED))
    return (ALLOWED if code.startswith("upstream_") else code), meta
