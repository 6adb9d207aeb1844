"""The limiter for one machine: a SQLite file that all its workers share.

Requests that arrive in one iteration of the event loop are one transaction. It is carried out at once, in
microseconds, as long as nobody else holds the file. A thread does everything that may wait: for another
process, for the disk, for a long scan of the charges. So the event loop never waits.
"""

import asyncio
import logging
import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any, Final, TypeAlias, TypeVar

from gateway.counters.ahead import Ahead, Charged
from gateway.counters.base import RESERVED, Charge, Reservation, Reserved, Settlement, Unavailable
from gateway.counters.charging import Batch
from gateway.counters.clock import Clock, SystemClock
from gateway.counters.ledger import Ledger, LockTaken
from gateway.counters.remembered import Remembered
from gateway_config.wire.messages import LimiterState

_log: Final = logging.getLogger(__name__)

ANSWER_WITHIN: Final = 0.25
_AT_ONCE: Final = 64
_ASK_FOR_LOCK_EVERY: Final = 0.0005
_CHECKPOINT_EVERY: Final = 1_000
_SWEEP_EVERY: Final = 1.0
_REMEMBER_EVERY: Final = 5.0
_RETURNED_AFTER: Final = 0.02


@dataclass(slots=True, eq=False)
class _Reserve:
    decision: str
    charges: Sequence[Charge]
    hold_seconds: int | None
    asked: float
    answer: asyncio.Future[Reservation]
    timer: asyncio.TimerHandle | None = None


@dataclass(slots=True, eq=False)
class _Ask:
    """A call waits for the answer, and gets `otherwise` if it does not come in time."""

    carry_out: Callable[[Batch], Any]
    asked: float
    answer: asyncio.Future[Any]
    otherwise: Any
    timer: asyncio.TimerHandle | None = None


@dataclass(slots=True, eq=False)
class _Change:
    """Tried for as long as a reservation is. If the store does not answer, nothing changes."""

    carry_out: Callable[[Batch], None]
    asked: float
    answer: asyncio.Future[None]


class _Stop:
    pass


class _Tidy:
    pass


_Job: TypeAlias = _Reserve | _Ask | _Change
_Some = TypeVar("_Some")


