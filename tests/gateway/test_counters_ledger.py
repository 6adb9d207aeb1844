import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import TypeVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.counters.base import Charge, Full, Reservation, Reserved, Unavailable, key_text
from gateway.counters.charging import Batch
from gateway.counters.ledger import Ledger
from gateway.counters.remembered import Remembered
from gateway.counters.windows import LONGEST_WINDOW_MS, MOST_LATE_MS
from tests.examples import examples
from tests.gateway.limiters import trust_from_birth
from tests.gateway.naive_limits import NaiveLimits

MINUTE = 60_000
_Result = TypeVar("_Result")


@dataclass
class VirtualClock:
    """A machine whose clocks are moved by hand."""

    monotonic: int = 1_000
    wall: int = 1_700_000_000_000
    boot_id: str = "first boot"

    def boot(self) -> str:
        return self.boot_id

    def monotonic_ms(self) -> int:
        return self.monotonic

    def wall_ms(self) -> int:
        return self.wall

    def pass_ms(self, milliseconds: int) -> None:
        self.monotonic += milliseconds
        self.wall += milliseconds

    def reboot(self, off_ms: int, boot_id: str = "second boot") -> None:
        self.wall += off_ms
        self.monotonic = 500
        self.boot_id = boot_id


def charge(
    counter: str = "c", maximum: int = 3, window: int = MINUTE, cost: int = 1_000_000, key: object = None
) -> Charge:
    return Charge("acme", "grant", "g1", counter, key, window, maximum, cost)


class Store:
    def __init__(self, path: Path, clock: VirtualClock | None = None, worker: str = "gw-1") -> None:
        self.clock = clock or VirtualClock()
        self.path = path
        self.worker = worker
        self.ledger = self._open()
        self.decisions = 0
        self.do(trust_from_birth)

    def _open(self) -> Ledger:
        known = Remembered(self.path.with_name(f"{self.worker}.witness"))
        return Ledger(self.path, worker=self.worker, clock=self.clock, known=known)

    def reserve(
        self, *charges: Charge, decision: str | None = None, hold_seconds: int | None = None
    ) -> Reservation:
        self.decisions += 1
        with self.ledger.batch() as batch:
            answer = batch.reserve(decision or f"{self.worker}-{self.decisions}", charges, hold_seconds)
            for counter in batch.crowded:
                batch.merge(counter)
            return answer

    def do(self, act: Callable[[Batch], _Result]) -> _Result:
        with self.ledger.batch() as batch:
            return act(batch)

    def give_back(self, decision: str) -> None:
        self.do(lambda batch: batch.give_back(decision))

    def killed_and_started_again(self) -> None:
        self.ledger.abandon()
        self.ledger = self._open()

    def stopped_and_started_again(self) -> None:
        self.ledger.close()
        self.ledger = self._open()


@contextmanager
def _closing(store: Store) -> Iterator[Store]:
    try:
        yield store
    finally:
        store.ledger.abandon()


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with _closing(Store(tmp_path / "limits.sqlite3")) as made:
        yield made


def test_the_call_after_the_last_unit_is_full_until_the_first_has_left(store: Store) -> None:
    for _ in range(3):
        assert store.reserve(charge()) == Reserved()
        store.clock.pass_ms(10_000)
    assert store.reserve(charge()) == Full(0, 30)
    store.clock.pass_ms(29_999)
    assert store.reserve(charge()) == Full(0, 1)
    store.clock.pass_ms(1)
    assert store.reserve(charge()) == Reserved()
    assert store.reserve(charge()) == Full(0, 10)


def test_nothing_is_charged_where_one_of_the_limits_is_full(store: Store) -> None:
    assert store.reserve(charge("a", 2), charge("b", 1)) == Reserved()
    assert store.reserve(charge("a", 2), charge("b", 1)) == Full(1, 60)
    assert store.reserve(charge("a", 2)) == Reserved()
    assert store.reserve(charge("a", 2)) == Full(0, 60)


def test_retry_after_waits_for_every_limit_not_only_the_one_named(store: Store) -> None:
    both = (charge("a", 1, MINUTE), charge("b", 1, 60 * MINUTE))
    assert store.reserve(*both) == Reserved()
    assert store.reserve(*both) == Full(0, 3600)


def test_a_cost_larger_than_the_max_can_never_fit(store: Store) -> None:
    assert store.reserve(charge(cost=3_000_001)) == Full(0, None, 3_000_000)
    assert store.reserve(charge(cost=9_007_199_254_740_991_000_000)) == Full(0, None, 3_000_000)
    assert store.reserve(charge(cost=3_000_000)) == Reserved()


