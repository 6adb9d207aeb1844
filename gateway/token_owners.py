"""Finds a token's organization, and its place among that organization's tokens, by its first eight bytes.

Tokens are random, so among as many as can ever exist no two begin alike. If two of different organizations
did, the later configuration would be refused; a token is compared as a whole at the place that is found.
"""

from array import array
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping
from struct import Struct
from types import MappingProxyType
from typing import Final, TypeAlias

Beginnings: TypeAlias = "array[int]"

_read_beginning: Final = Struct(">Q").unpack_from
# Kept in shares by the first byte, so that a change in one organization copies only a few of them.
_SHARES: Final = 256
_SHIFT: Final = 56
_PLACES: Final = 32
_PLACE: Final = (1 << _PLACES) - 1
_NOTHING: Final[Mapping[int, int]] = MappingProxyType({})


class Owners:
    """One number for each token: its organization, and its place among the beginnings it came with."""

    __slots__ = ("_names", "_shares")

    def __init__(
        self, shares: tuple[Mapping[int, int], ...] = (_NOTHING,) * _SHARES, names: tuple[str, ...] = ()
    ) -> None:
        self._shares = shares
        self._names = names

    def of(self, token: bytes) -> tuple[str, int] | None:
        (beginning,) = _read_beginning(token)
        found = self._shares[beginning >> _SHIFT].get(beginning)
        return None if found is None else (self._names[found >> _PLACES], found & _PLACE)

    def changed(
        self, organization: str, gone: Iterable[Beginnings], come: Iterable[Beginnings]
    ) -> "Owners | None":
        """A copy in which `gone` are no longer the organization's and `come` are; None if one of `come` is
        already another organization's."""
        names = self._names if organization in self._names else (*self._names, organization)
        first = names.index(organization) << _PLACES
        fresh: dict[int, dict[int, int]] = {}
        for share, _, some in _shared(gone):
            mine = fresh.setdefault(share, dict(self._shares[share]))
            for beginning in some:
                mine.pop(beginning, None)
        for share, start, some in _shared(come):
            mine = fresh.setdefault(share, dict(self._shares[share]))
            added = dict(zip(some, range(first + start, first + start + len(some)), strict=True))
            if not mine.keys().isdisjoint(added):
                return None
            mine |= added
        return Owners(tuple(fresh.get(share, known) for share, known in enumerate(self._shares)), names)


def _shared(parts: Iterable[Beginnings]) -> Iterator[tuple[int, int, Beginnings]]:
    """The beginnings of each share, and where they start. Each part is sorted, so these are contiguous."""
    for part in parts:
        start = 0
        while start < len(part):
            share = part[start] >> _SHIFT
            end = bisect_left(part, (share + 1) << _SHIFT, start)
            yield share, start, part[start:end]
            start = end
