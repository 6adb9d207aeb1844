"""The arithmetic of limits in any window. Pure; times in whole milliseconds, amounts in millionths.

A charge at t counts from t until just before t + window. A limit has room if what counts plus the cost is
at most its max.
"""

from collections.abc import Sequence
from typing import Final, TypeAlias

At: TypeAlias = int
Micros: TypeAlias = int

LONGEST_WINDOW_MS: Final = 604_800_000
KEPT_ONE_BY_ONE: Final = 10_000
LIVE_KEYS: Final = 10_000
# A charge may count too long, by at most one part in this many of the window.
_SLICES: Final = 1_000
# A charge made ahead of its call is used within one part in this many of the window, or sooner.
_LATE_PART: Final = 125
_LEAST_LATE_MS: Final = 8
MOST_LATE_MS: Final = 64


def late_ms(window: int) -> int:
    """How long after it was made a charge may be used: under a hundredth of any window of 1 s or longer."""
    return max(_LEAST_LATE_MS, min(MOST_LATE_MS, window // _LATE_PART))


def has_room(counted: Micros, cost: Micros, maximum: Micros) -> bool:
    return cost == 0 or counted + cost <= maximum


def whole_seconds(now: At, until: At) -> int:
    """The fewest whole seconds, at least 1, after which `until` has come."""
    return max(1, -((now - until) // 1000))


def merged_away(charges: Sequence[At], now: At) -> list[int]:
    """The indexes of the charges, given oldest first, that may be merged into a younger one.

    A slice holds the charges within a thousandth of the age of its youngest. Only windows longer than that
    age count it, now or ever, so a slice is at most a thousandth of any of them, even of one not thought of
    yet. It counts until its youngest charge has left: rounded against the caller.
    """
    away: list[int] = []
    youngest: At | None = None
    for place in range(len(charges) - 1, -1, -1):
        at = charges[place]
        if youngest is not None and (youngest - at) * _SLICES <= now - youngest:
            away.append(place)
        else:
            youngest = at
    return away