def test_a_counter_of_two_limits_is_charged_once_by_the_larger_cost(store: Store) -> None:
    one, many = charge(maximum=10), charge(maximum=10, cost=6_000_000)
    assert store.reserve(one, many) == Reserved()
    assert store.reserve(one, charge(maximum=10, cost=0)) == Reserved()
    assert store.reserve(one, charge(maximum=10, cost=4_000_000)) == Full(0, 60, 3_000_000)
    assert store.reserve(one, charge(maximum=10, cost=3_000_000)) == Reserved()
    assert store.reserve(one) == Full(0, 60)


def test_a_cost_of_zero_passes_a_full_limit_and_leaves_no_trace(store: Store) -> None:
    assert store.reserve(charge(maximum=1)) == Reserved()
    assert store.reserve(charge(maximum=1, cost=0)) == Reserved()
    assert store.reserve(charge(maximum=1)) == Full(0, 60)


def test_a_decision_is_charged_once_however_often_it_is_asked(store: Store) -> None:
    for _ in range(5):
        assert store.reserve(charge(maximum=2), decision="same") == Reserved()
    assert store.reserve(charge(maximum=2)) == Reserved()
    assert store.reserve(charge(maximum=2)) == Full(0, 60)


def test_what_a_thousand_others_have_followed_stays_charged(store: Store) -> None:
    """Giving it back would rewrite every later charge's total while everyone else waits."""
    limit = charge(maximum=1_010)
    for number in range(1_010):
        store.clock.pass_ms(1)
        assert store.reserve(limit, decision=f"of {number}") == Reserved()
    store.give_back("of 3")
    assert isinstance(store.reserve(limit), Full)
    store.give_back("of 30")
    assert store.reserve(limit) == Reserved()
    assert isinstance(store.reserve(limit), Full)


def test_what_is_given_back_is_free_again_and_no_more(store: Store) -> None:
    for decision in ("one", "two", "three"):
        assert store.reserve(charge(), decision=decision) == Reserved()
        store.clock.pass_ms(1_000)
    store.give_back("two")
    store.give_back("two")
    store.give_back("never heard of")
    assert store.reserve(charge()) == Reserved()
    assert store.reserve(charge()) == Full(0, 57)


def test_charges_count_in_a_window_that_a_later_revision_makes_longer(store: Store) -> None:
    for _ in range(3):
        assert store.reserve(charge(window=1_000)) == Reserved()
    store.clock.pass_ms(30 * MINUTE)
    assert store.reserve(charge(window=1_000)) == Reserved()
    assert store.reserve(charge(maximum=4, window=60 * MINUTE)) == Full(0, 1800)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (1, Decimal("1.00"), True),
        (1, "1", False),
        (1, True, False),
        (True, "true", False),
        (0, Decimal("-0e99999999"), True),
        (Decimal("1.5"), Decimal("15e-1"), True),
        (None, "", False),
        ("a", "A", False),
        (100, Decimal("1e2"), True),
    ],
)
def test_keys_are_told_apart_by_type_and_value(one: object, other: object, same: bool) -> None:
    assert (key_text(one) == key_text(other)) is same


def test_each_key_has_a_limit_of_its_own(store: Store) -> None:
    assert store.reserve(charge(maximum=1, key="a")) == Reserved()
    assert store.reserve(charge(maximum=1, key="b")) == Reserved()
    assert store.reserve(charge(maximum=1, key="a")) == Full(0, 60)


def test_the_ten_thousand_and_first_live_key_is_full(store: Store) -> None:
    with store.ledger.batch() as batch:
        for number in range(10_000):
            assert batch.reserve(f"d{number}", [charge(key=number)]) == Reserved()
    store.clock.pass_ms(10_000)
    assert store.reserve(charge(key=5), charge("other")) == Reserved()
    assert store.reserve(charge("other"), charge(key="new")) == Full(1, 50)
    assert store.reserve(charge(key="new", cost=0)) == Reserved()
    assert store.reserve(charge()) == Reserved()
    store.clock.pass_ms(50_000)
    assert store.reserve(charge(key="new")) == Reserved()


