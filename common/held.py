"""A row that is locked until the transaction ends, and may be gone by the time it could be locked."""

from __future__ import annotations

from typing import TypeVar

from django.db.models import Model, QuerySet

from common.errors import NotFound

_M = TypeVar("_M", bound=Model)


def held(asked_for: QuerySet[_M]) -> _M:
    """Raises NotFound if it was deleted, alone or with its organization, while we waited for the lock."""
    found = asked_for.first()
    if found is None:
        raise NotFound
    return found
