"""Which connections give way to a newcomer when a worker has no room for more.

First those already being closed, then those not admitted yet, then those that ask for nothing at the moment;
within each group, the longest first. One being served never does, so nobody fills a worker by waiting.
"""

import logging
from collections.abc import Collection
from enum import IntEnum
from heapq import nsmallest
from typing import Final, Protocol, TypeVar

_log: Final = logging.getLogger(__name__)

# A sixteenth at a time, so that all of them are rarely searched, however fast newcomers come.
_SHARE: Final = 16


class Rank(IntEnum):
    LEAVING = 0
    STRANGER = 1
    IDLE = 2


class Guest(Protocol):
    def expendable(self) -> tuple[Rank, float] | None:
        """Return its rank and since when it has had it, or None while it is being served."""

    def give_way(self) -> None: ...


_Guest = TypeVar("_Guest", bound=Guest)


class Room:
    def __init__(self, most: int) -> None:
        self._most = most
        self._gave_way = 0

    def make(self, guests: Collection[_Guest]) -> bool:
        """Make room if there is none; return whether there is room for one more now."""
        if len(guests) < self._most:
            return True
        ranked = [(rank, guest) for guest in guests if (rank := guest.expendable()) is not None]
        lowest = min((rank for (rank, _), _ in ranked), default=None)
        alike = [(since, guest) for (rank, since), guest in ranked if rank is lowest]
        for _, guest in nsmallest(1 + self._most // _SHARE, alike, key=lambda one: one[0]):
            guest.give_way()
            self._gave_way += 1
        return bool(alike)

    def tell(self) -> None:
        """Log how many gave way. Call it now and then: an operator must learn that this worker is full."""
        if self._gave_way:
            _log.warning("no room for more connections: %d gave way to newcomers", self._gave_way)
            self._gave_way = 0
