"""How often something was done in a while, by whoever stands in the key."""

from __future__ import annotations

from django.core.cache import cache


def not_too_often(key: str, most: int, seconds: int) -> bool:
    """Counts this time, too. The while begins with the first."""
    cache.add(key, 0, seconds)
    try:
        return int(cache.incr(key)) <= most
    except ValueError:  # it ran out between the two
        cache.set(key, 1, seconds)
        return True
