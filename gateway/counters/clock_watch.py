"""Detects when the clock of a remote store leaps forward, compared with this machine's monotonic clock.

The store reads its time between our sending and receiving, so each answer gives a lower and an upper bound
of how far the store is ahead of us. It leapt if a new lower bound is a second above an older upper bound.
The upper bound outlives connections and, in the witness file, the processes of one boot. A worker that has
none yet sends its wall clock instead, and the store compares it with what the last worker noted.
"""

import time
from typing import Final

import msgspec

from gateway.counters.clock import SystemClock

_LEAP_MS: Final = 1_000
_KNOWN_SECONDS: Final = 10.0
# Two clocks never run quite alike: this many milliseconds per second are drift, and nobody set a clock.
_DRIFT_MS: Final = 0.2


class KnownClock(msgspec.Struct, frozen=True):
    """In this boot the store was at most `most` milliseconds ahead when the monotonic clock said `at`."""

    boot: str
    most: float
    at: float


class ClockWatch:
    def __init__(self, known: KnownClock | None) -> None:
        self._boot = SystemClock().boot()
        self.known = known if known is not None and known.boot == self._boot else None

    def wall_ms(self) -> int | None:
        """The wall clock for the store to compare; None if we have a bound of our own."""
        return time.time_ns() // 1_000_000 if self.known is None else None

    def leapt(self, store_ms: int, sent: float) -> bool:
        got = time.monotonic()
        least, most = store_ms - 1000 * got, store_ms + 1 - 1000 * sent
        known = self.known
        leapt = known is not None and least > known.most + _LEAP_MS + _DRIFT_MS * (got - known.at)
        if known is None or leapt or most < known.most or got - known.at > _KNOWN_SECONDS:
            self.known = KnownClock(self._boot, most, got)
        return leapt
