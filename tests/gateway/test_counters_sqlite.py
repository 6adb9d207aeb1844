"""The SQLite limiter as the gateway uses it: a thread, an event loop, other processes on the same file."""

import asyncio
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from gateway.counters.base import MICROS, Charge, Full, Reserved, Unavailable
from gateway.counters.sqlite import ANSWER_WITHIN, SqliteLimiter
from tests.gateway.limiters import trusted_file, until

ROOT = Path(__file__).parents[2]


def charge(counter: str = "c", maximum: int = 3, window: int = 60_000) -> Charge:
    return Charge("acme", "grant", "g1", counter, None, window, maximum, 1_000_000)


@pytest.fixture
async def limiter(tmp_path: Path) -> AsyncIterator[SqliteLimiter]:
    made = SqliteLimiter(
        trusted_file(tmp_path / "limits.sqlite3"), worker="gw-1", witness=tmp_path / "witness"
    )
    yield made
    await made.close()


async def test_calls_at_once_get_the_units_there_are_and_no_more(limiter: SqliteLimiter) -> None:
    answers = await asyncio.gather(*(limiter.reserve(f"d{n}", [charge(maximum=7)]) for n in range(50)))
    assert answers.count(Reserved()) == 7
    assert answers.count(Full(0, 60)) == 43


async def test_a_call_without_limits_asks_nobody(limiter: SqliteLimiter) -> None:
    assert await limiter.reserve("d", []) == Reserved()


async def test_what_is_given_back_can_be_taken_again(limiter: SqliteLimiter) -> None:
    assert await limiter.reserve("d1", [charge(maximum=1)]) == Reserved()
    await limiter.give_back("d1")
    assert await limiter.reserve("d2", [charge(maximum=1)]) == Reserved()


def test_a_call_waits_a_quarter_second_for_its_limits_and_no_longer() -> None:
    assert ANSWER_WITHIN == 0.25


