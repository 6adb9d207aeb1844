"""Reads which rows have common terms, as bits in the order in which rows are shown: a question is a few ANDs.

What is read is cached in the process, for a bounded number of terms.
"""

from __future__ import annotations

import re
import zlib
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from catalog.models import CatalogOrder, CatalogTerm

A_BLOCK: Final = 1 << 15
# 75 KB each at 600,000 tools.
MOST_KEPT: Final = 200
# One word may be the beginning of very many terms.
MOST_ASKED: Final = 60
_SET = re.compile(rb"[^\0]")
_PLACES: Final = [tuple(bit for bit in range(8) if byte >> bit & 1) for byte in range(256)]
_kept: dict[tuple[int, str, str], int] = {}


@dataclass(frozen=True, slots=True)
class Order:
    """The rows of one kind (tool or server) in the order with this number."""

    kind: str
    number: int

    def all_of(self, groups: Sequence[Sequence[str]]) -> int | None:
        """Rows, as bits, with a term of each group; None if there is no group, a rare term or too many."""
        wanted = list(dict.fromkeys(term for group in groups for term in group))
        known = self._known(wanted) if groups and len(wanted) <= MOST_ASKED else {}
        found = -1
        for group in groups:
            here = 0
            for term in group:
                if term not in known:
                    return None
                here |= known[term]
            found &= here
        return found if found >= 0 else None

    def having(self, rows: int, terms: Sequence[str]) -> dict[str, int]:
        """How many of the rows have each term."""
        known = self._known(terms)
        return {term: (rows & known[term]).bit_count() for term in terms if term in known}

    def first(self, rows: int, most: int) -> list[tuple[int, int]]:
        """The keys of the first `most` rows, each with the first server of its vendor, or 0."""
        found = []
        for place in _set_in(rows):
            keys, vendors = _block(self.kind, self.number, place // A_BLOCK)
            found.append((keys[place % A_BLOCK], vendors[place % A_BLOCK]))
            if len(found) == most:
                break
        return found

    def _known(self, terms: Sequence[str]) -> dict[str, int]:
        asked = {(self.number, self.kind, term): term for term in terms}
        found = {term: bits for key, term in asked.items() if (bits := _kept.get(key)) is not None}
        if missing := [term for term in terms if term not in found]:
            rows = CatalogTerm.objects.filter(order=self.number, kind=self.kind, term__in=missing)
            for term, packed in rows.values_list("term", "rows"):
                found[term] = int.from_bytes(zlib.decompress(packed), "little")
            _keep({(self.number, self.kind, term): found[term] for term in missing if term in found})
        return found


def _keep(newer: dict[tuple[int, str, str], int]) -> None:
    # Safe beside other threads: each holds its own references to what is thrown away here.
    if len(_kept) + len(newer) > MOST_KEPT:
        _kept.clear()
    _kept.update(newer)


def _set_in(bits: int) -> Iterator[int]:
    for match in _SET.finditer(bits.to_bytes((bits.bit_length() + 7) // 8, "little")):
        start = match.start() * 8
        for bit in _PLACES[match[0][0]]:
            yield start + bit


@lru_cache(maxsize=64)
def _block(kind: str, number: int, block: int) -> tuple[array[int], array[int]]:
    found = CatalogOrder.objects.get(kind=kind, order=number, block=block)
    keys, vendors = array("I"), array("I")
    keys.frombytes(found.keys)
    vendors.frombytes(found.vendors)
    return keys, vendors
