"""An organization's grants, found by the SHA-256 of their tokens.

A few are in the bundle itself. Many are in parts beside it, divided by the first bits of their tokens'
digests. The bundle names the parts by their digests: so its signature covers them, and a part that did not
change is not built, sent or read again. A part names policies, not their revisions, and may name a server
that is no longer there: calls for anything that the bundle does not hold are denied.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Final, TypeAlias

import msgspec

from gateway_config.wire.bundle import MOST_PARTS, Bundle, BundleInvalid, Uuid
from gateway_config.wire.codec import MAX_BODY_BYTES, check_ids_and_tokens
from gateway_config.wire.grant_rows import NO_ROWS, PartGrant, Rows
from policies.language.compile import CompiledPolicy

Kind: TypeAlias = tuple[Uuid, Uuid | None]
"""The server a grant is for, and its policy: in a part by the policy's id, in a bundle its revision's."""

Shared: TypeAlias = tuple[str, CompiledPolicy | None, str | None, int | None]
"""What all grants of one kind have in common: server, compiled policy, the revision's id and its number."""


class GrantPart(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The grants whose tokens' digests are in range `number` of `of` equal ranges."""

    number: Annotated[int, msgspec.Meta(ge=0, lt=MOST_PARTS)]
    of: Annotated[int, msgspec.Meta(ge=1, le=MOST_PARTS)]
    kinds: tuple[Kind, ...] = ()
    grants: tuple[PartGrant, ...] = ()


class LoadedGrant(msgspec.Struct, frozen=True, gc=False):
    """`compiled` None: the grant has no policy, so every call is denied. `policy_id` is the revision's."""

    id: str
    server: str
    compiled: CompiledPolicy | None
    policy_id: str | None
    policy_number: int | None
    expires_at: int | None


class LoadedPart(msgspec.Struct, frozen=True):
    """`digest` is empty if the grants are in the bundle itself."""

    digest: str
    kinds: tuple[Kind, ...]
    rows: Rows
    number: int = 0
    of: int = 1


_encoder: Final = msgspec.json.Encoder(order="deterministic")
_decoder: Final = msgspec.json.Decoder(GrantPart)


def part_of_token(token: bytes, of: int) -> int:
    return token[0] * of // MOST_PARTS


def encode_part(part: GrantPart) -> bytes:
    """The same grants in the same order always give the same bytes."""
    return _encoder.encode(part)


def part_digest(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()


def load_part(body: bytes) -> LoadedPart:
    """Everything or nothing, as with a bundle."""
    if len(body) > MAX_BODY_BYTES:
        raise BundleInvalid(f"a part has {len(body)} bytes, at most {MAX_BODY_BYTES} are read")
    try:
        part = _decoder.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise BundleInvalid(f"a part cannot be read: {error}") from None
    check_ids_and_tokens([grant.id for grant in part.grants], [one.token_sha256 for one in part.grants])
    if any(grant.kind >= len(part.kinds) for grant in part.grants):
        raise BundleInvalid("a part has a grant of no kind")
    rows = Rows.of(part.grants)
    # They are in order: whatever is between two that belong here belongs here, too.
    outermost = rows.beginnings[:1] + rows.beginnings[-1:]
    if any(part_of_token(number.to_bytes(8), part.of) != part.number for number in outermost):
        raise BundleInvalid("a part has a grant that belongs to another")
    return LoadedPart(part_digest(body), part.kinds, rows, part.number, part.of)


def parts_of(bundle: Bundle, held: Mapping[str, LoadedPart]) -> tuple[LoadedPart, ...]:
    """The bundle's parts, from those that are `held`; its own grants make one part."""
    if not bundle.parts:
        return (_own_part(bundle),)
    if missing := [digest for digest in bundle.parts if digest not in held]:
        raise BundleInvalid(f"part {missing[0]} of the bundle's grants is missing")
    parts = tuple(held[digest] for digest in bundle.parts)
    if [(part.number, part.of) for part in parts] != [(place, len(parts)) for place in range(len(parts))]:
        raise BundleInvalid("the parts of the bundle's grants do not make a whole")
    return parts


def _own_part(bundle: Bundle) -> LoadedPart:
    _check_tokens_of_one_grant_agree(bundle)
    kinds: dict[tuple[str, str | None], int] = {}
    grants = [
        PartGrant(
            grant.id,
            grant.token_sha256,
            kinds.setdefault((grant.server, grant.policy), len(kinds)),
            grant.expires_at,
        )
        for grant in bundle.grants
    ]
    return LoadedPart("", tuple(kinds), Rows.of(grants))


def _check_tokens_of_one_grant_agree(bundle: Bundle) -> None:
    """While a token is rotated, its grant is there twice: the same except for the token and its end."""
    if len({grant.id for grant in bundle.grants}) == len(bundle.grants):
        return
    opens: dict[str, tuple[str, str | None]] = {}
    for grant in bundle.grants:
        kind = (grant.server, grant.policy)
        if opens.setdefault(grant.id, kind) != kind:
            raise BundleInvalid(f"grant {grant.id} is there twice, and not the same")


class Grants(Mapping[bytes, LoadedGrant]):
    """Grants by the SHA-256 of their tokens. `kinds`: those served; a grant of another kind is not found."""

    __slots__ = ("_kinds", "_of", "_parts")

    def __init__(self, parts: Sequence[LoadedPart], kinds: Mapping[tuple[str, str | None], Shared]) -> None:
        self._kinds = [[kinds.get(kind) for kind in part.kinds] for part in parts]
        self._parts = [part.rows for part in parts]
        self._of = len(self._parts)

    def __getitem__(self, token: bytes) -> LoadedGrant:
        found = self.at(-1, token)
        if found is None:
            raise KeyError(token)
        return found

    def at(self, place: int, token: bytes) -> LoadedGrant | None:
        """Faster than by the token alone, if its place in its part is known."""
        part = token[0] * self._of // MOST_PARTS
        rows = self._parts[part]
        row = rows.at(place, token) or rows.get(token)
        if row is None:
            return None
        own, kind, expires_at = row
        shared = self._kinds[part][kind]
        if shared is None:
            return None
        server, compiled, policy_id, policy_number = shared
        return LoadedGrant(own, server, compiled, policy_id, policy_number, expires_at)

    def __iter__(self) -> Iterator[bytes]:
        for rows, kinds in zip(self._parts, self._kinds, strict=True):
            yield from (token for token, row in rows.items() if kinds[row[1]] is not None)

    def __len__(self) -> int:
        return sum(1 for _ in self)


NO_GRANTS: Final = Grants([LoadedPart("", (), NO_ROWS)], {})
