"""Bounds how many calls an organization begins on this worker in any stretch of the set length.

Time is cut into slots. A slot counts until all of it is older than the stretch, so calls may be refused for a
moment just below the limit, but never let in above it. However many calls come, only a few numbers are kept.
"""

import time
from collections import deque
from dataclasses import dataclass, field
from math import ceil
from typing import Final

from gateway.http_messages import Reply, refusal
from gateway_config.wire.loader import LoadedOrganization

_SLOTS: Final = 10
_SENTENCE: Final = "This organization may begin %d calls %s on each gateway; try again in %d s."


@dataclass(slots=True)
class _Begun:
    """`slots`: the number and count of each slot that had any calls, oldest first."""

    slots: deque[list[int]] = field(default_factory=deque)
    total: int = 0

    def forget(self, before: int) -> None:
        while self.slots and self.slots[0][0] < before:
            self.total -= self.slots.popleft()[1]

    def count(self, slot: int) -> None:
        if not self.slots or self.slots[-1][0] != slot:
            self.slots.append([slot, 0])
        self.slots[-1][1] += 1
        self.total += 1


class Paces:
    def __init__(self) -> None:
        self._begun: dict[tuple[str, int], _Begun] = {}

    def refuse(self, organization: LoadedOrganization) -> Reply | None:
        """Count the call unless it is refused."""
        most, seconds = organization.settings.most_calls, organization.settings.most_calls_seconds
        if not most:
            return None
        now = time.monotonic() * _SLOTS / seconds
        slot = int(now)
        begun = self._begun.get((organization.organization, seconds))
        if begun is None:
            begun = self._begun[organization.organization, seconds] = _Begun()
        begun.forget(slot - _SLOTS)
        if begun.total >= most:
            wait = (begun.slots[0][0] + _SLOTS + 1 - now) * seconds / _SLOTS
            return _refused(most, seconds, max(1, ceil(wait)))
        begun.count(slot)
        return None


def _refused(most: int, seconds: int, wait: int) -> Reply:
    every = {1: "a second", 60: "a minute"}.get(seconds, f"in {seconds} s")
    return refusal(_SENTENCE % (most, every, wait), status=429, headers=b"Retry-After: %d\r\n" % wait)
