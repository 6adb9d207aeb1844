"""What agents can call: every tool of every server, and how far the most open grant gets with it.

Thousands of tools are read as one text and are made into no models. What a published policy does to the
tools of its server never changes, so it is worked out once for as long as they stay the same.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple, TypeAlias
from uuid import UUID

from django.contrib.postgres.aggregates import JSONBAgg
from django.db.models import Q
from django.db.models.functions import JSONArray
from django.utils import timezone

from accounts.tenancy import Asker
from common.ids import public_id
from policies.language.compile import ToolFacts, compile_policy
from policies.language.effects import Effect, effects
from policies.language.glance import decided_by, rule_words, value_of
from policies.language.parse import parse_policy
from servers.models import Server, Tool

BEST_FIRST: Final = (
    Effect.ALLOWED,
    Effect.LIMITED,
    Effect.CONDITIONAL,
    Effect.NEEDS_APPROVAL,
    Effect.DENIED,
    Effect.HIDDEN,
)
_RANKS: Final = {effect: rank for rank, effect in enumerate(BEST_FIRST)}
_LAST_WITHIN_REACH: Final = _RANKS[Effect.NEEDS_APPROVAL]
# Name and digest: a class counts only for the very definition it was given for.
Definition: TypeAlias = tuple[str, str]
Definitions: TypeAlias = tuple[Definition, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Judged:
    """What one revision does to some tools, each at the place it was given at."""

    ranks: bytes
    values: tuple[str, ...]
    rules: tuple[str, ...]

    @property
    def lets_any_through(self) -> bool:
        return bool(self.ranks) and min(self.ranks) <= _LAST_WITHIN_REACH

    def lets_through(self, place: int) -> bool:
        return self.ranks[place] <= _LAST_WITHIN_REACH


class Listed(NamedTuple):
    """A tool as far as lists show it."""

    server: str
    name: str
    digest: str
    tool_class: str
    severity: int
    pk: str


@dataclass(frozen=True, slots=True)
class Offered:
    """A server: the grants of it that a client can call with now, and of each tool what the furthest does."""

    name: str
    public_id: str
    grants: Sequence[tuple[str, Judged]]
    best: Sequence[Judged]
    """Empty where there is no grant."""


class Row(NamedTuple):
    tool: Listed
    server: Offered
    place: int

    @property
    def best(self) -> Judged | None:
        return self.server.best[self.place] if self.server.best else None

    @property
    def effect(self) -> Effect | None:
        return BEST_FIRST[self.best.ranks[self.place]] if self.best else None

    @property
    def within_reach(self) -> bool:
        return self.best is not None and self.best.lets_through(self.place)

    @property
    def grants(self) -> tuple[str, ...]:
        """Labels of those that can get through."""
        return tuple(label for label, judged in self.server.grants if judged.lets_through(self.place))

    @property
    def value(self) -> str:
        return self.best.values[self.place] if self.best else ""

    @property
    def rule(self) -> str:
        return self.best.rules[self.place] if self.best else ""

    @property
    def rule_words(self) -> str:
        return rule_words(self.rule, self.tool.name)

    @property
    def unruled(self) -> bool:
        return self.within_reach and self.rule == "(default allow)"


def everything(member: Asker) -> list[Row]:
    """Worst first."""
    tools = _tools(member)
    definitions: dict[str, list[Definition]] = defaultdict(list)
    places = []
    for tool in tools:
        mine = definitions[tool.server]
        places.append(len(mine))
        mine.append((tool.name, tool.digest))
    servers = _offered(member, {pk: tuple(mine) for pk, mine in definitions.items()})
    return [
        Row(tool, servers[tool.server], place)
        for tool, place in zip(tools, places, strict=True)
        if tool.server in servers  # it may be gone since its tools were read
    ]


def furthest(member: Asker, tools: Mapping[UUID, Sequence[Definition]]) -> dict[UUID, list[Effect]]:
    """What the most open grant does to each of these tools of a server; without a grant it is left out."""
    offered = _offered(member, {str(pk): tuple(mine) for pk, mine in tools.items()})
    return {
        UUID(pk): [BEST_FIRST[judged.ranks[place]] for place, judged in enumerate(server.best)]
        for pk, server in offered.items()
        if server.best
    }


def _tools(member: Asker) -> list[Listed]:
    columns = JSONArray("server_id", "name", "digest", "tool_class", "severity", "pk")
    worst_first = ("-severity", "class_rank", "name", "pk")
    present = Tool.objects.visible_to(member).present()
    read = present.aggregate(all=JSONBAgg(columns, order_by=worst_first))["all"]
    return [Listed._make(tool) for tool in read or ()]


# ---- grants
def _offered(member: Asker, definitions: Mapping[str, Definitions]) -> dict[str, Offered]:
    mine = Server.objects.visible_to(member).filter(pk__in=definitions)
    names = {str(pk): name for pk, name in mine.values_list("pk", "name")}
    granted: dict[str, list[tuple[str, UUID]]] = defaultdict(list)
    for pk, label, revision in _good_grants(member, definitions):
        granted[pk].append((label, revision))
    judged = _judged_by(member, definitions, {pk: {r for _, r in of} for pk, of in granted.items()})
    found = {}
    for pk, name in names.items():
        grants = [
            (label, judged[pk, revision]) for label, revision in granted[pk] if (pk, revision) in judged
        ]
        best = _best([judged for _, judged in grants], len(definitions[pk]))
        found[pk] = Offered(name, public_id("srv", UUID(pk)), grants, best)
    return found


def _good_grants(member: Asker, servers: Iterable[str]) -> Iterator[tuple[str, str, UUID]]:
    alive = Q(grants__expires_at=None) | Q(grants__expires_at__gt=timezone.now())
    good = Server.objects.visible_to(member).filter(
        alive, grants__policy__published_revision__isnull=False, grants__revoked_at=None, pk__in=list(servers)
    )
    columns = ("pk", "grants__label", "grants__policy__published_revision_id")
    for pk, label, revision in good.order_by("grants__label", "grants__pk").values_list(*columns):
        yield str(pk), label, revision


def _best(judged: Sequence[Judged], tools: int) -> Sequence[Judged]:
    """Of each tool the first of those that get furthest."""
    different = list(dict.fromkeys(judged))
    if len(different) < 2:
        return different * tools
    ranks = zip(*(each.ranks for each in different), strict=True)
    return [different[of_one.index(min(of_one))] for of_one in ranks]


# ---- policies
def _judged_by(
    member: Asker, definitions: Mapping[str, Definitions], wanted: Mapping[str, set[UUID]]
) -> dict[tuple[str, UUID], Judged]:
    """By server and revision. A revision that vanished meanwhile is left out."""
    found: dict[tuple[str, UUID], Judged] = {}
    missing: dict[UUID, list[str]] = defaultdict(list)
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


def _published(member: Asker, revisions: Collection[UUID]) -> Iterator[tuple[UUID, str, Any]]:
    if not revisions:
        return
    found = Server.objects.visible_to(member).filter(policies__published_revision__in=list(revisions))
    columns = ("pk", "document", "classes")
    yield from found.values_list(*(f"policies__published_revision__{column}" for column in columns))


class _Known:
    """Emptied when full: it is made anew in a second or two."""

    def __init__(self, most: int) -> None:
        self._most, self._kept = most, 0
        self._found: dict[Definitions, dict[UUID, Judged]] = {}

    def of(self, definitions: Definitions) -> Mapping[UUID, Judged]:
        return self._found.get(definitions, {})

    def keep(self, definitions: Definitions, revision: UUID, judged: Judged) -> None:
        self._kept += len(definitions)
        if self._kept > self._most:
            self._found, self._kept = {}, len(definitions)
        self._found.setdefault(definitions, {})[revision] = judged


# Of all policies together; a tool of one takes some hundred bytes.
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
