"""The limiter of one machine: a SQLite file that all its workers share.

One thread owns the file, so the event loop never waits for the disk or for another process. What arrives
while a transaction runs goes into the next one together.
"""

import asyncio
import logging
import sqlite3
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Final, TypeAlias

from gateway.counters.base import Charge, Reservation, Reserved, Unavailable
from gateway.counters.charging import Batch
from gateway.counters.clock import Clock, SystemClock
from gateway.counters.ledger import Ledger, LockTaken

_log: Final = logging.getLogger(__name__)

ANSWER_WITHIN: Final = 0.25
_AT_ONCE: Final = 64
_ASK_FOR_LOCK_EVERY: Final = 0.0005
_CHECKPOINT_EVERY: Final = 1_000
_SWEEP_EVERY: Final = 1.0


@dataclass(slots=True, eq=False)
class _Reserve:
    decision: str
    charges: Sequence[Charge]
    asked: float
    answer: asyncio.Future[Reservation]


@dataclass(slots=True, eq=False)
class _GiveBack:
    decision: str
    asked: float
    answer: asyncio.Future[None]


class _Stop:
    pass


_Job: TypeAlias = _Reserve | _GiveBack
_Result: TypeAlias = Reservation | None


class SqliteLimiter:
    """`witness`: a file of this worker's own that remembers which store it knew; see Ledger."""

    def __init__(
        self, path: Path, *, worker: str, witness: Path | None = None, clock: Clock | None = None
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._jobs: SimpleQueue[_Job | _Stop] = SimpleQueue()
        self._owner = _Owner(self._jobs, self._loop, path, worker, witness, clock or SystemClock())
        self._thread = threading.Thread(target=self._owner.run, name="limiter", daemon=True)
        self._thread.start()

    async def reserve(self, decision_id: str, charges: Sequence[Charge]) -> Reservation:
        if not charges:
            return Reserved()
        answer: asyncio.Future[Reservation] = self._loop.create_future()
        timer = self._loop.call_later(ANSWER_WITHIN, _give_up, answer)
        self._jobs.put(_Reserve(decision_id, charges, time.monotonic(), answer))
        try:
            return await answer
        finally:
            timer.cancel()

    async def give_back(self, decision_id: str) -> None:
        """Tried for as long as a reservation is; if the store does not answer, the charge stays."""
        answer: asyncio.Future[None] = self._loop.create_future()
        self._jobs.put(_GiveBack(decision_id, time.monotonic(), answer))
        await asyncio.shield(answer)

    async def close(self) -> None:
        self._jobs.put(_Stop())
        await asyncio.to_thread(self._thread.join)


def _give_up(answer: asyncio.Future[Reservation]) -> None:
    if not answer.done():
        answer.set_result(Unavailable())


class _Owner:
    """The thread's side. Whatever goes wrong here denies: it answers Unavailable and goes on."""

    def __init__(
        self,
        jobs: SimpleQueue[_Job | _Stop],
        loop: asyncio.AbstractEventLoop,
        path: Path,
        worker: str,
        witness: Path | None,
        clock: Clock,
    ) -> None:
        self._jobs = jobs
        self._loop = loop
        self._path = path
        self._worker = worker
        self._witness = witness
        self._clock = clock
        self._ledger: Ledger | None = None
        self._batches = 0
        self._sweep_at = time.monotonic() + _SWEEP_EVERY
        self._swept = 0
        self._failing = False

    def run(self) -> None:
        stopping = False
        while not stopping:
            jobs, stopping = self._next_jobs()
            self._answer(jobs, self._results(jobs))
            self._keep_tidy()
        self._close()

    def _next_jobs(self) -> tuple[list[_Job], bool]:
        jobs: list[_Job] = []
        job = self._jobs.get()
        try:
            while not isinstance(job, _Stop):
                jobs.append(job)
                if len(jobs) == _AT_ONCE:
                    return jobs, False
                job = self._jobs.get_nowait()
        except Empty:
            return jobs, False
        return jobs, True

    def _results(self, jobs: Sequence[_Job]) -> list[_Result]:
        # Nobody waits any more for what was given up before its turn, so it is not charged.
        waiting = [job for job in jobs if isinstance(job, _GiveBack) or not job.answer.done()]
        if not waiting:
            return [None] * len(jobs)
        try:
            results = self._commit(waiting)
        except Exception as error:
            self._failed(error)
            results = {id(job): _unavailable(job) for job in waiting}
        else:
            self._failing = False
        return [results.get(id(job)) for job in jobs]

    def _commit(self, jobs: Sequence[_Job]) -> dict[int, _Result]:
        until = jobs[0].asked + ANSWER_WITHIN
        while True:
            try:
                with self._opened().batch() as batch:
                    results = {id(job): _carry_out(batch, job) for job in jobs}
                    self._sweep(batch)
                self._batches += 1
                return results
            except LockTaken:
                if time.monotonic() > until:
                    raise
                time.sleep(_ASK_FOR_LOCK_EVERY)

    def _opened(self) -> Ledger:
        if self._ledger is not None and not self._ledger.is_the_file():
            _log.error("the limiter's file was deleted or replaced; it is opened anew")
            self._abandon()
        if self._ledger is None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._ledger = Ledger(self._path, worker=self._worker, clock=self._clock, witness=self._witness)
        return self._ledger

    def _sweep(self, batch: Batch) -> None:
        if time.monotonic() >= self._sweep_at:
            self._swept = batch.sweep(self._swept)
            self._sweep_at = time.monotonic() + _SWEEP_EVERY

    def _answer(self, jobs: Sequence[_Job], results: Sequence[_Result]) -> None:
        if not jobs:
            return
        try:
            self._loop.call_soon_threadsafe(_deliver, jobs, results)
        except RuntimeError:
            _log.warning("the event loop was closed before the limiter")

    def _keep_tidy(self) -> None:
        """After the answers, because it waits for the disk."""
        if self._batches < _CHECKPOINT_EVERY or self._ledger is None:
            return
        self._batches = 0
        try:
            self._ledger.checkpoint()
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


def _carry_out(batch: Batch, job: _Job) -> _Result:
    if isinstance(job, _Reserve):
        return batch.reserve(job.decision, job.charges)
    batch.give_back(job.decision)
    return None


def _unavailable(job: _Job) -> _Result:
    return Unavailable() if isinstance(job, _Reserve) else None


def _deliver(jobs: Sequence[_Job], results: Sequence[_Result]) -> None:
    for job, result in zip(jobs, results, strict=True):
        if job.answer.done():
            continue
        if isinstance(job, _GiveBack):
            job.answer.set_result(None)
        else:
            assert result is not None
            job.answer.set_result(result)
