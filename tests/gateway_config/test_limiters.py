"""Lost limiter state never admits more: real stores, wiped and swapped, and the registry of them."""

from __future__ import annotations

import asyncio
import queue
import shutil
import sqlite3
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import Future
from contextlib import AbstractContextManager, contextmanager
from io import StringIO
from pathlib import Path
from typing import Any, TypeVar

import pytest
from django.core.management import CommandError, call_command

from accounts.models import AuditEvent
from gateway.control_plane import ControlPlaneError
from gateway.counters.base import Charge, Full, Reservation, Reserved, Unavailable
from gateway.counters.redis import RedisLimiter
from gateway.counters.redis_wire import Address
from gateway.counters.sqlite import SqliteLimiter
from gateway.limiter_watch import LimiterWatch
from gateway_config.limiters import KEPT_EPOCHS, note_limiter
from gateway_config.models import LimiterStore, Worker
from gateway_config.wire.messages import LimiterAnswer, LimiterState
from tests.cast import Cast, inside
from tests.ladder import SignedIn
from tests.redis_server import RedisServer, needs_redis, running
from tests.roles import as_owner, as_worker

Enrolled = Callable[[str], tuple[Worker, str]]
Limiters = SqliteLimiter | RedisLimiter
Some = TypeVar("Some")


class Loop:
    """An event loop on a thread of its own; the database stays with the test's."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self.thread.start()

    def run(self, work: Coroutine[Any, Any, Some]) -> Some:
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(60)

    def close(self) -> None:
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(60)
        self.loop.close()


class Registry:
    """The control plane as one worker asks it: the very service, without the network between."""

    def __init__(self, worker: Worker) -> None:
        self.worker = worker
        self.away = False
        self._asked: queue.SimpleQueue[tuple[LimiterState, Future[LimiterAnswer]]] = queue.SimpleQueue()

    async def limiter(self, state: LimiterState) -> LimiterAnswer:
        if self.away:
            raise ControlPlaneError("the control plane is not reached")
        answer: Future[LimiterAnswer] = Future()
        self._asked.put((state, answer))
        return await asyncio.wrap_future(answer)

    def serve_until(self, done: Future[Any]) -> None:
        while not done.done():
            try:
                state, answer = self._asked.get(timeout=0.01)
            except queue.Empty:
                continue
            answer.set_result(note(self.worker, state))


class Gateway:
    """A worker's limiter, and what it does with what the registry says."""

    def __init__(self, loop: Loop, limiter: Limiters, registry: Registry) -> None:
        self.loop = loop
        self.limiter = limiter
        self.registry = registry
        self.calls = 0
        self.begin_anew()

    def begin_anew(self) -> None:
        self.watch = LimiterWatch(self.registry, self.limiter)

    def call(self, maximum: int = 3, window: int = 60_000, counter: str = "c") -> Reservation:
        self.calls += 1
        charge = Charge("acme", "grant", "g1", counter, None, window, maximum, 1_000_000)
        return self.loop.run(self.limiter.reserve(f"{id(self)}-{self.calls}", [charge]))

    def state(self) -> LimiterState | None:
        return self.loop.run(self.limiter.state())

    def put_in_doubt(self) -> None:
        state = self.state()
        assert state is not None
        self.loop.run(self.limiter.put_in_doubt(state.epoch))

    def look(self) -> None:
        looked = asyncio.run_coroutine_threadsafe(self.watch.look(), self.loop.loop)
        self.registry.serve_until(looked)
        looked.result()

    def settled(self) -> None:
        """Looks until there is nothing more to say: what a running gateway does within a second."""
        deadline = time.monotonic() + 60
        while True:
            said = self.state()
            self.look()
            if said is not None and said == self.state():
                return
            assert time.monotonic() < deadline
            time.sleep(0.01)


def note(worker: Worker, state: LimiterState) -> LimiterAnswer:
    with as_worker():
        return note_limiter(worker, state)


@pytest.fixture(autouse=True)
def database(db: None) -> None:
    """Everything here writes to it."""


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[RedisServer]:
    with running(tmp_path) as made:
        yield made


