"""Grants by the SHA-256 of their tokens, stored compactly: there may be a million of them.

Grants are not objects, but rows of equal length in one byte string, in the order of their tokens. A row is
searched for by the number that the first eight bytes of its token make.
"""

from array import array
from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from hmac import compare_digest
from itertools import islice, starmap
from operator import attrgetter, lt
from struct import Struct, iter_unpack
from struct import error as OutOfRange  # noqa: N812
from typing import Annotated, Final, Self, TypeAlias

import msgspec

from gateway_config.wire.bundle import BundleInvalid

# Token, id and kind, side by side: with a million rows, the one that is read is in no CPU cache.
_ROW: Final = Struct("=32s36sI")
_BEGINNING: Final = 8
_NO_END: Final = -(2**63)


class PartGrant(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """`kind`: the index of its server and policy in the part's kinds. `expires_at` in unix seconds."""

    id: Annotated[str, msgspec.Meta(min_length=36, max_length=36)]
    token_sha256: Annotated[str, msgspec.Meta(min_length=64, max_length=64)]
    kind: Annotated[int, msgspec.Meta(ge=0)]
    expires_at: int | None = None


Row: TypeAlias = tuple[str, int, int | None]
"""The grant's id, its kind, and when it ends."""


def beginning(token: bytes) -> int:
    return int.from_bytes(token[:_BEGINNING])


class Rows(Mapping[bytes, Row]):
    """`beginnings`: the beginning() of every token, in rising order."""

    __slots__ = ("_ends", "_rows", "beginnings")

    def __init__(self, rows: bytes, ends: "array[int]") -> None:
        self.beginnings = array("Q", [number for (number,) in iter_unpack(">Q64x", rows)])
        self._rows = rows
        self._ends = ends
        """Empty if none of them ever ends."""

    @classmethod
    def of(cls, grants: Sequence[PartGrant]) -> Self:
        """Ids and tokens must have been checked. Raises BundleInvalid if two grants have one token."""
        hashes = [grant.token_sha256 for grant in grants]
        if not _rises(hashes):
            grants = sorted(grants, key=attrgetter("token_sha256"))
            hashes = [grant.token_sha256 for grant in grants]
            if not _rises(hashes):
                raise BundleInvalid("the token of one grant is another grant's, too")
        ends = [_NO_END if grant.expires_at is None else grant.expires_at for grant in grants]
        fields = [(bytes.fromhex(one.token_sha256), one.id.encode(), one.kind) for one in grants]
        try:
            return cls(
                b"".join(starmap(_ROW.pack, fields)),
                array("q", ends if any(end != _NO_END for end in ends) else ()),
            )
        except OverflowError:
            raise BundleInvalid("a grant's end is not a time") from None

    def __getitem__(self, token: bytes) -> Row:
        number = beginning(token)
        place = bisect_left(self.beginnings, number)
        while place < len(self.beginnings) and self.beginnings[place] == number:
            found = self.at(place, token)
            if found is not None:
                return found
            place += 1
        raise KeyError(token)

    def at(self, place: int, token: bytes) -> Row | None:
        """The row at this place; None unless it is the token's."""
        try:
            known, own, kind = _ROW.unpack_from(self._rows, _ROW.size * place)
        except OutOfRange:
            return None
        if not compare_digest(known, token):
            return None
        if not self._ends or (end := self._ends[place]) == _NO_END:
            return own.decode(), kind, None
        return own.decode(), kind, end

    def __iter__(self) -> Iterator[bytes]:
        return (token for token, _, _ in _ROW.iter_unpack(self._rows))

    def __len__(self) -> int:
        return len(self.beginnings)


def _rises(hashes: Sequence[str]) -> bool:
    return all(map(lt, hashes, islice(hashes, 1, None)))


NO_ROWS: Final = Rows.of(())
