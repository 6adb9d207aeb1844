"""Units held for calls that wait for a person."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.counters.base import HOLD_GRACE_SECONDS, Full, NotHeld, Reserved, Unavailable
from gateway.counters.sqlite import SqliteLimiter
from tests.gateway.limiters import trusted_file
from tests.gateway.test_counters_ledger import MINUTE, Store, charge

QUARTER = 900


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    made = Store(tmp_path / "limits.sqlite3")
    yield made
    made.ledger.abandon()


def hold(store: Store, decision: str, seconds: int = QUARTER, maximum: int = 1) -> object:
    return store.reserve(charge(maximum=maximum), decision=decision, hold_seconds=seconds)


def test_a_held_unit_counts_in_every_window_however_long_it_takes(store: Store) -> None:
    assert hold(store, "one") == Reserved()
    store.clock.pass_ms(10 * MINUTE)
    assert store.reserve(charge(maximum=1)) == Full(0, 300)
    assert store.reserve(charge(maximum=1, window=1_000)) == Full(0, 300)


def test_when_it_is_sent_it_counts_from_that_moment(store: Store) -> None:
    assert hold(store, "one") == Reserved()
    store.clock.pass_ms(10 * MINUTE)
    assert store.do(lambda batch: batch.settle("one")) == Reserved()
    store.clock.pass_ms(MINUTE - 1)
    assert store.reserve(charge(maximum=1)) == Full(0, 1)
    store.clock.pass_ms(1)
    assert store.reserve(charge(maximum=1)) == Reserved()


def test_it_is_settled_once(store: Store) -> None:
    assert hold(store, "one") == Reserved()
    assert store.do(lambda batch: batch.settle("one")) == Reserved()
    assert store.do(lambda batch: batch.settle("one")) == NotHeld()
    assert store.do(lambda batch: batch.settle("never heard of")) == NotHeld()


def test_a_refused_one_is_free_at_once_and_what_was_charged_is_not(store: Store) -> None:
    assert hold(store, "one", maximum=2) == Reserved()
    assert store.reserve(charge(maximum=2), decision="two") == Reserved()
    for decision in ("one", "two"):
        store.do(lambda batch, decision=decision: batch.release(decision))  # type: ignore[misc]
    assert store.reserve(charge(maximum=2)) == Reserved()
    assert store.reserve(charge(maximum=2)) == Full(0, 60)


def test_asked_again_under_its_decision_it_is_held_once(store: Store) -> None:
    assert hold(store, "one", maximum=2) == Reserved()
    assert hold(store, "one", maximum=2) == Reserved()
    assert hold(store, "two", maximum=2) == Reserved()
    assert hold(store, "three", maximum=2) == Full(0, 900)


def test_it_ends_by_itself_a_little_after_its_time_limit(store: Store) -> None:
    assert hold(store, "one", 60) == Reserved()
    store.clock.pass_ms(MINUTE + 1000 * HOLD_GRACE_SECONDS - 1)
    assert store.reserve(charge(maximum=1)) == Full(0, 1)
    store.clock.pass_ms(1)
    assert store.do(lambda batch: batch.settle("one")) == NotHeld()
    assert store.reserve(charge(maximum=1)) == Reserved()


def test_the_answer_of_a_person_begins_its_time_limit_anew(store: Store) -> None:
    assert hold(store, "one", 60) == Reserved()
    store.clock.pass_ms(59_000)
    store.do(lambda batch: batch.extend("one", 60))
    store.clock.pass_ms(59_000)
    assert store.reserve(charge(maximum=1)) == Full(0, 1)
    assert store.do(lambda batch: batch.settle("one")) == Reserved()


def test_what_is_over_is_not_brought_back_by_late_news(store: Store) -> None:
    assert hold(store, "one", 60) == Reserved()
    store.clock.pass_ms(MINUTE + 1000 * HOLD_GRACE_SECONDS)
    store.do(lambda batch: batch.extend("one", 60))
    assert store.reserve(charge(maximum=1)) == Reserved()
    assert store.do(lambda batch: batch.settle("one")) == NotHeld()


def test_waiting_calls_and_sent_ones_never_add_up_to_more_than_the_max(store: Store) -> None:
    for number in range(3):
        assert hold(store, f"held{number}", maximum=3) == Reserved()
    store.clock.pass_ms(5 * MINUTE)
    assert store.reserve(charge(maximum=3)) == Full(0, 600)
    for number in range(3):
        assert store.do(lambda batch, number=number: batch.settle(f"held{number}")) == Reserved()  # type: ignore[misc]
    assert store.reserve(charge(maximum=3)) == Full(0, 60)


def test_what_is_held_outlives_a_kill_and_a_restart(store: Store) -> None:
    assert hold(store, "one") == Reserved()
    store.killed_and_started_again()
    assert store.reserve(charge(maximum=1)) == Full(0, 900)
    store.stopped_and_started_again()
    assert store.do(lambda batch: batch.settle("one")) == Reserved()
    assert store.do(lambda batch: batch.settle("one")) == NotHeld()


def test_a_settled_call_can_be_given_back_where_no_byte_was_sent(store: Store) -> None:
    assert hold(store, "one") == Reserved()
    assert store.do(lambda batch: batch.settle("one")) == Reserved()
    store.give_back("one")
    assert store.reserve(charge(maximum=1)) == Reserved()


def test_a_key_lives_while_a_call_of_it_waits(store: Store) -> None:
    assert store.reserve(charge(key="waiting"), hold_seconds=QUARTER) == Reserved()
    store.clock.pass_ms(10 * MINUTE)
    with store.ledger.batch() as batch:
        for number in range(9_999):
            assert batch.reserve(f"d{number}", [charge(key=number)]) == Reserved()
    assert isinstance(store.reserve(charge(key="new")), Full)
    store.clock.pass_ms(MINUTE)
    assert store.reserve(charge(key="new")) == Reserved()


def test_a_ticket_is_spent_once(store: Store) -> None:
    assert store.do(lambda batch: batch.spend("ticket", QUARTER))
    store.killed_and_started_again()
    assert not store.do(lambda batch: batch.spend("ticket", QUARTER))
    assert store.do(lambda batch: batch.spend("another", QUARTER))


def test_no_ticket_is_good_where_it_cannot_be_known_whether_it_was_spent(store: Store) -> None:
    assert store.reserve(charge()) == Reserved()
    store.ledger.abandon()
    store.clock.reboot(off_ms=1_000)
    store.ledger = store._open()
    assert not store.do(lambda batch: batch.spend("ticket", QUARTER))
    store.clock.pass_ms(1000 * QUARTER)
    assert store.do(lambda batch: batch.spend("ticket", QUARTER))


async def test_the_limiter_holds_extends_settles_and_releases(tmp_path: Path) -> None:
    limiter = SqliteLimiter(trusted_file(tmp_path / "limits.sqlite3"), worker="gw-1")
    try:
        one = [charge(maximum=1)]
        assert await limiter.reserve("one", one, hold_seconds=QUARTER) == Reserved()
        assert isinstance(await limiter.reserve("two", one), Full)
        await limiter.release("one")
        assert await limiter.reserve("two", one, hold_seconds=QUARTER) == Reserved()
        await limiter.extend("two", QUARTER)
        assert await limiter.settle("two") == Reserved()
        assert await limiter.settle("two") == NotHeld()
        assert await limiter.spend("ticket", QUARTER)
        assert not await limiter.spend("ticket", QUARTER)
    finally:
        await limiter.close()


async def test_a_limiter_that_cannot_write_settles_nothing_and_takes_no_ticket(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    limiter = SqliteLimiter(tmp_path / "file" / "limits.sqlite3", worker="gw-1")
    try:
        assert await limiter.settle("one") == Unavailable()
        assert not await limiter.spend("ticket", QUARTER)
    finally:
        await limiter.close()
