"""What holds up the event loop is done in turns of the organizations: none of them has the worker alone.

While others call, each may use a share of the loop's time for what is large: bodies, lists of tools, streams.
What is longer at a stretch counts for more than its time, for everybody else waits that long: of their calls
no more than one in a hundred is to meet one of those. An organization that is alone here waits for nobody.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from time import monotonic
from typing import Final

LARGE: Final = 32_768
"""In bytes: what is shorter is never waited for."""
_SHARE: Final = 0.05
_MOST_SAVED: Final = 0.2
# A stretch as long as this counts for its time, one of twice the length for eight times as much.
_STRETCH: Final = 0.002
_MOST_COUNTED: Final = 20.0
_LONGEST_WAIT: Final = 15.0
# What somebody did who was alone, all day perhaps, is not held against them for longer than that.
_MOST_OWED: Final = _SHARE * _LONGEST_WAIT
_ALONE_AFTER: Final = 1.0


@dataclass(slots=True)
class _Savings:
    left: float
    at: float
    turns: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Who has waited long enough goes on alone, and not with all others who have."""


class Sharing:
    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._savings: dict[str, _Savings] = {}
        self._last = ""
        self._last_at = float("-inf")
        self._others_at = float("-inf")
        """When any organization but the last was heard."""

    def heard(self, organization: str) -> None:
        """A request of it came. Called for every one of them."""
        if organization != self._last:
            self._last, self._others_at = organization, self._last_at
        self._last_at = self._clock()

    def spent(self, organization: str, seconds: float) -> None:
        saved = self._saved(organization)
        saved.left -= seconds * min(_MOST_COUNTED, max(1.0, (seconds / _STRETCH) ** 2))
        saved.left = max(saved.left, -_MOST_OWED)

    def owes(self, organization: str) -> bool:
        known = self._savings.get(organization)
        return known is not None and known.left < 0 and self._wait(organization) > 0

    async def turn(self, organization: str) -> None:
        """Returns when it may go on: what it does then without waiting is one stretch. At the latest after a
        while, if no others of its organization wait before it."""
        async with self._saved(organization).turns:
            until = self._clock() + _LONGEST_WAIT
            while (wait := self._wait(organization)) > 0 and (left := until - self._clock()) > 0:  # noqa: ASYNC110
                await asyncio.sleep(min(wait, left, _ALONE_AFTER))

    def tick(self) -> None:
        """Forgets who has saved all there is to save."""
        now = self._clock()
        rested = [
            one
            for one, saved in self._savings.items()
            if _grown(saved, now) >= _MOST_SAVED and not saved.turns.locked()
        ]
        for organization in rested:
            del self._savings[organization]

    def _wait(self, organization: str) -> float:
        others_at = self._others_at if organization == self._last else self._last_at
        if self._clock() - others_at > _ALONE_AFTER:
            return 0
        return -self._saved(organization).left / _SHARE

    def _saved(self, organization: str) -> _Savings:
        now = self._clock()
        saved = self._savings.setdefault(organization, _Savings(_MOST_SAVED, now))
        saved.left, saved.at = _grown(saved, now), now
        return saved


def _grown(saved: _Savings, now: float) -> float:
    return min(_MOST_SAVED, saved.left + _SHARE * (now - saved.at))
