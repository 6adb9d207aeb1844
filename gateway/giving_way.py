"""Who gives way to a newcomer where a worker has no room for more connections.

First who is being sent away already, then who was not let in yet, the longest here first, and then who is
asking for nothing at the moment. Who is being served never does: so nobody fills a worker by waiting.
"""

import logging
from collections.abc import Collection
from enum import IntEnum
from heapq import nsmallest
from typing import Final, Protocol, TypeVar

_log: Final = logging.getLogger(__name__)

# So many at once that looking through all of them is done seldom, however fast newcomers come.
_SHARE: Final = 16


class Rank(IntEnum):
    LEAVING = 0
    STRANGER = 1
    IDLE = 2


class Guest(Protocol):
    def expendable(self) -> tuple[Rank, float] | None:
        """And since when; None while it is being served."""

    def give_way(self) -> None: ...


_Guest = TypeVar("_Guest", bound=Guest)


class Room:
    def __init__(self, most: int) -> None:
        self._most = most
        self._gave_way = 0

    def make(self, guests: Collection[_Guest]) -> bool:
        """Whether there is room for one more now."""
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
        """To be called now and then: an operator is to know that this worker is full."""
        if self._gave_way:
            _log.warning("no room for more connections: %d gave way to newcomers", self._gave_way)
            self._gave_way = 0
