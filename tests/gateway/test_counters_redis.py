"""The Redis limiter as the gateway uses it, on a server that is killed, wiped, stopped, restored or slow."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from gateway.counters.base import Charge, Full, NotHeld, Reservation, Reserved, Unavailable
from gateway.counters.redis import ANSWER_WITHIN, SCRIPT, RedisLimiter
from gateway.counters.redis_wire import Address, OnAnswer, Wire
from tests.gateway.limiters import until
from tests.redis_server import RedisServer, needs_redis, running

pytestmark = needs_redis
ROOT = Path(__file__).parents[2]
# As if someone set the machine's clock: the value of the key `leap` is added to it.
LEAPING = SCRIPT.replace(
    "tonumber(time[1]) * 1000", "tonumber(time[1]) * 1000 + tonumber(redis.call('GET', 'leap') or 0)"
)


def charge(counter: str = "c", maximum: int = 3, window: int = 60_000) -> Charge:
    return Charge("acme", "grant", "g1", counter, None, window, maximum, 1_000_000)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisServer]:
    with running(tmp_path) as made:
        yield made


@asynccontextmanager
async def at(
    server: RedisServer, witness: Path | None = None, script: str = SCRIPT
) -> AsyncIterator[RedisLimiter]:
    made = RedisLimiter(Address.parse(server.url), witness=witness, script=script)
    try:
        yield made
    finally:
        await made.close()


@pytest.fixture
async def limiter(server: RedisServer, tmp_path: Path) -> AsyncIterator[RedisLimiter]:
    async with at(server, tmp_path / "witness") as made:
        await trusted(server, made)
        yield made


async def trusted(server: RedisServer, limiter: RedisLimiter) -> None:
    """Clear a new store's doubt: it lasts until someone who knows says that there never was another."""
    await eventually(lambda: server.client().hexists("pl:meta", "epoch"))
    server.client().hdel("pl:meta", "doubt")
    await until(lambda: limiter.reserve(f"hello-{time.monotonic_ns()}", [charge("hello", 1_000)]), Reserved())


async def eventually(holds: Callable[[], object]) -> None:
    deadline = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.01)


async def test_calls_at_once_get_the_units_there_are_and_no_more(limiter: RedisLimiter) -> None:
    answers = await asyncio.gather(*(limiter.reserve(f"d{n}", [charge(maximum=7)]) for n in range(50)))
    assert answers.count(Reserved()) == 7
    assert answers.count(Full(0, 60)) == 43


async def test_what_is_held_is_settled_given_back_or_released(limiter: RedisLimiter) -> None:
    for name in ("one", "two", "three"):
        assert await limiter.reserve(name, [charge()], hold_seconds=30) == Reserved()
    assert isinstance(await limiter.reserve("four", [charge()]), Full)
    assert await limiter.settle("one") == Reserved()
    assert await limiter.settle("one") == NotHeld()
    await limiter.extend("two", 900)
    await limiter.release("two")
    await limiter.give_back("three")
    assert [await limiter.reserve(f"more-{n}", [charge()]) for n in range(2)] == [Reserved()] * 2
    assert await limiter.reserve("last", [charge()]) == Full(0, 60)
    assert [await limiter.spend("t", 60), await limiter.spend("t", 60)] == [True, False]


async def test_a_call_without_limits_asks_nobody(server: RedisServer) -> None:
    async with at(server) as limiter:
        server.kill()
        assert await limiter.reserve("d", []) == Reserved()


async def test_a_new_store_is_in_doubt_for_each_limits_own_window(server: RedisServer) -> None:
    async with at(server) as limiter:
        await until(lambda: limiter.reserve("d", [charge(window=300)]), Reserved())
        assert await limiter.reserve("e", [charge(window=60_000)]) == Unavailable()


async def test_a_killed_server_loses_no_charge(server: RedisServer, limiter: RedisLimiter) -> None:
    for name in ("one", "two"):
        assert await limiter.reserve(name, [charge()]) == Reserved()
    server.kill()
    assert await limiter.reserve("down", [charge()]) == Unavailable()
    server.start()
    await until(lambda: limiter.reserve("three", [charge()]), Reserved())
    assert isinstance(await limiter.reserve("four", [charge()]), Full)


