"""Limits how often something is done in a while, by whoever the key names."""

from __future__ import annotations

from django.core.cache import caches


def not_too_often(key: str, most: int, seconds: int) -> bool:
    """True for the first `most` times in `seconds`, this one included; the time runs from the first."""
    # In this cache a flood of strangers makes counts too high, but never loses one.
    counters = caches["requests"]
    for _ in range(2):
        try:
            return int(counters.incr(key)) <= most
        except ValueError:
            counters.add(key, 0, seconds)
    return True  # it gave way to others between the two, twice
