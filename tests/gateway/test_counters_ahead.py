"""Charging ahead for expected calls: never more than the max in any window, and the unused is given back."""

import asyncio
import os
import sqlite3
import subprocess
import sys
import time
from bisect import bisect_left, bisect_right
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.counters.ahead import Ahead, Charged, Made, Unused
from gateway.counters.base import MICROS, Charge, Full, Reservation, Reserved
from gateway.counters.sqlite import SqliteLimiter
from gateway.counters.windows import late_ms
from tests.gateway.limiters import trusted_file
from tests.gateway.test_counters_ledger import MINUTE, Store, VirtualClock

ROOT = Path(__file__).parents[2]


def charge(maximum: int = 1_000_000, window: int = MINUTE, cost: int = MICROS, counter: str = "c") -> Charge:
    return Charge("acme", "grant", "g1", counter, None, window, maximum, cost)


@pytest.fixture
async def limiter(tmp_path: Path) -> AsyncIterator[SqliteLimiter]:
    made = SqliteLimiter(trusted_file(tmp_path / "limits.sqlite3"), worker="gw-1")
    assert await made.reserve("first", [charge(counter="other")]) == Reserved()
    yield made
    await made.close()


class _Caller:
    def __init__(self, limiter: SqliteLimiter) -> None:
        self.limiter = limiter
        self.calls = 0
        self.passed = 0

    def ask(self, *charges: Charge) -> Reservation | None:
        [answer] = self.limiter.at_once([(f"d{self.calls}", charges)])
        self.passed += answer == Reserved()
        return answer

    def call(self, *charges: Charge) -> Reservation:
        """Ask until it need not wait for anyone else at the file."""
        self.calls += 1
        while (answer := self.ask(*charges)) is None:
            time.sleep(0.0002)
        return answer

    def until_ahead(self, path: Path, *charges: Charge) -> sqlite3.Connection:
        """Call until one passes while another connection holds the file; return that, still holding it."""
        holder = sqlite3.connect(path, isolation_level=None, timeout=0)
        until = time.monotonic() + 60
        while time.monotonic() < until:
            self.call(*charges)
            try:
                holder.execute("BEGIN IMMEDIATE")
            except sqlite3.OperationalError:
                continue
            self.calls += 1
            if self.ask(*charges) == Reserved():
                return holder
            holder.execute("ROLLBACK")
        raise AssertionError("nothing was charged ahead")


def charged(path: Path, counter: str = "c") -> float:
    with sqlite3.connect(path) as db:
        [(units, micros)] = db.execute(
            "SELECT c.units, c.micros FROM counter c JOIN family f ON f.id = c.family WHERE f.name LIKE ?",
            (f"%\n{counter}",),
        )
    return float(units) + float(micros) / MICROS


async def settled(path: Path, calls: float, counter: str = "c") -> None:
    until = time.monotonic() + 60
    while charged(path, counter) != calls:
        assert time.monotonic() < until, (charged(path, counter), calls)
        await asyncio.sleep(0.01)


async def test_calls_that_come_fast_are_charged_ahead_and_only_for_a_moment(
    limiter: SqliteLimiter, tmp_path: Path
) -> None:
    caller = _Caller(limiter)
    holder = caller.until_ahead(tmp_path / "limits.sqlite3", charge())
    await asyncio.sleep(late_ms(MINUTE) / 1000)
    assert caller.ask(charge()) is None
    assert caller.ask(charge(maximum=999)) is None, "another limit is another matter"
    holder.close()


async def test_what_was_charged_for_calls_that_did_not_come_is_given_back(
    limiter: SqliteLimiter, tmp_path: Path
) -> None:
    caller, path = _Caller(limiter), tmp_path / "limits.sqlite3"
    two = (charge(cost=1_500_000), charge(counter="e", cost=300_000))
    passed = sum(caller.call(*two) == Reserved() for _ in range(500))
    assert passed
    await settled(path, passed * 1.5)
    await settled(path, round(passed * 0.3, 6), "e")