class SqliteLimiter:
    """`witness`: this worker's own file, which remembers the store that it knew; see Ledger."""

    def __init__(
        self, path: Path, *, worker: str, witness: Path | None = None, clock: Clock | None = None
    ) -> None:
        clock = clock or SystemClock()
        self._loop = asyncio.get_running_loop()
        self._turn: list[_Job] = []
        self._jobs: SimpleQueue[_Job | _Tidy | _Stop] = SimpleQueue()
        self._ahead = Ahead(clock.monotonic_ms)
        self._returns: asyncio.TimerHandle | None = None
        self._known = Remembered(witness)
        self._charging: dict[str, _Reserve] = {}
        self._owner = _Owner(self._jobs, self._loop, self._deliver, path, worker, self._known, clock)
        self._thread = threading.Thread(target=self._owner.run, name="limiter", daemon=True)
        self._thread.start()

    async def reserve(
        self, decision_id: str, charges: Sequence[Charge], hold_seconds: int | None = None
    ) -> Reservation:
        if not charges:
            return Reserved()
        answer: asyncio.Future[Reservation] = self._loop.create_future()
        job = _Reserve(decision_id, charges, hold_seconds, time.monotonic(), answer)
        self._charging[decision_id] = job
        self._ask(job)
        return await answer

    def at_once(self, asked: Sequence[tuple[str, tuple[Charge, ...]]]) -> Sequence[Reservation | None]:
        take, since = self._ahead.take, self._ahead.now()
        answers = [RESERVED if take(decision, kind, since) else None for decision, kind in asked]
        return answers if all(answers) else self._charged_at_once(asked, answers, since)

    def _charged_at_once(
        self,
        asked: Sequence[tuple[str, tuple[Charge, ...]]],
        paid: Sequence[Reserved | None],
        since: int,
    ) -> Sequence[Reservation | None]:
        """Charges in one transaction for what is not `paid` for yet."""
        answers: list[Reservation | None] = [*paid]
        rest = [place for place, answer in enumerate(answers) if answer is None]
        failed = Charged([Unavailable()] * len(rest), [])
        charged = self._owner.at_once(partial(self._ahead.charge, [asked[place] for place in rest]), failed)
        if charged is not None:
            for place, answer in zip(rest, charged.reservations, strict=True):
                answers[place] = answer
            if self._ahead.committed(charged, since) and self._returns is None:
                self._returns = self._loop.call_later(_RETURNED_AFTER, self._return)
        return answers

    def _return(self) -> None:
        """Gives back what was charged for calls that did not come, unless the next transaction did."""
        self._returns = None
        if self._ahead.give_up():
            self._returns = self._loop.call_later(_RETURNED_AFTER, self._return)
        else:
            self._give_back_unused()

    def _give_back_unused(self) -> None:
        unused, self._ahead.unused = self._ahead.unused, []
        for one in unused:
            self._ask(_Change(one.give_back, time.monotonic(), self._loop.create_future()))

    async def settle(self, decision_id: str) -> Settlement:
        return await self._answered(lambda batch: batch.settle(decision_id), Unavailable())

    async def spend(self, ticket: str, seconds: int) -> bool:
        return await self._answered(lambda batch: batch.spend(ticket, seconds), otherwise=False) is True

    async def extend(self, decision_id: str, seconds: int) -> None:
        await self._change(lambda batch: batch.extend(decision_id, seconds))

    async def release(self, decision_id: str) -> None:
        await self._change(lambda batch: batch.release(decision_id))

    async def give_back(self, decision_id: str) -> None:
        if self._ahead.give_back(decision_id):
            self._give_back_unused()
        else:
            await self._change(lambda batch: batch.give_back(decision_id))

    # The store itself

    async def state(self) -> LimiterState | None:
        """None while the store does not answer."""
        found = await self._answered(lambda batch: batch.look(), None)
        if found is None:
            return None
        epoch, doubt, fresh = found
        return LimiterState("", epoch, doubt, fresh, accounted=self._known.accounted == epoch)

    async def put_in_doubt(self, epoch: str) -> None:
        def carry_out(batch: Batch) -> bool:
            found, _, _ = batch.look()
            if found == epoch:
                batch.put_in_doubt()
            return found == epoch

        if await self._answered(carry_out, False):
            self._known.accounted = epoch

    async def trust(self, epoch: str, doubt: int) -> None:
        def carry_out(batch: Batch) -> None:
            if batch.look()[0] == epoch:
                batch.trust(doubt)

        await self._change(carry_out)

    async def _answered(self, carry_out: Callable[[Batch], _Some], otherwise: _Some) -> _Some:
        answer: asyncio.Future[_Some] = self._loop.create_future()
        self._ask(_Ask(carry_out, time.monotonic(), answer, otherwise))
        return await answer

    async def _change(self, carry_out: Callable[[Batch], None]) -> None:
        answer: asyncio.Future[None] = self._loop.create_future()
        self._ask(_Change(carry_out, time.monotonic(), answer))
        await asyncio.shield(answer)

    async def close(self) -> None:
        if self._returns is not None:
            self._returns.cancel()
        self._ahead.give_up(all=True)
        self._give_back_unused()
        self._end_turn()
        self._jobs.put(_Stop())
        await asyncio.to_thread(self._thread.join)

    def _ask(self, job: _Job) -> None:
        if not self._turn:
            self._loop.call_soon(self._end_turn)
        self._turn.append(job)

    def _end_turn(self) -> None:
        jobs, self._turn = self._turn, []
        for start in range(0, len(jobs), _AT_ONCE):
            some = jobs[start : start + _AT_ONCE]
            results = self._owner.at_once(partial(_carry_out, some), [*map(_unavailable, some)])
            if results is None:
                self._hand_over(some)
            else:
                self._deliver(some, results)

    def _hand_over(self, jobs: Sequence[_Job]) -> None:
        for job in jobs:
            if not isinstance(job, _Change):
                job.timer = self._loop.call_later(ANSWER_WITHIN, _give_up, job)
            self._jobs.put(job)

    def _deliver(self, jobs: Sequence[_Job], results: Sequence[Any]) -> None:
        for job, result in zip(jobs, results, strict=True):
            if not isinstance(job, _Change) and job.timer is not None:
                job.timer.cancel()
            late = job.answer.done()
            if not late:
                # carry_out() returns the kind of answer that its job waits for.
                job.answer.set_result(result)
            if isinstance(job, _Reserve) and self._charging.get(job.decision) is job:
                # If the decision was asked for again, the charge belongs to the later request.
                del self._charging[job.decision]
                if late and isinstance(result, Reserved):
                    # The call was denied, or its client is gone: nothing was sent, and nothing will be.
                    undo = partial(_give_back, job.decision)
                    self._ask(_Change(undo, time.monotonic(), self._loop.create_future()))


