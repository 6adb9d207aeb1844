"""How often each grant called today. The log that knows is a room above: it says here how it counts."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeAlias
from uuid import UUID

from accounts.tenancy import Asker

Count: TypeAlias = Callable[[Asker, Iterable[UUID]], dict[UUID, int]]

_counts: list[Count] = []


def counted_by(count: Count) -> None:
    _counts[:] = [count]


def calls_today(member: Asker, grants: Iterable[UUID]) -> dict[UUID, int]:
    """For the grants that had any, since midnight UTC."""
    return _counts[0](member, grants) if _counts else {}
