"""The clock of a shared store is changed while no gateway is connected to it."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.counters import redis
from gateway.counters.base import Full, Reserved, Unavailable
from gateway.counters.clock import SystemClock
from gateway.counters.clock_watch import ClockWatch, KnownClock
from gateway.counters.redis import RedisLimiter
from gateway.counters.redis_wire import OnAnswer
from tests.gateway.limiters import until
from tests.gateway.test_counters_redis import LEAPING, _answered, at, charge, eventually, trusted
from tests.redis_server import RedisServer, needs_redis, running

HOUR = 3_600_000
ONE = charge(maximum=1)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisServer]:
    with running(tmp_path) as made:
        yield made


@pytest.fixture(autouse=True)
def looked_after_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redis, "_CHECK_SETTINGS_EVERY", 0.05)


def in_doubt(server: RedisServer) -> bool:
    return bool(server.client().hexists("pl:meta", "doubt"))


async def charged_and_noted(server: RedisServer, limiter: RedisLimiter) -> None:
    await trusted(server, limiter)
    await until(lambda: limiter.reserve("one", [ONE]), Reserved())
    server.client().hdel("pl:meta", "noted")
    await eventually(lambda: server.client().hexists("pl:meta", "noted"))


@needs_redis
async def test_a_leap_while_the_connection_was_lost_is_a_doubt(server: RedisServer) -> None:
    async with at(server, script=LEAPING) as limiter:
        await charged_and_noted(server, limiter)
        server.client().set("leap", 120_000)
        server.client().client_kill_filter(_type="normal")
        await eventually(lambda: in_doubt(server))
        assert await limiter.reserve("two", [ONE]) == Unavailable()


@needs_redis
@pytest.mark.parametrize("remembers", [True, False], ids=["its own disk", "another machine's clock"])
async def test_a_leap_while_no_gateway_was_there_is_a_doubt(
    server: RedisServer, tmp_path: Path, remembers: bool
) -> None:
    async with at(server, tmp_path / "witness", LEAPING) as first:
        await charged_and_noted(server, first)
    server.client().set("leap", 120_000)
    witness = tmp_path / "witness" if remembers else None
    if remembers:
        server.client().hdel("pl:meta", "noted")
    async with at(server, witness, LEAPING) as second:
        await eventually(lambda: in_doubt(server))
        assert await _reached(second) == Unavailable()


async def _reached(limiter: RedisLimiter) -> object:
    await eventually(lambda: limiter._wire is not None)
    return await limiter.reserve(f"reached {time.monotonic_ns()}", [ONE])


@needs_redis
@pytest.mark.parametrize("remembers", [True, False], ids=["its own disk", "another machine's clock"])
async def test_who_comes_back_to_a_clock_that_only_went_on_doubts_nothing(
    server: RedisServer, tmp_path: Path, remembers: bool
) -> None:
    async with at(server, tmp_path / "witness", LEAPING) as first:
        await charged_and_noted(server, first)
    async with at(server, tmp_path / "witness" if remembers else None, LEAPING) as second:
        assert isinstance(await _reached(second), Full)
        assert not in_doubt(server)


@needs_redis
async def test_a_clock_put_back_while_no_gateway_was_there_frees_nothing(
    server: RedisServer, tmp_path: Path
) -> None:
    async with at(server, tmp_path / "witness", LEAPING) as first:
        await charged_and_noted(server, first)
    server.client().set("leap", -HOUR)
    async with at(server, tmp_path / "witness", LEAPING) as second:
        assert await _reached(second) == Full(0, 60)


@needs_redis
async def test_a_clock_that_was_put_back_and_is_put_right_between_two_gateways_is_a_doubt(
    server: RedisServer,
) -> None:
    """The store's time went on despite the first step; the second would move it an hour too far."""
    for leap in (0, -HOUR):
        server.client().set("leap", leap)
        async with at(server, script=LEAPING) as gateway:
            await charged_and_noted(server, gateway)
    server.client().set("leap", 0)
    async with at(server, script=LEAPING) as third:
        await eventually(lambda: in_doubt(server))
        assert await _reached(third) == Unavailable()


@needs_redis
async def test_a_doubt_the_store_was_never_told_of_is_found_again_by_the_next_process(
    server: RedisServer, tmp_path: Path
) -> None:
    witness = tmp_path / "witness"
    async with at(server, witness, LEAPING) as first:
        await charged_and_noted(server, first)
        await asyncio.to_thread(first._store.write_down, first._known())
        wire = first._wire
        assert wire is not None
        send = wire.send

        def without_doubt(packed: bytes, on_answer: OnAnswer) -> None:
            if b"doubt" not in packed:
                send(packed, on_answer)

        wire.send = without_doubt  # type: ignore[method-assign]
        server.client().set("leap", 120_000)
        assert await first.reserve("two", [ONE]) == Unavailable()
    assert not in_doubt(server)
    server.client().hdel("pl:meta", "noted")
    async with at(server, witness, LEAPING) as second:
        await eventually(lambda: in_doubt(server))
        assert await _reached(second) == Unavailable()


def test_two_clocks_may_run_a_little_unlike_and_not_more() -> None:
    boot, now = SystemClock().boot(), time.monotonic()

    def watch() -> ClockWatch:
        return ClockWatch(KnownClock(boot, most=0.0, at=now - 3600))

    def store_says(ahead: float) -> int:
        return round(1000 * time.monotonic() + ahead)

    assert not watch().leapt(store_says(500), time.monotonic())
    assert not watch().leapt(store_says(1_600), time.monotonic())
    assert watch().leapt(store_says(3_000), time.monotonic())
    assert not ClockWatch(KnownClock("another boot", 0.0, now)).leapt(store_says(HOUR), time.monotonic())


@needs_redis
async def test_a_witness_of_the_version_before_says_which_store_it_was(
    server: RedisServer, tmp_path: Path
) -> None:
    witness = tmp_path / "witness"
    witness.write_text(json.dumps({"epoch": "another", "turn": 3}))
    async with at(server, witness) as limiter:
        await eventually(lambda: in_doubt(server))
        assert await _reached(limiter) == Unavailable()
        assert isinstance(await _answered(limiter, charge("other", window=1)), Reserved)