def test_a_busy_counter_is_merged_against_the_caller_by_a_thousandth_at_most(tmp_path: Path) -> None:
    with _closing(Store(tmp_path / "limits.sqlite3")) as store:
        window, maximum = 3_600_000, 20_000
        began = store.clock.monotonic
        crowded: set[int] = set()
        for number in range(maximum):
            store.clock.monotonic += 100
            with store.ledger.batch() as batch:
                assert batch.reserve(f"d{number}", [charge(maximum=maximum, window=window)]) == Reserved()
            crowded |= batch.crowded
        with store.ledger.batch() as batch:
            for counter in crowded:
                batch.merge(counter)
            assert store.clock.monotonic == began + 100 * maximum
            assert isinstance(batch.reserve("more", [charge(maximum=maximum, window=window)]), Full)
        rows = sqlite3.connect(store.path).execute("SELECT COUNT(*) FROM charge").fetchone()[0]
        assert 10_000 < rows < 14_000
        store.clock.monotonic = began + 100 + window - 1
        assert isinstance(store.reserve(charge(maximum=maximum, window=window)), Full)
        store.clock.monotonic += 1 + window // 1000
        assert store.reserve(charge(maximum=maximum, window=window)) == Reserved()


def test_what_was_merged_away_can_still_be_given_back(tmp_path: Path) -> None:
    with _closing(Store(tmp_path / "limits.sqlite3")) as store:
        limit = charge(maximum=12_000, window=3_600_000)
        with store.ledger.batch() as batch:
            for number in range(12_000):
                assert batch.reserve(f"d{number}", [limit]) == Reserved()
                batch.now += number % 2
        store.clock.pass_ms(10_000)
        assert isinstance(store.reserve(limit), Full)
        store.give_back("d7")
        store.give_back("d11999")
        assert store.reserve(limit) == Reserved()
        assert store.reserve(limit) == Reserved()
        assert isinstance(store.reserve(limit), Full)


def test_what_no_window_counts_any_more_is_forgotten(store: Store) -> None:
    assert store.reserve(charge(key="old")) == Reserved()
    store.clock.pass_ms(LONGEST_WINDOW_MS + MOST_LATE_MS)
    assert store.reserve(charge("new")) == Reserved()
    with store.ledger.batch() as batch:
        batch.sweep(0)
    with sqlite3.connect(store.path) as db:
        for table in ("counter", "charge", "reservation", "family"):
            assert db.execute(f"SELECT COUNT(*) FROM {table}").fetchone() == (1,)  # noqa: S608


def test_a_wall_clock_that_was_set_before_the_machine_went_off_takes_no_charge_along(store: Store) -> None:
    assert store.reserve(charge(maximum=1, window=60 * MINUTE)) == Reserved()
    store.clock.wall += 50 * MINUTE
    store.clock.pass_ms(MINUTE)
    store.ledger.close()
    store.clock.reboot(off_ms=20 * MINUTE)
    store.ledger = store._open()
    assert store.reserve(charge(maximum=1, window=60 * MINUTE)) == Full(0, 39 * 60)


def test_stepping_the_wall_clock_back_or_forward_changes_nothing(store: Store) -> None:
    for step in (-86_400_000, 0, 86_400_000):
        store.clock.wall += step
        assert store.reserve(charge()) == Reserved()
    assert store.reserve(charge()) == Full(0, 60)


def test_a_kill_loses_no_charge(store: Store) -> None:
    for _ in range(3):
        assert store.reserve(charge()) == Reserved()
        store.killed_and_started_again()
    assert store.reserve(charge()) == Full(0, 60)


def test_a_machine_switched_off_after_a_clean_stop_goes_on_exactly(store: Store) -> None:
    for _ in range(3):
        assert store.reserve(charge()) == Reserved()
    store.ledger.close()
    store.clock.reboot(off_ms=20_000)
    store.ledger = store._open()
    assert store.reserve(charge()) == Full(0, 40)
    store.clock.pass_ms(40_000)
    assert store.reserve(charge()) == Reserved()


def test_a_machine_that_went_down_without_a_stop_is_in_doubt_for_each_limits_own_window(store: Store) -> None:
    assert store.reserve(charge()) == Reserved()
    store.ledger.abandon()
    store.clock.reboot(off_ms=60 * MINUTE)
    store.ledger = store._open()
    assert store.reserve(charge()) == Unavailable()
    assert store.reserve(charge(cost=0)) == Reserved()
    store.clock.pass_ms(MINUTE + MOST_LATE_MS)
    assert store.reserve(charge()) == Reserved()
    assert store.reserve(charge(window=60 * MINUTE)) == Unavailable()


def test_a_store_wiped_in_mid_window_admits_nothing_until_the_window_is_over(store: Store) -> None:
    assert store.reserve(charge()) == Reserved()
    for suffix in ("", "-wal", "-shm"):
        store.path.with_name(store.path.name + suffix).unlink(missing_ok=True)
    assert not store.ledger.is_the_file()
    store.killed_and_started_again()
    store.clock.pass_ms(MINUTE + MOST_LATE_MS - 1)
    assert store.reserve(charge()) == Unavailable()
    store.clock.pass_ms(1)
    assert store.reserve(charge()) == Reserved()