@contextmanager
def counting(make: Callable[[], Limiters], worker: Worker) -> Iterator[Gateway]:
    loop = Loop()
    gateway = Gateway(loop, loop.run(_made(make)), Registry(worker))
    try:
        eventually(gateway.state)
        yield gateway
    finally:
        loop.run(gateway.limiter.close())
        loop.close()


async def _made(make: Callable[[], Limiters]) -> Limiters:
    return make()


def in_redis(
    server: RedisServer, worker: Worker, witness: Path | None = None
) -> AbstractContextManager[Gateway]:
    return counting(lambda: RedisLimiter(Address.parse(server.url), witness=witness), worker)


def in_file(path: Path, worker: Worker, witness: Path | None = None) -> AbstractContextManager[Gateway]:
    return counting(lambda: SqliteLimiter(path, worker=worker.name, witness=witness), worker)


def eventually(found: Callable[[], object]) -> None:
    deadline = time.monotonic() + 60
    while not found():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def denied_for_its_own_window_and_no_longer(gateway: Gateway) -> None:
    assert [gateway.call(counter=f"other-{n}") for n in range(3)] == [Unavailable()] * 3
    deadline = time.monotonic() + 60
    while (answer := gateway.call(window=300)) != Reserved():
        assert answer == Unavailable() and time.monotonic() < deadline
        time.sleep(0.01)
    assert gateway.call() == Unavailable()


