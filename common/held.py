"""A row that is held until the transaction ends, and may be gone by the time it could be."""

from __future__ import annotations

from typing import TypeVar

from django.db.models import Model, QuerySet

from common.errors import NotFound

_M = TypeVar("_M", bound=Model)


def held(asked_for: QuerySet[_M]) -> _M:
    """Raises NotFound where it was deleted, alone or with its organization, while it was waited for."""
    found = asked_for.first()
    if found is None:
        raise NotFound
    return found
