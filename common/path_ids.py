"""Ids in paths, for pages and the API: what is not an id names nothing."""

from __future__ import annotations

from uuid import UUID

from django.http import Http404

from common.ids import parse_public_id


def uuid_or_404(prefix: str, text: str) -> UUID:
    try:
        return parse_public_id(prefix, text)
    except ValueError:
        raise Http404 from None
