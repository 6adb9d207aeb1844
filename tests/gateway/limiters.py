"""Limiters for tests of the code around them."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

from gateway.counters.base import Charge, Reservation, Reserved, Settlement
from gateway.counters.charging import Batch
from gateway.counters.clock import SystemClock
from gateway.counters.ledger import Ledger
from gateway.counters.remembered import Remembered


def trusted_file(path: Path) -> Path:
    """Make a new limiter's file, trusted as if the control plane had said that there never was another."""
    path.parent.mkdir(parents=True, exist_ok=True)
    ledger = Ledger(path, worker="tests", clock=SystemClock(), known=Remembered(None))
    with ledger.batch() as batch:
        trust_from_birth(batch)
    ledger.close()
    return path


def trust_from_birth(batch: Batch) -> None:
    _, doubt, fresh = batch.look()
    if doubt is not None and fresh:
        batch.trust(doubt)


class Counting:
    """Lets everything pass and records what it was asked."""

    def __init__(self) -> None:
        self.reserved: list[str] = []
        self.given_back: list[str] = []

    async def reserve(
        self, decision_id: str, charges: Sequence[Charge], hold_seconds: int | None = None
    ) -> Reservation:
        self.reserved.append(decision_id)
        return Reserved()

    def at_once(self, asked: Sequence[tuple[str, tuple[Charge, ...]]]) -> Sequence[Reservation | None]:
        self.reserved += [decision_id for decision_id, _ in asked]
        return [Reserved()] * len(asked)

    async def extend(self, decision_id: str, seconds: int) -> None:
        pass

    async def settle(self, decision_id: str) -> Settlement:
        return Reserved()

    async def release(self, decision_id: str) -> None:
        self.given_back.append(decision_id)

    async def give_back(self, decision_id: str) -> None:
        self.given_back.append(decision_id)

    async def spend(self, ticket: str, seconds: int) -> bool:
        return True

    async def close(self) -> None:
        pass


class Broken(Counting):
    def at_once(self, asked: Sequence[tuple[str, tuple[Charge, ...]]]) -> Sequence[Reservation | None]:
        raise OSError("disk gone")

    async def reserve(
        self, decision_id: str, charges: Sequence[Charge], hold_seconds: int | None = None
    ) -> Reservation:
        raise OSError("disk gone")

    async def settle(self, decision_id: str) -> Settlement:
        raise OSError("disk gone")

    async def give_back(self, decision_id: str) -> None:
        raise OSError("disk gone")

    async def spend(self, ticket: str, seconds: int) -> bool:
        raise OSError("disk gone")


async def until(ask: Callable[[], Awaitable[Reservation]], answer: Reservation) -> None:
    deadline = time.monotonic() + 60
    while await ask() != answer:
        assert time.monotonic() < deadline
        await asyncio.sleep(0.01)
