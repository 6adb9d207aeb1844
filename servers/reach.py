"""How far the most open grant gets with a tool.

What a published policy does to given tools of its server never changes, so it is worked out once and kept
for as long as the tools stay the same.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias
from uuid import UUID

from django.contrib.postgres.aggregates import JSONBAgg
from django.db.models import Q
from django.db.models.functions import JSONArray
from django.utils import timezone

from accounts.tenancy import Asker, TenantQuerySet
from policies.language.compile import ToolFacts, compile_policy
from policies.language.effects import Effect, effects
from policies.language.glance import decided_by, value_of
from policies.language.parse import parse_policy
from servers.models import Server

BEST_FIRST: Final = (
    Effect.ALLOWED,
    Effect.LIMITED,
    Effect.CONDITIONAL,
    Effect.NEEDS_APPROVAL,
    Effect.DENIED,
    Effect.HIDDEN,
)
_RANKS: Final = {effect: rank for rank, effect in enumerate(BEST_FIRST)}
LAST_WITHIN_REACH: Final = _RANKS[Effect.NEEDS_APPROVAL]
# Name and digest: a class counts only for the definition it was given to.
Definition: TypeAlias = tuple[str, str]
Definitions: TypeAlias = tuple[Definition, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Judged:
    """What one revision does to some tools, in the order in which the tools were given."""

    ranks: bytes
    values: tuple[str, ...]
    rules: tuple[str, ...]

    @property
    def lets_any_through(self) -> bool:
        return bool(self.ranks) and min(self.ranks) <= LAST_WITHIN_REACH

    def lets_through(self, place: int) -> bool:
        return self.ranks[place] <= LAST_WITHIN_REACH


def furthest(member: Asker, tools: Mapping[UUID, Sequence[Definition]]) -> dict[UUID, list[Effect]]:
    """Returns what the most open grant does to each tool; servers without a grant are left out."""
    definitions = {str(pk): tuple(mine) for pk, mine in tools.items()}
    wanted: dict[str, set[str]] = defaultdict(set)
    for pk, _, revision in good_grants(Server.objects.visible_to(member).filter(pk__in=definitions)):
        wanted[pk].add(revision)
    by_server: dict[str, list[Judged]] = defaultdict(list)
    for (pk, _), judged in judged_by(member, definitions, wanted).items():
        by_server[pk].append(judged)
    best = {pk: best_of(judged, len(definitions[pk])) for pk, judged in by_server.items()}
    return {
        UUID(pk): [BEST_FIRST[judged.ranks[place]] for place, judged in enumerate(found)]
        for pk, found in best.items()
    }


# ---- grants
def good_grants(servers: TenantQuerySet[Server]) -> list[tuple[str, str, str]]:
    """Returns server, label and revision in force of each grant that can be used now, read as one text."""
    alive = Q(grants__expires_at=None) | Q(grants__expires_at__gt=timezone.now())
    good = servers.filter(alive, grants__policy__published_revision__isnull=False, grants__revoked_at=None)
    columns = JSONArray("pk", "grants__label", "grants__policy__published_revision_id")
    by_label = ("grants__label", "grants__pk")
    return [tuple(each) for each in good.aggregate(all=JSONBAgg(columns, order_by=by_label))["all"] or ()]


def best_of(judged: Sequence[Judged], tools: int) -> Sequence[Judged]:
    """Returns for each tool the first of those that get furthest with it."""
    different = list(dict.fromkeys(judged))
    if len(different) < 2:
        return different * tools
    ranks = zip(*(each.ranks for each in different), strict=True)
    return [different[of_one.index(min(of_one))] for of_one in ranks]


# ---- policies
def judged_by(
    member: Asker, definitions: Mapping[str, Definitions], wanted: Mapping[str, set[str]]
) -> dict[tuple[str, str], Judged]:
    """Returns results by server and revision. A revision that has vanished meanwhile is left out."""
    found: dict[tuple[str, str], Judged] = {}
    missing: dict[str, list[str]] = defaultdict(list)
    for pk, revisions in wanted.items():
        known = _known.of(definitions[pk])
        for revision in revisions:
            if (judged := known.get(revision)) is not None:
                found[pk, revision] = judged
            else:
                missing[revision].append(pk)
    for revision, document, classes in _published(member, missing):
        for pk in missing[revision]:
            judged = _judge(document, classes, definitions[pk])
            _known.keep(definitions[pk], revision, judged)
            found[pk, revision] = judged
    return found


def _published(member: Asker, revisions: Collection[str]) -> Iterator[tuple[str, str, Any]]:
    if not revisions:
        return
    found = Server.objects.visible_to(member).filter(policies__published_revision__in=list(revisions))
    columns = ("pk", "document", "classes")
    for pk, *read in found.values_list(*(f"policies__published_revision__{column}" for column in columns)):
        yield str(pk), *read


class _Known:
    """Emptied when full: making it again takes a second or two."""

    def __init__(self, most: int) -> None:
        self._most, self._kept = most, 0
        self._found: dict[Definitions, dict[str, Judged]] = {}

    def of(self, definitions: Definitions) -> Mapping[str, Judged]:
        return self._found.get(definitions, {})

    def keep(self, definitions: Definitions, revision: str, judged: Judged) -> None:
        self._kept += len(definitions)
        if self._kept > self._most:
            self._found, self._kept = {}, len(definitions)
        self._found.setdefault(definitions, {})[revision] = judged


# The tools of all policies together; each takes a few hundred bytes.
_known: Final = _Known(most=200_000)


def _judge(document: str, classes: Iterable[Sequence[str]], definitions: Definitions) -> Judged:
    given = {(name, digest): tool_class for name, tool_class, digest in classes}
    facts = [ToolFacts(name, given.get((name, digest))) for name, digest in definitions]
    compiled = compile_policy(parse_policy(document, stored=True), facts)
    names = [name for name, _ in definitions]
    found = effects(compiled, names)
    return Judged(
        bytes(_RANKS[found[name]] for name in names),
        tuple(value_of(compiled, name, found[name]) for name in names),
        tuple(decided_by(compiled, name) for name in names),
    )