def _give_back(decision_id: str, batch: Batch) -> None:
    batch.give_back(decision_id)


def _give_up(job: _Reserve | _Ask) -> None:
    if job.answer.done():
        return
    if isinstance(job, _Reserve):
        job.answer.set_result(Unavailable())
    else:
        job.answer.set_result(job.otherwise)


class _Owner:
    """Owns the file. Any failure here denies: it answers Unavailable and carries on.

    `_mine` is held while the thread or the event loop uses the file; the loop never waits for it.
    """

    def __init__(
        self,
        jobs: SimpleQueue[_Job | _Tidy | _Stop],
        loop: asyncio.AbstractEventLoop,
        deliver: Callable[[Sequence[_Job], Sequence[Any]], None],
        path: Path,
        worker: str,
        known: Remembered,
        clock: Clock,
    ) -> None:
        self._jobs = jobs
        self._loop = loop
        self._deliver = deliver
        self._path = path
        self._worker = worker
        self._known = known
        self._clock = clock
        self._mine = threading.Lock()
        self._ledger: Ledger | None = None
        self._batches = 0
        self._sweep_at = time.monotonic() + _SWEEP_EVERY
        self._remember_at = time.monotonic() + _REMEMBER_EVERY
        self._swept = 0
        self._crowded: set[int] = set()
        self._tidying = False
        self._failing = False

    # On the event loop

    def at_once(self, carry_out: Callable[[Batch], _Some], otherwise: _Some) -> _Some | None:
        """None if it would have to wait: then nothing was done. `otherwise` if it fails."""
        if not self._jobs.empty() or not self._mine.acquire(blocking=False):
            return None
        try:
            if self._ledger is None or not self._ledger.is_the_file():
                return None
            results = self._carried_out(self._ledger, carry_out)
        except LockTaken:
            return None
        except Exception as error:
            self._failed(error)
            return otherwise
        finally:
            self._mine.release()
        if self._is_untidy() and not self._tidying:
            self._tidying = True
            self._jobs.put(_Tidy())
        return results

    # On the thread

    def run(self) -> None:
        stopping = False
        while not stopping:
            jobs, stopping = self._next_jobs()
            with self._mine:
                self._answer(jobs, self._results(jobs))
                self._keep_tidy()
            self._remember()
        with self._mine:
            self._close()
        self._known.write_down()

    def _remember(self) -> None:
        if time.monotonic() >= self._remember_at:
            self._remember_at = time.monotonic() + _REMEMBER_EVERY
            self._known.write_down()

    def _next_jobs(self) -> tuple[list[_Job], bool]:
        jobs: list[_Job] = []
        job = self._jobs.get()
        try:
            while not isinstance(job, _Stop):
                if not isinstance(job, _Tidy):
                    jobs.append(job)
                if len(jobs) == _AT_ONCE:
                    return jobs, False
                job = self._jobs.get_nowait()
        except Empty:
            return jobs, False
        return jobs, True

    def _results(self, jobs: Sequence[_Job]) -> list[Any]:
        # Nobody waits any more for a job that was given up before its turn, so it is not charged.
        waiting = [job for job in jobs if isinstance(job, _Change) or not job.answer.done()]
        if not waiting:
            return [None] * len(jobs)
        try:
            results = dict(zip(map(id, waiting), self._commit(waiting), strict=True))
        except Exception as error:
            self._failed(error)
            results = {id(job): _unavailable(job) for job in waiting}
        return [results.get(id(job)) for job in jobs]

    def _commit(self, jobs: Sequence[_Job]) -> list[Any]:
        until = jobs[0].asked + ANSWER_WITHIN
        while True:
            try:
                return self._carried_out(self._opened(), partial(_carry_out, jobs))
            except LockTaken:
                if time.monotonic() > until:
                    raise
                time.sleep(_ASK_FOR_LOCK_EVERY)

    def _carried_out(self, ledger: Ledger, carry_out: Callable[[Batch], _Some]) -> _Some:
        with ledger.batch() as batch:
            results = carry_out(batch)
        self._batches += 1
        self._crowded |= batch.crowded
        self._failing = False
        return results

    def _opened(self) -> Ledger:
        if self._ledger is not None and not self._ledger.is_the_file():
            _log.error("the limiter's file was deleted or replaced; it is opened again")
            self._abandon()
        if self._ledger is None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._ledger = Ledger(self._path, worker=self._worker, clock=self._clock, known=self._known)
        return self._ledger

    def _answer(self, jobs: Sequence[_Job], results: Sequence[Any]) -> None:
        if not jobs:
            return
        try:
            self._loop.call_soon_threadsafe(self._deliver, jobs, results)
        except RuntimeError:
            _log.warning("the event loop was closed before the limiter")

    def _is_untidy(self) -> bool:
        return bool(self._crowded or self._batches >= _CHECKPOINT_EVERY or time.monotonic() >= self._sweep_at)

    def _keep_tidy(self) -> None:
        """Runs after the answers, because it takes long and waits for the disk."""
        self._tidying = False
        if self._ledger is None or not self._is_untidy():
            return
        try:
            with self._ledger.batch() as batch:
                for counter in self._crowded:
                    batch.merge(counter)
                if time.monotonic() >= self._sweep_at:
                    self._swept = batch.sweep(self._swept)
            self._crowded.clear()
            self._sweep_at = time.monotonic() + _SWEEP_EVERY
            if self._batches >= _CHECKPOINT_EVERY:
                self._batches = 0
                self._ledger.checkpoint()
        except LockTaken:
            return  # another worker may be tidying up as well; the next turn tries again
        except sqlite3.Error as error:
            self._failed(error)

    def _failed(self, error: Exception) -> None:
        if not self._failing:
            _log.error("limits cannot be checked, limited calls are denied: %r", error)
        self._failing = True
        if not isinstance(error, LockTaken):
            self._abandon()

    def _abandon(self) -> None:
        if self._ledger is not None:
            self._ledger.abandon()
            self._ledger = None

    def _close(self) -> None:
        if self._ledger is None:
            return
        try:
            self._ledger.close()
        except sqlite3.Error as error:
            _log.warning("the limiter's file was not closed cleanly: %s", error)


def _carry_out(jobs: Sequence[_Job], batch: Batch) -> list[Any]:
    return [
        batch.reserve(job.decision, job.charges, job.hold_seconds)
        if isinstance(job, _Reserve)
        else job.carry_out(batch)
        for job in jobs
    ]


def _unavailable(job: _Job) -> Any:
    if isinstance(job, _Reserve):
        return Unavailable()
    return job.otherwise if isinstance(job, _Ask) else None