async def test_a_wiped_server_admits_nothing_until_the_window_is_over(
    server: RedisServer, limiter: RedisLimiter
) -> None:
    assert await limiter.reserve("one", [charge(maximum=1)]) == Reserved()
    server.client().flushall()
    for number in range(200):
        assert await limiter.reserve(f"again-{number}", [charge(maximum=1)]) == Unavailable()
        await asyncio.sleep(0.001)
    await until(lambda: limiter.reserve("short", [charge("short", window=200)]), Reserved())


async def test_a_server_put_back_to_an_older_state_is_found_out(
    server: RedisServer, limiter: RedisLimiter
) -> None:
    before = {key: server.client().dump(key) for key in server.client().keys("pl:*")}
    assert await limiter.reserve("one", [charge(maximum=1)]) == Reserved()
    client = server.client()
    client.delete(*client.keys("pl:*"))
    for key, value in before.items():
        client.restore(key, 0, value)  # type: ignore[arg-type]
    assert await limiter.reserve("two", [charge(maximum=1)]) == Unavailable()
    assert await limiter.reserve("three", [charge(maximum=1)]) == Unavailable()


async def test_a_worker_that_was_away_knows_what_there_was(server: RedisServer, tmp_path: Path) -> None:
    witness = tmp_path / "witness"
    async with at(server, witness) as first:
        await trusted(server, first)
        assert await first.reserve("one", [charge(maximum=1)]) == Reserved()
    server.client().delete("pl:meta")
    server.client().hset("pl:meta", mapping={"epoch": "somebody else's", "turn": "900"})
    async with at(server, witness) as again:
        await eventually(lambda: server.client().hexists("pl:meta", "doubt"))
        assert await again.reserve("two", [charge("other")]) == Unavailable()


