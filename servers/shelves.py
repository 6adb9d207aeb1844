"""Everything that agents can call, by server: its tools, worst first, and how far each grant gets with them.

Thousands of tools are not read for every page: the shelf of a server is cached in this process while its
name, the state of its tools and the grants that a client can call with are the same. Those are read from the
database each time, within the organization: nobody else can see what is cached, and it is never stale.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple
from uuid import UUID

from django.contrib.postgres.aggregates import JSONBAgg
from django.db.models.functions import JSONArray

from accounts.tenancy import Asker
from common.ids import public_id
from policies.language.effects import Effect
from policies.language.glance import rule_words
from servers.models import Server, Severity, Tool, ToolClass
from servers.reach import BEST_FIRST, LAST_WITHIN_REACH, Judged, best_of, good_grants, judged_by


class Listed(NamedTuple):
    """What lists show of a tool. The worst tool sorts first."""

    mildness: int
    class_rank: int
    name: str
    pk: str
    digest: str
    tool_class: str

    @property
    def severity(self) -> int:
        return -self.mildness


@dataclass(frozen=True, slots=True)
class Offered:
    """A server with the grants a client can call with now and, per tool, the one that gets furthest."""

    name: str
    public_id: str
    grants: Sequence[tuple[str, Judged]]
    best: Sequence[Judged]
    """Empty if there is no grant."""


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
        """The labels of the grants that get through to the tool."""
        place = self.place
        return tuple([label for label, of in self.server.grants if of.ranks[place] <= LAST_WITHIN_REACH])

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


class Totals(NamedTuple):
    total: int = 0
    within_reach: int = 0
    critical: int = 0
    critical_within_reach: int = 0
    critical_asking: int = 0
    unruled: int = 0
    open_and_unlimited: int = 0


@dataclass(frozen=True, slots=True)
class Shelf:
    server: Offered
    rows: Sequence[Row]
    totals: Totals


def shelves(member: Asker) -> list[Shelf]:
    """Returns a shelf for every server that has tools."""
    states = _states(member)
    kept = {pk: _kept.of(pk, state) for pk, state in states.items()}
    missing = {pk: state for pk, state in states.items() if kept[pk] is None}
    kept |= _made(member, missing)
    return [shelf for shelf in kept.values() if shelf is not None and shelf.rows]


def totals_of(found: Sequence[Shelf]) -> Totals:
    return Totals(*map(sum, zip(*(shelf.totals for shelf in found), strict=True)))


# ---- whether a cached shelf is still valid
class _State(NamedTuple):
    """All that a shelf is made of. `tools` is None if none has changed since changes are recorded."""

    name: str
    tools: str | None
    grants: tuple[tuple[str, str], ...]
    """Label and revision in force."""


def _states(member: Asker) -> dict[str, _State]:
    servers = Server.objects.visible_to(member).filter(retired_at=None)
    granted: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for pk, label, revision in good_grants(servers):
        granted[pk].append((label, revision))
    columns = JSONArray("pk", "name", "tool_set__state")
    read = servers.aggregate(all=JSONBAgg(columns))["all"]
    return {pk: _State(name, state, tuple(granted[pk])) for pk, name, state in read or ()}


class _Kept:
    """The last shelf of each server. Emptied when full: making it again takes less than a second."""

    def __init__(self, most: int) -> None:
        self._most, self._tools = most, 0
        self._found: dict[str, tuple[_State, Shelf]] = {}

    def of(self, pk: str, state: _State) -> Shelf | None:
        then, shelf = self._found.get(pk, (None, None))
        return shelf if then == state else None

    def keep(self, pk: str, state: _State, shelf: Shelf) -> None:
        _, before = self._found.get(pk, (None, None))
        self._tools += len(shelf.rows) - (len(before.rows) if before else 0)
        if self._tools > self._most:
            self._found, self._tools = {}, len(shelf.rows)
        self._found[pk] = state, shelf


# Tools of all servers of all organizations; each takes a few hundred bytes.
_kept: Final = _Kept(most=50_000)


# ---- making it
def _made(member: Asker, states: Mapping[str, _State]) -> dict[str, Shelf | None]:
    tools = _tools(member, states)
    definitions = {pk: tuple((tool.name, tool.digest) for tool in tools[pk]) for pk in states}
    wanted = {pk: {revision for _, revision in state.grants} for pk, state in states.items()}
    judged = judged_by(member, definitions, wanted)
    made: dict[str, Shelf | None] = {}
    for pk, state in states.items():
        grants = [(label, judged[pk, of]) for label, of in state.grants if (pk, of) in judged]
        best = best_of([judged for _, judged in grants], len(tools[pk]))
        made[pk] = shelf = _shelf(Offered(state.name, public_id("srv", UUID(pk)), grants, best), tools[pk])
        # A policy was published since the state was read: shown once without the grants under it, not cached.
        if len(grants) == len(state.grants):
            _kept.keep(pk, state, shelf)
    return made


def _tools(member: Asker, servers: Collection[str]) -> Mapping[str, list[Listed]]:
    found: dict[str, list[Listed]] = defaultdict(list)
    if not servers:
        return found
    # Also for a server that has been retired since: it may come back with the tools it had.
    present = Tool.objects.visible_to(member).filter(removed_at=None, server__in=list(servers))
    columns = JSONArray("server_id", "severity", "class_rank", "name", "pk", "digest", "tool_class")
    for server, severity, *others in present.aggregate(all=JSONBAgg(columns))["all"] or ():
        found[server].append(Listed(-severity, *others))
    for tools in found.values():
        tools.sort()
    return found


def _shelf(server: Offered, tools: Sequence[Listed]) -> Shelf:
    rows = [Row(tool, server, place) for place, tool in enumerate(tools)]
    reach = [row for row in rows if row.within_reach]
    critical = [row for row in reach if row.tool.severity == Severity.CRITICAL]
    totals = Totals(
        total=len(rows),
        within_reach=len(reach),
        critical=sum(row.tool.severity == Severity.CRITICAL for row in rows),
        critical_within_reach=len(critical),
        critical_asking=sum(row.effect is Effect.NEEDS_APPROVAL for row in critical),
        unruled=sum(row.unruled for row in reach),
        open_and_unlimited=sum(
            row.effect is Effect.ALLOWED and row.tool.tool_class != ToolClass.READ for row in reach
        ),
    )
    return Shelf(server, rows, totals)