async def test_a_call_is_answered_while_another_process_still_holds_the_file(
    limiters_answer_soon: None, limiter: SqliteLimiter, tmp_path: Path
) -> None:
    assert await limiter.reserve("d1", [charge()]) == Reserved()
    holder = sqlite3.connect(tmp_path / "limits.sqlite3", isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    assert await limiter.reserve("d2", [charge()]) == Unavailable()
    holder.execute("ROLLBACK")
    holder.close()
    assert await limiter.reserve("d3", [charge()]) == Reserved()


async def test_the_event_loop_goes_on_while_the_file_is_held(limiter: SqliteLimiter, tmp_path: Path) -> None:
    await limiter.reserve("d1", [charge()])
    holder = sqlite3.connect(tmp_path / "limits.sqlite3", isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    waiting = asyncio.create_task(limiter.reserve("d2", [charge()]))
    await asyncio.sleep(0.02)
    assert not waiting.done()
    holder.execute("ROLLBACK")  # this loop could not run it if it were waiting for the file
    holder.close()
    assert await waiting == Reserved()


async def test_a_broken_file_denies_and_a_mended_one_is_in_doubt_for_its_window(tmp_path: Path) -> None:
    path = tmp_path / "limits.sqlite3"
    limiter = SqliteLimiter(trusted_file(path), worker="gw-1", witness=tmp_path / "witness")
    try:
        assert await limiter.reserve("d1", [charge(window=1_000)]) == Reserved()
        for suffix in ("", "-wal", "-shm"):
            path.with_name(path.name + suffix).unlink(missing_ok=True)
        path.write_bytes(b"this is no database" * 500)
        assert await limiter.reserve("d2", [charge(window=1_000)]) == Unavailable()
        path.unlink()
        mended = time.monotonic()
        assert await limiter.reserve("d3", [charge(window=1_000)]) == Unavailable()
        # A slow disk may open the new file only after that answer, and the doubt begins when it is open.
        await until(lambda: limiter.reserve("d4", [charge(window=1_000)]), Reserved())
        assert time.monotonic() - mended >= 1
    finally:
        await limiter.close()


async def test_a_file_that_cannot_be_made_denies_and_harms_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    limiter = SqliteLimiter(tmp_path / "file" / "limits.sqlite3", worker="gw-1")
    assert await limiter.reserve("d1", [charge()]) == Unavailable()
    assert await limiter.reserve("d2", []) == Reserved()
    await limiter.close()


HAMMER = """
import asyncio, sys
from pathlib import Path
from gateway.counters.base import Charge, Reserved, Unavailable
from gateway.counters.sqlite import SqliteLimiter

async def main(path, worker, calls, maximum):
    limiter = SqliteLimiter(Path(path), worker=worker, witness=Path(path).with_name(worker))
    charge = Charge("acme", "grant", "g1", "c", None, 600_000, maximum, 1_000_000)
    async def one(n):
        while (answer := await limiter.reserve(f"{worker}-{n}", [charge])) == Unavailable():
            await asyncio.sleep(0.01)
        if answer == Reserved():
            print("reserved", flush=True)
    for start in range(0, calls, 20):
        await asyncio.gather(*(one(n) for n in range(start, min(calls, start + 20))))
    print("done", flush=True)
    await asyncio.sleep(30 if sys.argv[5] == "linger" else 0)
    await limiter.close()

asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])))
"""


def _hammer(path: Path, worker: str, calls: int, maximum: int, then: str = "") -> "subprocess.Popen[str]":
    arguments = [sys.executable, "-c", HAMMER, str(path), worker, str(calls), str(maximum), then]
    return subprocess.Popen(
        arguments, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, stdout=subprocess.PIPE, text=True
    )


def test_two_processes_at_one_file_never_admit_more_than_the_max(tmp_path: Path) -> None:
    path = trusted_file(tmp_path / "limits.sqlite3")
    workers = [_hammer(path, f"gw-{n}", 300, 200) for n in (1, 2)]
    outputs = [worker.communicate(timeout=60)[0].split() for worker in workers]
    assert [worker.returncode for worker in workers] == [0, 0]
    assert sum(output.count("reserved") for output in outputs) == 200


@pytest.mark.parametrize("kill_after", [1, 17, 40])
def test_a_killed_worker_leaves_every_charge_it_answered_for(tmp_path: Path, kill_after: int) -> None:
    path = trusted_file(tmp_path / "limits.sqlite3")
    worker = _hammer(path, "gw-1", 60, 50, "linger")
    assert worker.stdout is not None
    seen = [worker.stdout.readline() for _ in range(kill_after)]
    worker.send_signal(signal.SIGKILL)
    answered = len(seen) + worker.stdout.read().count("reserved")
    worker.wait(timeout=60)
    after = _hammer(path, "gw-1-again", 60, 50).communicate(timeout=60)[0].count("reserved")
    # Under-admitting is allowed: what was committed but not answered stays charged.
    assert 50 - answered - 20 <= after <= 50 - answered


@contextmanager
def instructions(limiter: SqliteLimiter) -> Iterator[list[None]]:
    """A list with one item for each instruction that SQLite executes for this limiter."""
    carried_out: list[None] = []
    ledger = limiter._owner._ledger
    assert ledger is not None
    ledger._db.set_progress_handler(lambda: carried_out.append(None), 1)
    yield carried_out
    ledger._db.set_progress_handler(None, 0)


async def test_a_call_that_finds_no_room_is_refused_without_reading_all_that_was_charged(
    tmp_path: Path,
) -> None:
    """Otherwise the calls of one grant would take the limiter's time from everyone else."""
    limiter = SqliteLimiter(trusted_file(tmp_path / "l.sqlite"), worker="gw-1")

    def sum_of(cost: int) -> Charge:
        return Charge("o", "grant", "g", "sum", None, 604_800_000, 10_000, cost * MICROS)

    def of_key(number: int) -> Charge:
        return Charge("o", "grant", "g", "keyed", f"k{number}", 604_800_000, 5, MICROS)

    for start in range(0, 10_000, 50):
        some = range(start, start + 50)
        await asyncio.gather(*(limiter.reserve(f"s{number}", [sum_of(1)]) for number in some))
        await asyncio.gather(*(limiter.reserve(f"k{number}", [of_key(number)]) for number in some))
    for charge in (sum_of(9_999), of_key(-1)):
        with instructions(limiter) as carried_out:
            for number in range(100):
                assert isinstance(await limiter.reserve(f"{charge.counter}-{number}", [charge]), Full)
        # Looking at each of ten thousand charges would take several instructions per charge.
        assert len(carried_out) < 100 * 1_000
    await limiter.close()
