"""The arithmetic of limits in any window. Pure; times in whole milliseconds, amounts in millionths.

A charge at t counts from t until just before t + window. A limit has room when what counts and the cost are
together at most its max.
"""

from collections.abc import Sequence
from typing import Final, TypeAlias

At: TypeAlias = int
Micros: TypeAlias = int

LONGEST_WINDOW_MS: Final = 604_800_000
KEPT_ONE_BY_ONE: Final = 10_000
LIVE_KEYS: Final = 10_000
# A charge may be counted longer than it should by at most this part of the window.
_SLICES: Final = 1_000
# What is charged ahead of the calls that use it is used within this part of the window, or less.
_LATE_PART: Final = 125
_LEAST_LATE_MS: Final = 8
MOST_LATE_MS: Final = 64


def late_ms(window: int) -> int:
    """So much later than it was made a charge may be used: under a hundredth of any window, 1 s or longer."""
    return max(_LEAST_LATE_MS, min(MOST_LATE_MS, window // _LATE_PART))


def has_room(counted: Micros, cost: Micros, maximum: Micros) -> bool:
    return cost == 0 or counted + cost <= maximum


def whole_seconds(now: At, until: At) -> int:
    """The least whole number of seconds, at least 1, after which `until` has come."""
    return max(1, -((now - until) // 1000))


def merged_away(charges: Sequence[At], now: At) -> list[int]:
    """Which of the charges, oldest first, may stand at the time of a younger one: by their places.

    So many are together in a slice as lie within a thousandth of the age of the youngest of them. Only
    windows longer than that age count it, now or ever, so a slice is at most a thousandth of any of them,
    also of one not thought of yet. It counts until its youngest has left: rounded against the caller.
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