@pytest.mark.parametrize(
    "careless",
    [{"appendonly": "no"}, {"appendfsync": "everysec"}, {"maxmemory-policy": "allkeys-lru"}],
    ids=str,
)
async def test_a_server_that_may_forget_is_not_used(
    tmp_path: Path, careless: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    with running(tmp_path, **careless) as server:
        async with at(server) as limiter:
            await eventually(lambda: "may forget" in caplog.text)
            assert await limiter.reserve("d", [charge(window=1)]) == Unavailable()
            assert next(iter(careless)) in caplog.text


async def test_a_copy_of_another_server_is_not_used(
    server: RedisServer, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """It would count separately from the original, and lose its counts to whatever is replicated to it."""
    (tmp_path / "copy").mkdir()
    with running(tmp_path / "copy") as copy:
        copy.client().replicaof("127.0.0.1", str(server.port))
        async with at(copy) as limiter:
            await eventually(lambda: "it is a replica" in caplog.text)
            assert await limiter.reserve("d", [charge(window=1)]) == Unavailable()


async def test_a_replica_in_its_masters_place_may_not_have_heard_everything(
    server: RedisServer, tmp_path: Path
) -> None:
    (tmp_path / "replica").mkdir()
    with running(tmp_path / "replica") as replica:
        async with at(server) as one, at(server) as another:
            await trusted(server, one)
            await trusted(server, another)
            assert await another.reserve("first", [charge(maximum=2)]) == Reserved()
            replica.client().replicaof("127.0.0.1", str(server.port))
            await eventually(lambda: replica.client().hexists("pl:meta", "epoch"))
            replica.client().replicaof("no", "one")
            assert await one.reserve("never heard of there", [charge(maximum=2)]) == Reserved()
            await one.close()
            server.kill()
            replica.client().config_set("port", server.port)
            await eventually(lambda: server.client().hexists("pl:meta", "doubt"))
            assert await another.reserve("third", [charge(maximum=2)]) == Unavailable()


async def test_a_server_that_began_to_forget_and_was_killed_is_in_doubt(
    server: RedisServer, limiter: RedisLimiter
) -> None:
    server.client().hset("pl:meta", "careless", "1")  # as the worker notes when it finds out
    server.kill()
    server.start()
    await eventually(lambda: server.client().hexists("pl:meta", "doubt"))
    assert await limiter.reserve("d", [charge()]) == Unavailable()


def test_a_call_waits_a_quarter_second_for_its_limits_and_no_longer() -> None:
    assert ANSWER_WITHIN == 0.25


async def test_a_call_is_answered_while_the_server_still_says_nothing(
    limiters_answer_soon: None, server: RedisServer, limiter: RedisLimiter
) -> None:
    os.kill(server.pid, signal.SIGSTOP)
    try:
        answers = await asyncio.gather(*(limiter.reserve(f"d{n}", [charge()]) for n in range(20)))
        assert answers == [Unavailable()] * 20
    finally:
        os.kill(server.pid, signal.SIGCONT)
    # Requests made meanwhile may have been charged; none of these calls was sent, so they are given back.
    await until(lambda: _answered(limiter, charge(maximum=1)), Reserved())


async def test_looking_at_the_servers_settings_makes_no_call_wait_longer(
    limiters_answer_soon: None, server: RedisServer, limiter: RedisLimiter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server falls silent while it is asked for them, and says nothing for longer than calls wait."""
    asked = asyncio.Event()

    async def silent(_: Wire) -> Mapping[str, str]:
        asked.set()
        await asyncio.sleep(60)
        return {}

    monkeypatch.setattr("gateway.counters.redis._check_settings", silent)
    await asyncio.wait_for(asked.wait(), 60)
    os.kill(server.pid, signal.SIGSTOP)
    try:
        began = time.monotonic()
        assert await limiter.reserve("d", [charge()]) == Unavailable()
        assert time.monotonic() - began < 0.8
    finally:
        os.kill(server.pid, signal.SIGCONT)


async def _answered(limiter: RedisLimiter, limit: Charge) -> Reservation:
    while True:
        answer = await limiter.reserve(f"after-{time.monotonic_ns()}", [limit])
        if not isinstance(answer, Unavailable):
            return answer
        await asyncio.sleep(0.01)


async def test_a_clock_that_leaps_forward_puts_the_store_in_doubt(server: RedisServer) -> None:
    async with at(server, script=LEAPING) as limiter:
        await trusted(server, limiter)
        assert await limiter.reserve("one", [charge(maximum=1)]) == Reserved()
        server.client().set("leap", 120_000)
        assert await limiter.reserve("two", [charge(maximum=1)]) == Unavailable()
        assert await limiter.reserve("three", [charge(maximum=1)]) == Unavailable()


async def test_what_was_asked_together_with_the_call_that_saw_the_leap_is_not_admitted_either(
    server: RedisServer,
) -> None:
    """The store judged all of them before it knew that it was in doubt."""
    async with at(server, script=LEAPING) as limiter, at(server, script=LEAPING) as other:
        for one in (limiter, other):
            await trusted(server, one)
        assert await limiter.reserve("one", [charge(maximum=1)]) == Reserved()
        server.client().set("leap", 120_000)
        asked = [one.reserve(f"two {n}", [charge(maximum=9)]) for one in (limiter, other) for n in range(20)]
        assert await asyncio.gather(*asked) == [Unavailable()] * 40


async def test_a_doubt_that_was_lost_on_its_way_is_told_on_the_next_connection(server: RedisServer) -> None:
    async with at(server, script=LEAPING) as limiter:
        await trusted(server, limiter)
        server.client().set("leap", 120_000)
        wire = limiter._wire
        assert wire is not None
        send = wire.send

        def cut_off(packed: bytes, on_answer: OnAnswer) -> None:
            if b"doubt" in packed:
                wire.close()
            send(packed, on_answer)

        wire.send = cut_off  # type: ignore[method-assign]
        assert await limiter.reserve("one", [charge(maximum=1)]) == Unavailable()
        await eventually(lambda: limiter._wire not in (wire, None))
        assert await limiter.reserve("two", [charge(maximum=1)]) == Unavailable()
        assert server.client().hexists("pl:meta", "doubt")


async def test_a_clock_put_back_admits_nothing_more(server: RedisServer) -> None:
    async with at(server, script=LEAPING) as limiter:
        await trusted(server, limiter)
        assert await limiter.reserve("one", [charge(maximum=1)]) == Reserved()
        server.client().set("leap", -3_600_000)
        assert await limiter.reserve("two", [charge(maximum=1)]) == Full(0, 60)


async def test_a_script_the_server_forgot_is_brought_again(
    server: RedisServer, limiter: RedisLimiter
) -> None:
    server.client().script_flush()
    await until(lambda: limiter.reserve("one", [charge()]), Reserved())


async def test_a_server_that_answers_nonsense_is_asked_again(server: RedisServer) -> None:
    nonsense_first = "if redis.call('INCR', 'pl:begun') == 1 then return 1 end\n"
    async with at(server, script=nonsense_first + SCRIPT) as limiter:
        await trusted(server, limiter)


async def test_nothing_is_told_of_the_password(caplog: pytest.LogCaptureFixture) -> None:
    address = Address.parse("redis://gateway:s3cret%40word@127.0.0.1:1/3")
    assert (address.password, address.user, address.database) == ("s3cret@word", "gateway", 3)
    limiter = RedisLimiter(address)
    await eventually(lambda: "cannot be checked" in caplog.text)
    await limiter.close()
    assert "s3cret" not in caplog.text + repr(address) + str(address)


async def test_a_password_opens_the_door(tmp_path: Path) -> None:
    with running(tmp_path) as server:
        server.client().config_set("requirepass", "open sesame")
        address = Address.parse(server.url.replace("//", "//:open%20sesame@"))
        limiter = RedisLimiter(address)
        await until(lambda: limiter.reserve("d", [charge(window=1)]), Reserved())
        await limiter.close()


@pytest.mark.parametrize(
    "url", ["", "http://127.0.0.1", "redis://", "redis://h/name", "redis://h:1/0?db=2", "redis://h:99999/0"]
)
def test_an_address_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(ValueError):
        Address.parse(url)


HAMMER = """
import sys, asyncio, uvloop
from gateway.counters.base import Charge, Reserved, Unavailable
from gateway.counters.redis import RedisLimiter
from gateway.counters.redis_wire import Address

async def main(url, worker, calls):
    limiter = RedisLimiter(Address.parse(url))
    charge = Charge("acme", "grant", "g1", "c", None, 600_000, 200, 1_000_000)
    async def one(n):
        while True:
            answer = await limiter.reserve(f"{worker}-{n}", [charge])
            if isinstance(answer, Unavailable):
                await asyncio.sleep(0.01)
                continue
            return answer == Reserved()
    for start in range(0, calls, 20):
        for reserved in await asyncio.gather(*(one(n) for n in range(start, start + 20))):
            if reserved:
                print("reserved", flush=True)
    await limiter.close()

uvloop.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3])))
"""


def test_processes_that_ask_while_the_server_is_killed_admit_no_more_than_the_max(
    server: RedisServer, tmp_path: Path
) -> None:
    server.client().hset("pl:meta", "epoch", "known")
    outputs = [tmp_path / f"gw-{number}" for number in (1, 2)]
    workers = [_hammer(server, output) for output in outputs]
    while not outputs[0].stat().st_size and workers[0].poll() is None:
        time.sleep(0.01)
    for _ in range(3):
        server.kill()
        server.start()
        time.sleep(0.2)
    assert [worker.wait(60) for worker in workers] == [0, 0]
    # A decision that is repeated after a lost answer is recognised, so every unit belongs to a call.
    assert sum(output.read_text().count("reserved") for output in outputs) == 200


def _hammer(server: RedisServer, output: Path) -> subprocess.Popen[bytes]:
    with output.open("wb") as file:
        return subprocess.Popen(
            [sys.executable, "-c", HAMMER, server.url, output.name, "400"],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdout=file,
        )
