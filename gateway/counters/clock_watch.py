"""Whether the clock of a store elsewhere leapt forward, against this machine's monotonic one.

The store's time was read between sending and receiving, so each answer gives a least and a most for how far
the store is ahead of us. It leapt when the new least is a second above an older most. What is known stays
known over connections, and with the witness over processes of one boot; who knows nothing yet brings the
wall clock instead, and the store compares it with what the last worker noted.
"""

import time
from typing import Final

import msgspec

from gateway.counters.clock import SystemClock

_LEAP_MS: Final = 1_000
_KNOWN_SECONDS: Final = 10.0
# Two clocks never run quite alike: so many milliseconds in a second nobody set.
_DRIFT_MS: Final = 0.2


class KnownClock(msgspec.Struct, frozen=True):
    """In that boot the store was at most so many milliseconds ahead, when the monotonic clock said `at`."""

    boot: str
    most: float
    at: float


class ClockWatch:
    def __init__(self, known: KnownClock | None) -> None:
        self._boot = SystemClock().boot()
        self.known = known if known is not None and known.boot == self._boot else None

    def wall_ms(self) -> int | None:
        """What the store is to compare; None where we know better."""
        return time.time_ns() // 1_000_000 if self.known is None else None

    def leapt(self, store_ms: int, sent: float) -> bool:
        got = time.monotonic()
        least, most = store_ms - 1000 * got, store_ms + 1 - 1000 * sent
        known = self.known
        leapt = known is not None and least > known.most + _LEAP_MS + _DRIFT_MS * (got - known.at)
        if known is None or leapt or most < known.most or got - known.at > _KNOWN_SECONDS:
            self.known = KnownClock(self._boot, most, got)
        return leapt