async def test_a_call_charged_ahead_that_is_not_sent_is_given_back_alone(
    limiter: SqliteLimiter, tmp_path: Path
) -> None:
    caller, path = _Caller(limiter), tmp_path / "limits.sqlite3"
    reserved = [f"d{number}" for number in range(1, 501) if caller.call(charge()) == Reserved()]
    for decision in reserved[::2]:
        await limiter.give_back(decision)
    await settled(path, len(reserved[1::2]))
    await limiter.give_back(reserved[0])
    await settled(path, len(reserved[1::2]))


def test_what_was_taken_is_known_for_ten_thousand_calls_and_not_for_ever() -> None:
    ahead, kind = Ahead(lambda: 0), (charge(),)
    ahead.committed(Charged([], [Made(kind, 1, "ahead", 30_000, 63)]), since=0)
    assert all(ahead.take(f"d{number}", kind, 0) for number in range(30_000))
    assert ahead.give_back("d20001")
    assert not ahead.give_back("d20001"), "once"
    assert not ahead.give_back("d0")
    assert ahead.unused == [Unused("ahead", kind, 1)]


async def test_closing_gives_back_what_was_not_used(tmp_path: Path) -> None:
    path = trusted_file(tmp_path / "limits.sqlite3")
    limiter = SqliteLimiter(path, worker="gw-1")
    await limiter.reserve("first", [charge()])
    caller = _Caller(limiter)
    caller.until_ahead(path, charge()).close()
    before = charged(path)
    await limiter.close()
    assert charged(path) == 1 + caller.passed < before


async def test_near_a_limit_nothing_is_charged_ahead(limiter: SqliteLimiter) -> None:
    caller = _Caller(limiter)
    answers = [caller.call(charge(maximum=300)) for _ in range(600)]
    assert answers.count(Reserved()) == 300
    assert all(isinstance(answer, Full) for answer in answers[300:])


def test_every_limit_of_a_counter_counts_what_was_charged_ahead_for_longer(tmp_path: Path) -> None:
    store = Store(tmp_path / "limits.sqlite3", VirtualClock())
    with store.ledger.batch() as batch:
        assert batch.reserve_ahead("ahead", [charge(maximum=100_000)], 50) == 50
    few = charge(maximum=50, window=1_000)
    store.clock.pass_ms(1_000 + late_ms(MINUTE) - 1)
    assert store.reserve(few) == Full(0, 1)
    store.clock.pass_ms(2)
    assert store.reserve(few) == Reserved()
    store.ledger.close()


@pytest.mark.parametrize(
    ("window", "late"), [(1_000, 8), (2_000, 16), (5_000, 40), (10_000, 64), (MINUTE, 64), (604_800_000, 64)]
)
def test_charges_may_be_used_later_by_less_than_a_hundredth_of_the_window(window: int, late: int) -> None:
    assert late_ms(window) == late < window / 100


def test_a_shorter_window_of_the_same_counter_soon_counts_no_longer_than_suits_it(tmp_path: Path) -> None:
    store, long, short = Store(tmp_path / "limits.sqlite3", VirtualClock()), charge(), charge(window=1_000)
    with store.ledger.batch() as batch:
        assert (batch.lateness([long]), batch.reserve_ahead("one", [long], 50)) == (64, 50)
    with store.ledger.batch() as batch:
        assert batch.lateness([short]) == 8
    store.clock.pass_ms(1)
    with store.ledger.batch() as batch:
        assert batch.lateness([long]) == 8, "two limits share what they count"
        assert batch.reserve_ahead("two", [long], 50) == 50
    store.clock.pass_ms(1_000 + 63)
    assert store.reserve(charge(maximum=50, window=1_000)) == Full(0, 1), "the first may have been used late"
    store.clock.pass_ms(1)
    assert store.reserve(charge(maximum=50, window=1_000)) == Reserved()
    with store.ledger.batch() as batch:
        assert batch.reserve_ahead("three", [short], 50) == 50
    store.clock.pass_ms(1_000 + 7)
    assert store.reserve(charge(maximum=50, window=1_000)) == Full(0, 1)
    store.clock.pass_ms(1)
    assert store.reserve(charge(maximum=50, window=1_000)) == Reserved()
    store.ledger.close()


