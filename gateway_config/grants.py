"""An organization's grants for its bundle: a few are in the bundle itself, many in parts that outlive it.

The database records which grants changed (see the trigger in migration 0005), in the transaction that
changed them. So a bundle reuses the parts of the previous one, except those with a change since; editing a
policy beside a hundred thousand grants reads none of them.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from operator import attrgetter
from typing import Any, Final, NamedTuple
from uuid import UUID

from django.db.models import Q, QuerySet, TextField
from django.db.models.functions import Cast, Coalesce, Extract, Least
from django.utils import timezone

from gateway_config import models
from gateway_config.wire.bundle import MOST_PARTS, BundleGrant, BundlePolicy
from gateway_config.wire.grant_rows import NO_ROWS, PartGrant
from gateway_config.wire.grants import GrantPart, LoadedPart, encode_part, part_digest
from policies.models import Grant

MOST_IN_A_BUNDLE: Final = 4_096
# Parts are given up only below this, so that hovering around one number does not rebuild everything.
FEWEST_IN_PARTS: Final = 2_048
WHOLE = range(MOST_PARTS)


class Changes(NamedTuple):
    """The recorded changes to grants: read before anything else, deleted when they are published."""

    ids: list[int]
    beginnings: frozenset[str]


@dataclass(frozen=True, slots=True)
class Grants:
    """Either `inside` the bundle or in `parts`, of which those in `fresh` were not in the previous bundle."""

    inside: tuple[BundleGrant, ...] = ()
    parts: tuple[models.GrantPart, ...] = ()
    fresh: frozenset[str] = field(default=frozenset())

    @property
    def digests(self) -> tuple[str, ...]:
        return tuple(part.digest for part in self.parts)


def changes_of(organization_id: UUID) -> Changes:
    rows = list(
        models.GrantChange.objects.filter(organization_id=organization_id).values_list("id", "beginning")
    )
    return Changes([pk for pk, _ in rows], frozenset(beginning for _, beginning in rows))


def read_grants(
    organization_id: UUID,
    servers: Container[str],
    policies: Iterable[BundlePolicy],
    before: models.ConfigRevision | None,
    changes: Changes,
) -> Grants:
    """Good grants only; one that expires later says when, and the gateway itself keeps to that."""
    kept = _kept(organization_id, before)
    if kept:
        parts = _brought_up_to_date(organization_id, kept, servers, changes)
        total = sum(part.grants for part in parts)
        if _still_fits(total, len(parts)):
            digests = {part.digest for part in kept}
            return Grants(parts=tuple(parts), fresh=frozenset({part.digest for part in parts} - digests))
    rows = list(_rows(organization_id, WHOLE))
    if len(rows) <= MOST_IN_A_BUNDLE:
        return Grants(inside=_inside(rows, servers, policies))
    parts = list(_built(organization_id, rows, _how_many_parts(len(rows))))
    return Grants(parts=tuple(parts), fresh=frozenset(part.digest for part in parts))


def as_loaded(part: models.GrantPart, number: int, of: int) -> LoadedPart:
    """A part that was read when it was stored, with only what must be checked in another bundle."""
    return LoadedPart(
        part.digest, tuple((server, policy) for server, policy in part.kinds), NO_ROWS, number, of
    )


# ---- parts
def _kept(organization_id: UUID, before: models.ConfigRevision | None) -> list[models.GrantPart]:
    """The parts of the previous bundle; none if it had none, or if one is no longer there."""
    if before is None or not before.parts:
        return []
    rows = models.GrantPart.objects.filter(organization_id=organization_id, digest__in=before.parts)
    found = {part.digest: part for part in rows.defer("body")}
    return [found[digest] for digest in before.parts] if len(found) == len(set(before.parts)) else []


def _brought_up_to_date(
    organization_id: UUID, kept: list[models.GrantPart], servers: Container[str], changes: Changes
) -> list[models.GrantPart]:
    now = timezone.now().timestamp()
    changed = {
        number
        for number, part in enumerate(kept)
        if (part.first_end is not None and part.first_end <= now)
        or any(server not in servers for server, _ in part.kinds)
        or not changes.beginnings.isdisjoint(("", *_beginnings(number, len(kept))))
    }
    if not changed:
        return kept
    beginnings = [place for number in sorted(changed) for place in _places(number, len(kept))]
    fresh = _built(organization_id, _rows(organization_id, beginnings), len(kept), changed)
    parts = list(kept)
    for number, part in zip(sorted(changed), fresh, strict=True):
        parts[number] = part
    return parts


def _built(
    organization_id: UUID, rows: Iterable[_Row], of: int, numbers: Container[int] = WHOLE
) -> Iterator[models.GrantPart]:
    by_part: dict[int, list[_Row]] = {number: [] for number in range(of) if number in numbers}
    for row in rows:
        by_part[int(row.token[:2], 16) * of // MOST_PARTS].append(row)
    for number, some in by_part.items():
        yield _part(organization_id, number, of, sorted(some, key=attrgetter("token", "ends")))


def _part(organization_id: UUID, number: int, of: int, rows: Sequence[_Row]) -> models.GrantPart:
    kinds: dict[tuple[str, str | None], int] = {}
    grants = tuple(
        PartGrant(row.id, row.token, kinds.setdefault((row.server, row.policy), len(kinds)), row.expires_at)
        for row in rows
    )
    body = encode_part(GrantPart(number, of, tuple(kinds), grants))
    return models.GrantPart(
        organization_id=organization_id,
        digest=part_digest(body),
        body=body.decode(),
        grants=len(rows),
        kinds=[list(kind) for kind in kinds],
        first_end=min((end for row in rows if (end := row.expires_at) is not None), default=None),
    )


def _how_many_parts(grants: int) -> int:
    parts = 2
    while parts < MOST_PARTS and grants > parts * MOST_IN_A_BUNDLE:
        parts *= 2
    return parts


def _still_fits(grants: int, parts: int) -> bool:
    """True for somewhat more and fewer than the parts were made for: see FEWEST_IN_PARTS."""
    small_enough = parts == MOST_PARTS or grants <= parts * 2 * MOST_IN_A_BUNDLE
    return small_enough and grants >= max(FEWEST_IN_PARTS, parts * FEWEST_IN_PARTS // 4)


def _places(number: int, of: int) -> range:
    """The first bytes of the tokens' digests in one part."""
    return range(number * MOST_PARTS // of, (number + 1) * MOST_PARTS // of)


def _beginnings(number: int, of: int) -> Iterator[str]:
    return (f"{place:02x}" for place in _places(number, of))


# ---- rows
class _Row(NamedTuple):
    id: str
    token: str
    server: str
    policy: str | None
    ends: Any

    @property
    def expires_at(self) -> int | None:
        return None if self.ends is None else int(self.ends)


def _rows(organization_id: UUID, places: Sequence[int]) -> Iterator[_Row]:
    """A row for each token whose digest begins with one of these bytes."""
    good = Grant.objects.filter(organization_id=organization_id).good()
    # A token that was rotated opens its grant until its own end or the grant's, whichever is first.
    ends = Least("earlier_until", Coalesce("expires_at", "earlier_until"))
    overlapping = good.filter(earlier_until__gt=timezone.now()).annotate(ends=ends)
    rows = chain(
        _tokens(good, "token_hash", "expires_at", places),
        _tokens(overlapping, "earlier_hash", "ends", places),
    )
    return (_Row(*row) for row in rows)


def _tokens(
    grants: QuerySet[Grant], digest: str, ends: str, places: Sequence[int]
) -> Iterator[tuple[Any, ...]]:
    named = [Cast(name, TextField()) for name in ("id", "server_id", "policy_id")]
    if len(places) < MOST_PARTS:
        grants = grants.filter(_beginning_with(digest, places))
    columns = (named[0], digest, named[1], named[2], Extract(ends, "epoch"))
    return grants.order_by("id").values_list(*columns).iterator(chunk_size=10_000)


def _beginning_with(digest: str, places: Sequence[int]) -> Q:
    found = Q()
    for place in places:
        found |= Q(**{f"{digest}__startswith": f"{place:02x}"})
    return found


def _inside(
    rows: Iterable[_Row], servers: Container[str], policies: Iterable[BundlePolicy]
) -> tuple[BundleGrant, ...]:
    """Leaves out what was committed since the servers were read: that has a publish request of its own."""
    revisions: Mapping[str | None, str] = {policy.policy: policy.id for policy in policies}
    return tuple(
        BundleGrant(
            id=row.id,
            token_sha256=row.token,
            server=row.server,
            policy=revisions.get(row.policy),
            expires_at=row.expires_at,
        )
        for row in rows
        if row.server in servers
    )
