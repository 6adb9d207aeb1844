"""Writers of the index take turns, and leave a mark if they work by different rules.

The summary names the rules that gave all classes, and those by which all rows are found. It names none if two
releases have written at the same time: then the next seeding redoes everything.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from django.db import connection, transaction

from catalog.models import CatalogSummary
from catalog.rules import digest, digest_of_lexemes

_TURN: Final = 0x706C_6361_7461
_NONE: Final = ""


def take_turn() -> None:
    """Hold the turn until the transaction ends. Two at once would each rely on rows the other is changing."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_TURN])
    for name, own in ours().items():
        others = CatalogSummary.objects.filter(pk=1).exclude(**{f"{name}__in": [_NONE, own, _begun(own)]})
        others.update(**{name: _NONE})


def ours() -> dict[str, str]:
    """Digests of this release's rules, by the field of the summary that names them."""
    return {"classifier": digest(), "lexemes": digest_of_lexemes()}


@transaction.atomic
def begin(names: Iterable[str]) -> None:
    """Record that everything is being redone by our rules. A writer with other rules is noticed meanwhile."""
    take_turn()
    for name in names:
        CatalogSummary.objects.filter(pk=1).update(**{name: _begun(ours()[name])})


@transaction.atomic
def end(names: Iterable[str]) -> None:
    """Record that everything has been redone, unless someone has written by other rules since `begin`."""
    take_turn()
    for name in names:
        own = ours()[name]
        CatalogSummary.objects.filter(pk=1, **{name: _begun(own)}).update(**{name: own})


def _begun(digest: str) -> str:
    return digest[:32]
