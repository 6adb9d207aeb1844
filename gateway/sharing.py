"""Organizations take turns with work that holds up the event loop: none of them has the worker to itself.

While others call, each may use a share of the loop's time for large work: bodies, lists of tools, streams. A
longer stretch counts for more than its time, because everyone else waits that long: no more than one in a
hundred of their calls is to meet such a stretch. An organization that is alone here waits for nobody.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from time import monotonic
from typing import Final

LARGE: Final = 32_768
"""In bytes: anything shorter never has to wait."""
_SHARE: Final = 0.05
_MOST_SAVED: Final = 0.2
# A stretch as long as this counts for its time; one twice as long, for eight times as much.
_STRETCH: Final = 0.002
_MOST_COUNTED: Final = 20.0
_LONGEST_WAIT: Final = 15.0
# What an organization did while it was alone, perhaps all day, is held against it for no longer than that.
_MOST_OWED: Final = _SHARE * _LONGEST_WAIT
_ALONE_AFTER: Final = 1.0


@dataclass(slots=True)
class _Savings:
    left: float
    at: float
    turns: asyncio.Lock = field(default_factory=asyncio.Lock)
    """One call at a time: those that have waited long enough do not all go on together."""


class Sharing:
    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._savings: dict[str, _Savings] = {}
        self._last = ""
        self._last_at = float("-inf")
        self._others_at = float("-inf")
        """When an organization other than `_last` was last heard."""

    def heard(self, organization: str) -> None:
        """Note that a request of the organization arrived. Called for every request."""
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
        """Return when the caller may go on; what it then does without waiting is one stretch. That is after
        _LONGEST_WAIT at the latest, unless others of its organization wait before it."""
        async with self._saved(organization).turns:
            until = self._clock() + _LONGEST_WAIT
            while (wait := self._wait(organization)) > 0 and (left := until - self._clock()) > 0:  # noqa: ASYNC110
                await asyncio.sleep(min(wait, left, _ALONE_AFTER))

    def tick(self) -> None:
        """Forget the organizations that have saved all they can."""
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