@pytest.mark.parametrize("maximum", [499, 500, 2_000, 1_000_000])
def test_only_a_small_part_of_what_is_left_is_charged_ahead(tmp_path: Path, maximum: int) -> None:
    store = Store(tmp_path / "limits.sqlite3", VirtualClock())
    with store.ledger.batch() as batch:
        limits = (charge(maximum=maximum), charge(counter="e"))
        assert batch.reserve_ahead("ahead", limits, 1_000) == min(1_000, maximum // 500)
    store.ledger.close()


WORKER = """
import asyncio, sys, time
from pathlib import Path
from gateway.counters.base import Charge, Full, Reserved
from gateway.counters.sqlite import SqliteLimiter

async def main(path, worker, seconds, maximum):
    limiter = SqliteLimiter(Path(path), worker=worker)
    charge = Charge("acme", "grant", "g1", "c", None, 1_000, maximum, 1_000_000)
    while not isinstance(await limiter.reserve(f"{worker}-first", [charge]), Reserved):
        pass
    print(f"R {time.monotonic_ns()} {time.monotonic_ns()}", flush=True)
    calls, until = 0, time.monotonic() + seconds
    while time.monotonic() < until:
        told = []
        for _ in range(50):
            calls += 1
            before = time.monotonic_ns()
            [answer] = limiter.at_once([(f"{worker}-{calls}", (charge,))])
            if answer == Reserved():
                told.append(f"R {before} {time.monotonic_ns()}")
            elif isinstance(answer, Full):
                told.append(f"F {before} {time.monotonic_ns()}")
        if told:
            sys.stdout.write("\\n".join([*told, ""]))
            sys.stdout.flush()
        await asyncio.sleep(0)
    await limiter.close()

asyncio.run(main(sys.argv[1], sys.argv[2], float(sys.argv[3]), int(sys.argv[4])))
"""


def test_in_no_window_is_more_than_the_max_though_a_worker_is_killed(tmp_path: Path) -> None:
    maximum, second, late = 1_000, 1_000_000_000, late_ms(1_000) * 1_000_000
    files, path = [tmp_path / "one", tmp_path / "two"], trusted_file(tmp_path / "limits.sqlite3")
    workers = [_worker(path, told, maximum) for told in files]
    while not files[0].stat().st_size and workers[0].poll() is None:
        time.sleep(0.01)
    time.sleep(2)
    workers[0].kill()
    assert [worker.wait(60) for worker in workers] == [-9, 0]
    whole = [one for file in files for one in _told(file)]
    begun = sorted(began for kind, began, _ in whole if kind == "R")
    ended = sorted(ended for kind, _, ended in whole if kind == "R")
    for start in begun:
        # These surely happened within the window: they began and ended in it.
        assert bisect_left(ended, start + second) - bisect_left(begun, start) <= maximum
    # Only the killed worker knew what was admitted after its last report.
    known = max(ended for _, _, ended in _told(files[0]))
    denied = [(began, ended) for kind, began, ended in whole if kind == "F" and ended < known]
    assert len(begun) > maximum
    for start, end in denied:
        # These may have happened within the window, as it is lengthened.
        possibly = bisect_right(begun, end) - bisect_left(ended, start - second - late)
        assert possibly >= 0.99 * maximum


def _told(file: Path) -> list[tuple[str, int, int]]:
    words = (line.split() for line in file.read_text().splitlines())
    return [(kind, int(began), int(ended)) for kind, began, ended in words]


def _worker(path: Path, told: Path, maximum: int) -> "subprocess.Popen[bytes]":
    with told.open("w") as written:
        return subprocess.Popen(
            [sys.executable, "-c", WORKER, str(path), told.name, "4", str(maximum)],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdout=written,
        )
