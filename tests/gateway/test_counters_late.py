"""A store that answers after its call was denied: what it charged is given back, once."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Awaitable, Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest.mock import patch

import pytest

from gateway.counters import redis
from gateway.counters.base import Full, NotHeld, Reserved, Unavailable
from gateway.counters.redis import RedisLimiter
from gateway.counters.sqlite import SqliteLimiter, _Reserve
from tests.gateway.limiters import until
from tests.gateway.test_counters_redis import _answered, at, charge, eventually, trusted
from tests.gateway.test_counters_sqlite import limiter as sqlite_limiter
from tests.redis_server import RedisServer, needs_redis, running

sqlite = sqlite_limiter


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisServer]:
    with running(tmp_path) as made:
        yield made


@pytest.fixture
async def limiter(server: RedisServer, tmp_path: Path) -> AsyncIterator[RedisLimiter]:
    async with at(server, tmp_path / "witness") as made:
        await trusted(server, made)
        yield made


@contextmanager
def stopped(server: RedisServer) -> Iterator[None]:
    os.kill(server.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(server.pid, signal.SIGCONT)


@contextmanager
def late(server: RedisServer) -> Iterator[None]:
    """The store answers only after those who ask meanwhile have stopped waiting."""
    with stopped(server), patch.object(redis, "_GIVEN_UP_AFTER", 0.2):
        yield


@needs_redis
async def test_a_charge_that_came_too_late_makes_room_again(
    server: RedisServer, limiter: RedisLimiter
) -> None:
    with late(server):
        assert (
            await asyncio.gather(*(limiter.reserve(f"d{n}", [charge()]) for n in range(9)))
            == [Unavailable()] * 9
        )
    await until(lambda: limiter.reserve("all", [charge(maximum=1)]), Reserved())
    assert list(server.client().scan_iter("pl:r:d*")) == []


@needs_redis
async def test_a_decision_that_is_brought_again_keeps_its_one_charge(
    server: RedisServer, limiter: RedisLimiter
) -> None:
    with late(server):
        assert await limiter.reserve("one", [charge(maximum=1)]) == Unavailable()
        again = asyncio.ensure_future(limiter.reserve("one", [charge(maximum=1)]))
        await asyncio.sleep(0)
    if await again != Reserved():
        await until(lambda: limiter.reserve("one", [charge(maximum=1)]), Reserved())
    for _ in range(5):
        assert isinstance(await _answered(limiter, charge(maximum=1)), Full)


@needs_redis
async def test_what_was_settled_too_late_is_given_back_and_not_held_any_more(
    server: RedisServer, limiter: RedisLimiter
) -> None:
    assert await limiter.reserve("held", [charge(maximum=1)], hold_seconds=60) == Reserved()
    with late(server):
        assert await limiter.settle("held") == Unavailable()
    await until(lambda: limiter.reserve("afresh", [charge(maximum=1)]), Reserved())
    assert await limiter.settle("held") == NotHeld()


@needs_redis
async def test_a_hold_that_came_too_late_holds_nothing(server: RedisServer, limiter: RedisLimiter) -> None:
    with late(server):
        assert await limiter.reserve("held", [charge(maximum=1)], hold_seconds=600) == Unavailable()
    await until(lambda: limiter.reserve("afresh", [charge(maximum=1)]), Reserved())


@needs_redis
async def test_a_client_that_left_while_its_limit_was_asked_for_is_not_charged(
    server: RedisServer, limiter: RedisLimiter
) -> None:
    with stopped(server):
        call = asyncio.ensure_future(limiter.reserve("one", [charge(maximum=1)]))
        await asyncio.sleep(0)
        call.cancel()
        await asyncio.gather(call, return_exceptions=True)
    await until(lambda: limiter.reserve("two", [charge(maximum=1)]), Reserved())


@needs_redis
async def test_nothing_is_given_back_twice_nor_of_a_call_that_was_sent(
    server: RedisServer, limiter: RedisLimiter
) -> None:
    """Late answers to others do not affect what was admitted."""
    sent = [f"sent {number}" for number in range(3)]
    for decision in sent:
        assert await limiter.reserve(decision, [charge(maximum=5)]) == Reserved()
    for _ in range(3):
        with late(server):
            await asyncio.gather(*(limiter.reserve(f"d{n}", [charge(maximum=5)]) for n in range(4)))
        await eventually(lambda: not list(server.client().scan_iter("pl:r:d*")))
    await until(lambda: limiter.reserve("four", [charge(maximum=5)]), Reserved())
    assert await limiter.reserve("five", [charge(maximum=5)]) == Reserved()
    assert isinstance(await limiter.reserve("six", [charge(maximum=5)]), Full)


@needs_redis
async def test_a_store_that_is_slow_now_and_then_admits_all_there_is_and_no_more(
    server: RedisServer, tmp_path: Path
) -> None:
    """No undershoot: every call denied for a late answer leaves its room to another."""
    many = charge(maximum=60, window=600_000)
    async with at(server) as one, at(server) as two:
        await trusted(server, one)
        await trusted(server, two)

        async def calls(limiter: RedisLimiter, name: str) -> int:
            admitted = number = 0
            while True:
                number += 1
                answer = await limiter.reserve(f"{name} {number}", [many])
                if isinstance(answer, Full):
                    return admitted
                admitted += answer == Reserved()

        async def slow() -> None:
            for _ in range(4):
                with late(server):
                    await asyncio.sleep(0.3)
                await asyncio.sleep(0.02)

        trouble = asyncio.ensure_future(slow())
        admitted = sum(await asyncio.gather(*(calls(one, f"a{n}") for n in range(8)), calls(two, "b")))
        await trouble
        rest = await calls(two, "rest")
        assert admitted + rest == 60


async def test_a_file_that_answers_too_late_gives_back_what_it_charged(sqlite: SqliteLimiter) -> None:
    """As its thread delivers it: charged in the file, when nobody is waiting any more."""
    loop = asyncio.get_running_loop()
    for decision in ("gone", "again"):
        assert await sqlite.reserve(decision, [charge(maximum=2)]) == Reserved()
        job = _Reserve(decision, [charge(maximum=2)], None, 0.0, loop.create_future())
        job.answer.set_result(Unavailable())
        sqlite._charging[decision] = job
        if decision == "again":
            sqlite._charging[decision] = _Reserve(decision, [], None, 0.0, loop.create_future())
        sqlite._deliver([job], [Reserved()])
    await until(lambda: sqlite.reserve("new", [charge(maximum=2)]), Reserved())
    assert isinstance(await sqlite.reserve("over", [charge(maximum=2)]), Full)


# An answer that is lost together with its connection


async def lost_with_its_connection(
    server: RedisServer, limiter: RedisLimiter, ask: Awaitable[object]
) -> None:
    with stopped(server):
        asked = asyncio.ensure_future(ask)
        wire = limiter._wire
        assert wire is not None
        await eventually(lambda: wire.waits_since is not None)
        wire.close()
        assert await asked == Unavailable()
    await eventually(lambda: limiter._wire is not None)


@needs_redis
@pytest.mark.parametrize("hold", [None, 600], ids=["charged", "held"])
async def test_what_was_charged_in_an_answer_nobody_got_is_given_back(
    server: RedisServer, limiter: RedisLimiter, hold: int | None
) -> None:
    await lost_with_its_connection(server, limiter, limiter.reserve("lost", [charge(maximum=1)], hold))
    await until(lambda: limiter.reserve("next", [charge(maximum=1)]), Reserved())
    await eventually(lambda: not limiter._unsure)
    assert list(server.client().scan_iter("pl:?:lost")) == []
    assert isinstance(await _answered(limiter, charge(maximum=1)), Full)


@needs_redis
async def test_a_decision_whose_answer_was_lost_and_that_is_brought_again_keeps_its_one_charge(
    server: RedisServer, limiter: RedisLimiter
) -> None:
    await lost_with_its_connection(server, limiter, limiter.reserve("one", [charge(maximum=1)]))
    await until(lambda: limiter.reserve("one", [charge(maximum=1)]), Reserved())
    for _ in range(5):
        assert isinstance(await _answered(limiter, charge(maximum=1)), Full)


@needs_redis
async def test_a_settlement_whose_answer_was_lost_is_not_given_back(
    server: RedisServer, limiter: RedisLimiter
) -> None:
    """Another gateway may have settled it first and sent its call."""
    assert await limiter.reserve("held", [charge(maximum=1)], hold_seconds=60) == Reserved()
    await lost_with_its_connection(server, limiter, limiter.settle("held"))
    assert not limiter._unsure
    for _ in range(5):
        assert isinstance(await _answered(limiter, charge(maximum=1)), Full)
