"""Writes the order of the index, and where in it each common term occurs (`catalog.order` reads both).

Full-text search finds rare words at once, but for a word that a third of the index has, it reads every row
before it returns the first. So the common words, and the terms of the facets, are stored as bits in the order
in which tools are shown: any mixture of them is a few ANDs, and its first tools are the worst.
"""

from __future__ import annotations

import secrets
import zlib
from array import array
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from django.db import connection
from django.db.models import Max, QuerySet

from catalog.classifier.vocabulary import Severity, ToolClass
from catalog.lexemes import any_of, facet_terms, vendor_term
from catalog.models import CatalogOrder, CatalogServer, CatalogTerm, CatalogTool
from catalog.order import A_BLOCK

_AT_ONCE: Final = 20_000
_TERMS_AT_ONCE: Final = 100


def order_anew(before: int, common: Mapping[str, Iterable[str]]) -> int:
    """Write a new order and return its number; the previous one stays for whoever still reads it. `common`:
    the terms that many rows have, by kind."""
    number = secrets.randbits(62)
    for rows in (CatalogTerm.objects.all(), CatalogOrder.objects.all()):
        rows.exclude(order=before).delete()
    vendors = _first_of_vendor()
    _order_tools(number, common["tool"], vendors)
    _order_servers(number, common["server"], vendors)
    return number


def _order_tools(number: int, common: Iterable[str], vendors: Mapping[int, int]) -> None:
    found = CatalogTool.objects.filter(removed_at=None, search__isnull=False)
    rows = found.order_by("-severity", "name_key", "id").values_list(
        "pk", "server_id", "tool_class", "severity"
    )
    transports = dict(CatalogServer.objects.values_list("pk", "transports"))
    keys, firsts, places = array("I"), array("I"), _Places(found)
    terms = _Terms(f"class={each.lower()}" for each in ToolClass)
    terms.add_all(f"severity={int(level)}" for level in Severity)
    for pk, server, tool_class, severity in rows.iterator(_AT_ONCE):
        place = places.add(pk)
        keys.append(pk)
        firsts.append(vendors.get(server, 0))
        for term in (
            f"class={tool_class.lower()}",
            f"severity={severity}",
            *facet_terms(transports.get(server, ())),
        ):
            terms.mark(term, place)
    _write_order(number, "tool", keys, firsts)
    _write_terms(number, "tool", terms.packed())
    _write_terms(number, "tool", _of_words("catalog_catalogtool", common, places))


def _order_servers(number: int, common: Iterable[str], vendors: Mapping[int, int]) -> None:
    rows = CatalogServer.objects.filter(search__isnull=False).order_by("-tool_count", "slug")
    keys, places = array("I"), _Places(rows)
    for pk in rows.values_list("pk", flat=True).iterator(_AT_ONCE):
        keys.append(pk)
        places.add(pk)
    _write_order(number, "server", keys, array("I", (vendors.get(pk, 0) for pk in keys)))
    _write_terms(number, "server", _of_words("catalog_catalogserver", common, places))


def _first_of_vendor() -> Mapping[int, int]:
    """For each server with a vendor, the first server of that vendor: a number instead of the name."""
    first: dict[str, int] = {}
    found: dict[int, int] = {}
    for pk, vendor in CatalogServer.objects.exclude(vendor="").order_by("pk").values_list("pk", "vendor"):
        found[pk] = first.setdefault(vendor_term(vendor), pk)
    return found


class _Places:
    """Maps the key of a row to its place."""

    def __init__(self, rows: QuerySet[Any]) -> None:
        last = rows.aggregate(last=Max("pk"))["last"] or 0
        self._after = array("I", bytes(4 * (last + 1)))
        self.count = 0

    def add(self, key: int) -> int:
        self.count += 1
        if key < len(self._after):
            self._after[key] = self.count
        return self.count - 1

    def of(self, key: int) -> int | None:
        """The place of a row; None if it was added since."""
        return self._after[key] - 1 if key < len(self._after) and self._after[key] else None


class _Terms:
    def __init__(self, names: Iterable[str]) -> None:
        self._marked: dict[str, bytearray] = {}
        self.add_all(names)

    def add_all(self, names: Iterable[str]) -> None:
        """Make terms known even if no row has them: they find nothing."""
        self._marked.update((name, bytearray()) for name in names)

    def mark(self, term: str, place: int) -> None:
        bits = self._marked.setdefault(term, bytearray())
        if len(bits) <= place >> 3:
            bits.extend(bytes((place >> 3) + 1 - len(bits)))
        bits[place >> 3] |= 1 << (place & 7)

    def packed(self) -> Iterator[tuple[str, bytes]]:
        return ((term, zlib.compress(bits, 1)) for term, bits in self._marked.items())


def _of_words(table: str, common: Iterable[str], places: _Places) -> Iterator[tuple[str, bytes]]:
    with connection.cursor() as cursor:
        for term in common:
            cursor.execute(f"SELECT id FROM {table} WHERE search @@ %s::tsquery", [any_of([term])])  # noqa: S608
            bits = bytearray((places.count >> 3) + 1)
            for (pk,) in cursor:
                if (place := places.of(pk)) is not None:
                    bits[place >> 3] |= 1 << (place & 7)
            yield term, zlib.compress(bits, 1)


def _write_order(number: int, kind: str, keys: array[int], vendors: array[int]) -> None:
    CatalogOrder.objects.bulk_create(
        CatalogOrder(
            order=number,
            kind=kind,
            block=start // A_BLOCK,
            keys=keys[start : start + A_BLOCK].tobytes(),
            vendors=vendors[start : start + A_BLOCK].tobytes(),
        )
        for start in range(0, len(keys), A_BLOCK)
    )


def _write_terms(number: int, kind: str, terms: Iterable[tuple[str, bytes]]) -> None:
    batch: list[CatalogTerm] = []
    for term, rows in terms:
        batch.append(CatalogTerm(order=number, kind=kind, term=term, rows=rows))
        if len(batch) == _TERMS_AT_ONCE:
            CatalogTerm.objects.bulk_create(batch)
            batch.clear()
    CatalogTerm.objects.bulk_create(batch)