def test_a_worker_whose_clock_ran_ahead_puts_the_state_in_doubt(tmp_path: Path) -> None:
    ahead = VirtualClock()
    with (
        _closing(Store(tmp_path / "limits.sqlite3")) as store,
        _closing(Store(tmp_path / "limits.sqlite3", ahead, "gw-2")) as other,
    ):
        assert store.reserve(charge(maximum=1)) == Reserved()
        ahead.pass_ms(MINUTE + 5_000)
        assert other.reserve(charge(maximum=1)) == Reserved()
        assert store.reserve(charge(maximum=1)) == Unavailable()
        store.clock.pass_ms(2 * MINUTE + 5_000 + MOST_LATE_MS)
        assert store.reserve(charge(maximum=1)) == Reserved()


def test_two_workers_see_one_counter(tmp_path: Path) -> None:
    clock = VirtualClock()
    with (
        _closing(Store(tmp_path / "limits.sqlite3", clock)) as one,
        _closing(Store(tmp_path / "limits.sqlite3", clock, "gw-2")) as two,
    ):
        answers = [worker.reserve(charge()) for worker in (one, two, one, two)]
        assert answers == [Reserved(), Reserved(), Reserved(), Full(0, 60)]


LIMITS = st.builds(
    Charge,
    organization=st.sampled_from(["acme", "mallory"]),
    scope_kind=st.sampled_from(["grant", "server"]),
    scope_id=st.just("s"),
    counter=st.sampled_from(["a", "b"]),
    key=st.sampled_from([None, None, "k", 1, True]),
    window_ms=st.sampled_from([1_000, 2_000, 5_000, 10_000]),
    max=st.integers(1, 4),
    cost_micros=st.sampled_from([0, 1, 500_000, 1_000_000, 1_000_000, 2_500_000, 5_000_000]),
)
STEPS: st.SearchStrategy[tuple[str, list[Charge], int, int]] = st.one_of(
    st.tuples(
        st.sampled_from(["reserve", "reserve", "hold"]),
        st.lists(LIMITS, min_size=1, max_size=4),
        st.integers(0, 30),
        st.integers(0, 20),
    ),
    st.tuples(
        st.sampled_from(["give back", "release", "settle", "extend"]),
        st.just([]),
        st.integers(0, 30),
        st.integers(0, 20),
    ),
    st.tuples(st.just("wait"), st.just([]), st.integers(0, 12_000), st.just(0)),
    st.tuples(st.just("sweep"), st.just([]), st.just(0), st.just(0)),
    st.tuples(st.just("restart"), st.just([]), st.booleans().map(int), st.just(0)),
)


@examples(30)
@given(steps=st.lists(STEPS, max_size=40))
def test_the_store_answers_as_the_sentences_of_the_language_do(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, list[Charge], int, int]]
) -> None:
    with _closing(Store(tmp_path_factory.mktemp("limits") / "limits.sqlite3")) as store:
        assert_answers_as_the_sentences_do(store, steps)


def assert_answers_as_the_sentences_do(store: Store, steps: list[tuple[str, list[Charge], int, int]]) -> None:
    naive = NaiveLimits()
    for step, charges, number, seconds in steps:
        now, decision = store.clock.monotonic, f"d{number}"
        match step:
            case "reserve" | "hold":
                held = seconds if step == "hold" else None
                expected = naive.reserve(now, decision, charges, held)
                assert store.reserve(*charges, decision=decision, hold_seconds=held) == expected
            case "wait":
                store.clock.pass_ms(number)
            case "sweep":
                store.do(lambda batch: batch.sweep(0))
            case "restart" if number:
                store.killed_and_started_again()
            case "restart":
                store.stopped_and_started_again()
            case _:
                _assert_same_change(store, naive, step, decision, seconds)


def _assert_same_change(store: Store, naive: NaiveLimits, step: str, decision: str, seconds: int) -> None:
    now = store.clock.monotonic
    match step:
        case "give back":
            naive.give_back(decision)
            store.give_back(decision)
        case "release":
            naive.release(decision)
            store.do(lambda batch: batch.release(decision))
        case "settle":
            assert store.do(lambda batch: batch.settle(decision)) == naive.settle(now, decision)
        case _:
            naive.extend(now, decision, seconds)
            store.do(lambda batch: batch.extend(decision, seconds))