def wipe(path: Path) -> None:
    for suffix in ("", "-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)


# ---- the first store
@needs_redis
def test_the_first_store_ever_is_trusted_as_soon_as_the_control_plane_heard_of_it(
    redis: RedisServer, enrolled: Enrolled, tmp_path: Path
) -> None:
    with (
        in_redis(redis, enrolled("gw-1")[0]) as one,
        in_file(tmp_path / "f", enrolled("gw-2")[0]) as two,
    ):
        for gateway in (one, two):
            assert gateway.call() == Unavailable()
            gateway.settled()
            assert [gateway.call() for _ in range(4)] == [Reserved()] * 3 + [Full(0, 60)]


@needs_redis
def test_with_the_control_plane_away_a_new_store_is_denied_for_each_limits_own_window(
    redis: RedisServer, enrolled: Enrolled
) -> None:
    with in_redis(redis, enrolled("gw-1")[0]) as gateway:
        gateway.registry.away = True
        with pytest.raises(ControlPlaneError):
            gateway.look()
        denied_for_its_own_window_and_no_longer(gateway)


@needs_redis
def test_a_second_worker_of_a_store_neither_doubts_it_nor_takes_a_doubt_away(
    redis: RedisServer, enrolled: Enrolled
) -> None:
    with in_redis(redis, enrolled("gw-1")[0]) as one, in_redis(redis, enrolled("gw-2")[0]) as two:
        one.settled()
        assert one.call() == Reserved()
        two.settled()
        assert [two.call() for _ in range(3)] == [Reserved(), Reserved(), Full(0, 60)]
        one.put_in_doubt()
        two.settled()
        assert two.call(counter="other") == Unavailable()


# ---- lost
@needs_redis
@pytest.mark.parametrize("remembers", [True, False], ids=["by itself", "by the registry alone"])
def test_a_wiped_redis_admits_no_more_than_the_max(
    redis: RedisServer, enrolled: Enrolled, tmp_path: Path, remembers: bool
) -> None:
    worker, witness = enrolled("gw-1")[0], tmp_path / "witness" if remembers else None
    with in_redis(redis, worker, witness) as gateway:
        gateway.settled()
        assert [gateway.call() for _ in range(2)] == [Reserved()] * 2
    redis.client().flushall()
    with in_redis(redis, worker, witness) as again:
        again.settled()
        assert again.call() == Unavailable()
        denied_for_its_own_window_and_no_longer(again)


@needs_redis
def test_a_redis_that_came_back_without_its_data_is_lost_also_for_a_worker_that_is_new(
    redis: RedisServer, enrolled: Enrolled, caplog: pytest.LogCaptureFixture
) -> None:
    with in_redis(redis, enrolled("gw-1")[0]) as gateway:
        gateway.settled()
        assert gateway.call() == Reserved()
    redis.kill()
    shutil.rmtree(redis.folder / "appendonlydir")
    redis.start()
    with in_redis(redis, enrolled("gw-2")[0]) as another:
        another.settled()
        denied_for_its_own_window_and_no_longer(another)
    assert "has lost its limits' state" in caplog.text


@needs_redis
def test_another_redis_at_the_same_address_is_not_taken_for_the_one_before(
    redis: RedisServer, enrolled: Enrolled, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Also where it was in use elsewhere, whole and in no doubt, and where it is the first one come back."""
    worker, first = enrolled("gw-1")[0], redis.folder
    with in_redis(redis, worker) as gateway:
        gateway.settled()
        assert gateway.call() == Reserved()
    for folder in (tmp_path_factory.mktemp("other"), first):
        redis.kill()
        redis.folder = folder
        redis.start()
        if folder != first:
            redis.client().hset("pl:meta", mapping={"epoch": "used elsewhere", "turn": "900"})
        with in_redis(redis, worker) as swapped:
            swapped.settled()
            assert swapped.call(counter="other") == Unavailable()


def test_a_file_that_vanished_with_all_its_worker_knew_is_lost(enrolled: Enrolled, tmp_path: Path) -> None:
    worker, path = enrolled("gw-1")[0], tmp_path / "limits.sqlite3"
    with in_file(path, worker) as gateway:
        gateway.settled()
        assert [gateway.call() for _ in range(3)] == [Reserved()] * 3
    wipe(path)
    with in_file(path, worker) as again:
        again.settled()
        denied_for_its_own_window_and_no_longer(again)


@pytest.mark.parametrize("runs", [True, False], ids=["under it", "while it was down"])
def test_an_older_copy_of_the_file_is_found_out(enrolled: Enrolled, tmp_path: Path, runs: bool) -> None:
    worker, path, witness = enrolled("gw-1")[0], tmp_path / "limits.sqlite3", tmp_path / "witness"
    with in_file(path, worker, witness) as gateway:
        gateway.settled()
        copy(path, tmp_path / "copy")
        assert [gateway.call() for _ in range(3)] == [Reserved()] * 3
        if runs:
            put_back(tmp_path / "copy", path)
            assert gateway.call() == Unavailable()
            denied_for_its_own_window_and_no_longer(gateway)
            return
    put_back(tmp_path / "copy", path)
    with in_file(path, worker, witness) as again:
        again.settled()
        assert again.call() == Unavailable()


def copy(path: Path, to: Path) -> None:
    with sqlite3.connect(path) as source, sqlite3.connect(to) as target:
        source.backup(target)


def put_back(older: Path, path: Path) -> None:
    wipe(path)
    shutil.copy(older, path)


@needs_redis
def test_a_worker_that_moves_to_another_store_leaves_its_charges_behind(
    redis: RedisServer, enrolled: Enrolled, tmp_path: Path
) -> None:
    worker = enrolled("gw-1")[0]
    with in_file(tmp_path / "limits.sqlite3", worker) as gateway:
        gateway.settled()
        assert gateway.call() == Reserved()
    with in_redis(redis, worker) as moved:
        moved.settled()
        denied_for_its_own_window_and_no_longer(moved)


# ---- the registry
def said(epoch: str, doubt: int | None = None, **more: bool) -> LimiterState:
    return LimiterState("redis:6379/0", epoch, doubt, **more)


def test_two_stores_of_one_name_are_each_doubted_once_and_not_for_ever(enrolled: Enrolled) -> None:
    """Two places may each have a Redis that is called the same there."""
    here, there = enrolled("here")[0], enrolled("there")[0]
    assert note(here, said("a", 1, fresh=True)) == LimiterAnswer(trust=1)
    assert note(there, said("b", 5, fresh=True)) == LimiterAnswer()
    for _ in range(3):
        assert note(here, said("a")) == note(there, said("b")) == LimiterAnswer()


def test_a_loss_is_not_registered_before_the_store_is_in_doubt_for_it(enrolled: Enrolled) -> None:
    worker = enrolled("gw-1")[0]
    note(worker, said("a", 1, fresh=True))
    for _ in range(2):
        assert note(worker, said("b")) == LimiterAnswer(lost=True)
    assert note(worker, said("b", 7)) == LimiterAnswer(lost=True), "a doubt of long ago says nothing of today"
    assert note(worker, said("b", 9, accounted=True)) == LimiterAnswer()
    assert note(worker, said("b", 9)) == LimiterAnswer()


def test_trust_is_told_again_until_it_is_taken_and_never_after(enrolled: Enrolled) -> None:
    worker = enrolled("gw-1")[0]
    for _ in range(2):
        assert note(worker, said("a", 1, fresh=True)) == LimiterAnswer(trust=1)
    assert note(worker, said("a")) == LimiterAnswer()
    # An older copy of the store, from before it was trusted.
    assert note(worker, said("a", 1, fresh=True)) == LimiterAnswer()


def test_a_worker_that_invents_stores_fills_no_table(enrolled: Enrolled) -> None:
    worker = enrolled("gw-1")[0]
    for number in range(KEPT_EPOCHS + 10):
        note(worker, said(f"\x00{number}", number, accounted=True))
    with as_worker():
        assert LimiterStore.objects.count() == KEPT_EPOCHS


# ---- people
def run(*arguments: str) -> str:
    out = StringIO()
    with as_owner():
        call_command("limiter", *arguments, stdout=out)
    return out.getvalue()


@needs_redis
def test_accepting_a_loss_ends_that_doubt_and_is_written_in_every_log(
    redis: RedisServer, enrolled: Enrolled, cast: Cast
) -> None:
    worker = enrolled("gw-1")[0]
    with in_redis(redis, worker) as gateway:
        gateway.settled()
        name = redis.url.removeprefix("redis://")
        assert f"{name}  whole  (gw-1)" in run("list") and "Nothing is in doubt" in run("accept-loss")
        redis.client().flushall()
        eventually(gateway.state)
        gateway.settled()
        assert gateway.call() == Unavailable() and "in doubt since" in run("list")
        assert name in run("accept-loss", name)
        gateway.begin_anew()
        gateway.settled()
        assert gateway.call() == Reserved()
        gateway.put_in_doubt()
        gateway.settled()
        assert gateway.call() == Unavailable(), "only the doubt that was known when it was accepted"
    for person in (cast.alice, cast.mallory):
        with inside(person):
            event = AuditEvent.objects.get(verb="limiter.loss_accepted")
            assert (event.actor_email, event.subject_name) == ("operator", name)


def test_a_store_nobody_counts_in_cannot_be_accepted(enrolled: Enrolled) -> None:
    with pytest.raises(CommandError, match="No gateway counts its limits in nowhere"):
        run("accept-loss", "nowhere")


def test_the_page_of_workers_shows_the_doubt_and_not_where_it_is(
    enrolled: Enrolled, cast: Cast, signed_in: SignedIn
) -> None:
    worker = enrolled("gw-1")[0]
    note(worker, said("a", 1, fresh=True))
    note(worker, said("b", 2, accounted=True))
    shown = signed_in(cast.bob).get("/workers/").content.decode()
    assert "may be incomplete since" in shown and "redis:6379" not in shown
    note(worker, said("b"))
    assert "may be incomplete since" not in signed_in(cast.bob).get("/workers/").content.decode()


def test_a_lost_file_is_not_trusted_for_a_new_worker_beside_those_that_knew_another(
    enrolled: Enrolled, tmp_path: Path
) -> None:
    old, new, path = enrolled("gw-1")[0], enrolled("gw-2")[0], tmp_path / "limiter.sqlite3"
    with in_file(path, old) as gateway:
        gateway.settled()
        assert [gateway.call() for _ in range(3)] == [Reserved()] * 3
    wipe(path)
    with in_file(path, old) as again, in_file(path, new) as beside:
        again.settled()
        beside.settled()
        assert [again.call(), beside.call()] == [Unavailable()] * 2


def test_a_new_worker_does_not_doubt_the_file_that_others_count_in(
    enrolled: Enrolled, tmp_path: Path
) -> None:
    path = tmp_path / "limiter.sqlite3"
    with in_file(path, enrolled("gw-1")[0]) as one:
        one.settled()
        with in_file(path, enrolled("gw-2")[0]) as two:
            two.settled()
            assert [one.call(), two.call()] == [Reserved()] * 2
