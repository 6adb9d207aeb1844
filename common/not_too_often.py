"""How often something was done in a while, by whoever stands in the key."""

from __future__ import annotations

from django.core.cache import caches


def not_too_often(key: str, most: int, seconds: int) -> bool:
    """Counts this time, too. The while begins with the first."""
    # Where a flood of strangers makes counts too high, and never forgets one.
    counters = caches["requests"]
    for _ in range(2):
        try:
            return int(counters.incr(key)) <= most
        except ValueError:
            counters.add(key, 0, seconds)
    return True  # it gave way to others between the two, twice
