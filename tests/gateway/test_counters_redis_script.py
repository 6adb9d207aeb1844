"""The Redis limiter's script, on a clock moved by hand, against the other store's laws and a naive model."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from hashlib import sha1
from typing import Any

import pytest
import redis
from hypothesis import given
from hypothesis import strategies as st

from gateway.counters.base import Charge, Full, Reservation, Reserved, Settlement, Unavailable
from gateway.counters.redis import SCRIPT, _parameters, _reservation, _settlement, _Told
from tests.examples import examples
from tests.gateway import test_counters_ledger as ledger
from tests.gateway.test_counters_ledger import (  # noqa: F401 - the same laws, for this module's store
    STEPS,
    VirtualClock,
    charge,
    test_a_cost_larger_than_the_max_can_never_fit,
    test_a_cost_of_zero_passes_a_full_limit_and_leaves_no_trace,
    test_a_counter_of_two_limits_is_charged_once_by_the_larger_cost,
    test_a_decision_is_charged_once_however_often_it_is_asked,
    test_charges_count_in_a_window_that_a_later_revision_makes_longer,
    test_each_key_has_a_limit_of_its_own,
    test_nothing_is_charged_where_one_of_the_limits_is_full,
    test_retry_after_waits_for_every_limit_not_only_the_one_named,
    test_the_call_after_the_last_unit_is_full_until_the_first_has_left,
    test_what_a_thousand_others_have_followed_stays_charged,
    test_what_is_given_back_is_free_again_and_no_more,
)
from tests.redis_server import RedisServer, needs_redis, running

pytestmark = needs_redis
MINUTE = 60_000
_CLOCK = "redis.call('TIME')"
BY_HAND = SCRIPT.replace(_CLOCK, "{redis.call('GET', 'clock'), '0'}").replace(
    "tonumber(time[1]) * 1000", "tonumber(time[1])"
)


class Store:
    """A store on a Redis; each new one flushes the database, to have it alone."""

    def __init__(self, client: redis.Redis, clock: VirtualClock | None = None) -> None:
        self.clock = clock or VirtualClock()
        self._client = client
        self._sha = sha1(BY_HAND.encode(), usedforsecurity=False).hexdigest()
        client.flushall()
        client.script_load(BY_HAND)
        self.decisions = 0
        self.ask("begin", "e", "run")
        self.ask("trust", self.doubt)

    @property
    def doubt(self) -> str:
        found = self._client.hget("pl:meta", "doubt")
        return found.decode() if isinstance(found, bytes) else ""

    def ask(self, *request: object) -> Any:
        self._client.set("clock", self.clock.monotonic)
        told = _Told.read(self._client.evalsha(self._sha, 0, "e", *map(str, request)))
        for counter in told.crowded:
            self._client.evalsha(self._sha, 0, "e", "merge", counter)
        return told.answer

    def reserve(
        self, *charges: Charge, decision: str | None = None, hold_seconds: int | None = None
    ) -> Reservation:
        self.decisions += 1
        held = "" if hold_seconds is None else 1000 * hold_seconds
        answer = self.ask("reserve", decision or f"d-{self.decisions}", held, *_parameters(charges))
        return Unavailable() if answer[0] == b"unavailable" else _reservation(answer)

    def do(self, act: Callable[[Store], Any]) -> Any:
        return act(self)

    def settle(self, decision: str) -> Settlement:
        return _settlement(self.ask("settle", decision))

    def release(self, decision: str) -> None:
        self.ask("release", decision)

    def extend(self, decision: str, seconds: int) -> None:
        self.ask("extend", decision, 1000 * seconds)

    def give_back(self, decision: str) -> None:
        self.ask("give_back", decision)

    def sweep(self, _: int) -> None:
        """Do nothing: Redis expires charges without help."""

    def killed_and_started_again(self) -> None:
        """Do nothing: a worker keeps no state here."""

    stopped_and_started_again = killed_and_started_again


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    with running(tmp_path_factory.mktemp("redis"), appendonly="no") as made:
        yield made


@pytest.fixture
def store(server: RedisServer) -> Store:
    return Store(server.client())


def test_the_clock_is_asked_in_one_place() -> None:
    assert SCRIPT.count(_CLOCK) == 1 and "'clock'" in BY_HAND


@examples(50)
@given(steps=st.lists(STEPS, max_size=40))
def test_the_script_answers_as_the_sentences_of_the_language_do(
    server: RedisServer, steps: list[tuple[str, list[Charge], int, int]]
) -> None:
    ledger.assert_answers_as_the_sentences_do(Store(server.client()), steps)  # type: ignore[arg-type]


def test_the_ten_thousand_and_first_live_key_is_full(store: Store) -> None:
    for number in range(10_000):
        assert store.reserve(charge(key=number)) == Reserved()
    store.clock.pass_ms(10_000)
    assert store.reserve(charge(key=5), charge("other")) == Reserved()
    assert store.reserve(charge("other"), charge(key="new")) == Full(1, 50)
    assert store.reserve(charge(key="new", cost=0)) == Reserved()
    assert store.reserve(charge()) == Reserved()
    store.clock.pass_ms(50_000)
    assert store.reserve(charge(key="new")) == Reserved()


def test_what_is_given_back_leaves_nothing_behind_that_never_ends(store: Store) -> None:
    for decision in ("first", "second"):
        assert store.reserve(charge(key="k"), decision=decision) == Reserved()
    assert store.reserve(charge(key="k"), decision="third", hold_seconds=60) == Reserved()
    for decision in ("first", "third", "second"):
        kept = set(store._client.keys("pl:*")) - {b"pl:meta"}
        assert kept and all(store._client.pttl(name) > 0 for name in kept)
        store.give_back(decision)
        kept = set(store._client.keys("pl:*")) - {b"pl:meta"}
        assert all(store._client.pttl(name) > 0 for name in kept)


def test_what_waits_at_a_full_limit_is_read_once_to_say_when_there_is_room(store: Store) -> None:
    limit = charge(maximum=100, window=600_000)
    for number in range(100):
        assert store.reserve(limit, hold_seconds=60 + number) == Reserved()
    store._client.config_resetstat()
    assert store.reserve(limit) == Full(0, 60)
    read = store._client.info("commandstats")["cmdstat_zrangebyscore"]["calls"]
    assert read <= 3


def test_a_busy_counter_is_merged_against_the_caller_by_a_thousandth_at_most(store: Store) -> None:
    window, maximum = 3_600_000, 13_000
    limit = charge(maximum=maximum, window=window)
    began = store.clock.monotonic
    for _ in range(maximum):
        store.clock.pass_ms(100)
        assert store.reserve(limit) == Reserved()
    assert isinstance(store.reserve(limit), Full)
    (key,) = store._client.keys("pl:c:*")
    assert 10_000 < store._client.zcard(key) < 12_000
    store.give_back(f"d-{maximum}")
    assert store.reserve(limit) == Reserved()
    assert isinstance(store.reserve(limit), Full)
    store.clock.monotonic = began + 100 + window - 1
    assert isinstance(store.reserve(limit), Full)
    store.clock.pass_ms(1 + window // 1000)
    assert store.reserve(limit) == Reserved()


def test_a_total_that_goes_round_counts_on(store: Store) -> None:
    """As after hundreds of years: the newest total is just below the value where it wraps."""
    assert store.reserve(charge(maximum=10)) == Reserved()
    (key,) = store._client.keys("pl:c:*")
    store._client.delete(key)
    store._client.zadd(key, {f"{1:015}:{2**50 - 2}:500000": store.clock.monotonic - 2 * MINUTE})
    for _ in range(10):
        assert store.reserve(charge(maximum=10)) == Reserved()
    assert store.reserve(charge(maximum=10)) == Full(0, 60)


def test_the_largest_amounts_are_counted_to_the_millionth(store: Store) -> None:
    limit = 1_000_000_000
    most = limit * 1_000_000
    assert store.reserve(charge(maximum=limit, cost=most - 1)) == Reserved()
    assert store.reserve(charge(maximum=limit, cost=2)) == Full(0, 60, 1)
    assert store.reserve(charge(maximum=limit, cost=1)) == Reserved()
    assert store.reserve(charge(maximum=limit, cost=1)) == Full(0, 60)


def test_a_clock_put_back_changes_nothing_and_time_goes_on(store: Store) -> None:
    store.clock.pass_ms(10 * MINUTE)
    assert store.reserve(charge(maximum=1)) == Reserved()
    store.clock.pass_ms(-9 * MINUTE)
    assert store.reserve(charge(maximum=1)) == Full(0, 60)
    store.clock.pass_ms(MINUTE - 1)
    assert store.reserve(charge(maximum=1)) == Full(0, 1)
    store.clock.pass_ms(1)
    assert store.reserve(charge(maximum=1)) == Reserved()


def test_in_doubt_each_limit_is_unavailable_for_its_own_window(store: Store) -> None:
    store.ask("doubt")
    assert store.reserve(charge()) == Unavailable()
    assert store.reserve(charge(cost=0)) == Reserved()
    store.clock.pass_ms(MINUTE)
    assert store.reserve(charge()) == Reserved()
    assert store.reserve(charge(window=2 * MINUTE)) == Unavailable()


def test_only_the_doubt_that_is_named_is_taken_away(store: Store) -> None:
    store.ask("doubt")
    first = store.doubt
    store.clock.pass_ms(5)
    store.ask("doubt")
    store.ask("trust", first)
    assert store.reserve(charge()) == Unavailable()
    store.ask("trust", store.doubt)
    assert store.reserve(charge()) == Reserved()


def test_a_ticket_is_spent_once(store: Store) -> None:
    assert [store.ask("spend", "t", 1000)[0] for _ in range(2)] == [b"new", b"spent"]
    store.ask("doubt")
    assert store.ask("spend", "u", 1000)[0] == b"spent", "nobody knows whether it was"


def test_no_value_of_an_argument_stands_in_the_store(store: Store) -> None:
    assert store.reserve(charge(key="alice@example.com")) == Reserved()
    assert store.reserve(charge(key="bob@example.com"), hold_seconds=10) == Reserved()
    everything = repr([(key, _dump(store._client, key)) for key in store._client.keys("*")])
    assert "example.com" not in everything and "acme" not in everything


def test_every_key_of_the_store_ends_by_itself(store: Store) -> None:
    store.reserve(charge(key="k"), decision="one")
    store.reserve(charge(key="k"), hold_seconds=30, decision="two")
    store.extend("two", 60)
    store.ask("spend", "t", 1000)
    keys = [key for key in store._client.keys("pl:*") if key != b"pl:meta"]
    assert len(keys) >= 5 and all(store._client.pttl(key) > 0 for key in keys)


def _dump(client: redis.Redis, key: Any) -> object:
    match client.type(key):
        case b"zset":
            return client.zrange(key, 0, -1)
        case b"list":
            return client.lrange(key, 0, -1)
        case b"hash":
            return client.hgetall(key)
        case _:
            return client.get(key)
