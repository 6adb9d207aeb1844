"""Searches the log by any filter while reading only a bounded number of rows.

Rare records are known by the names in them and fetched through an index. Everything else is searched among
the newest records, a stretch at a time: the next page continues where the stretch ended.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from django.db import connection
from django.db.models import F, Q, QuerySet

from accounts.tenancy import Asker
from audit.days import first_of, slices
from audit.models import DecisionRecord, LoggedName
from audit.outcomes import of_outcome
from common.ids import first_uuid_of, parse_public_id

# Records looked at for one page.
STRETCH: Final = 10_000
# To be fetched at once, the matching names may have had so many calls together, and be so many.
RARE: Final = 10_000
MOST_NAMES: Final = 200
# How many names are compared: an agent can invent names, so there may be any number.
MOST_COMPARED: Final = 10_000
# In seconds. The table of a record follows from its id, which a worker makes by its own clock.
_CLOCKS_DIFFER: Final = timedelta(days=1).total_seconds()


@dataclass(frozen=True, slots=True)
class Filters:
    """None or empty does not filter. `outcome` is one of SHOWN.

    `tool` and `rule` match parts of names; `words` is part of either, or a decision's id.
    """

    words: str = ""

    server: UUID | None = None
    grant: UUID | None = None
    tool: str = ""
    outcome: str = ""
    code: str = ""
    rule: str = ""
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """`older`: the next page continues below this position; None at the end.

    `reached`: how far back the search went, if there are older records still to search.
    """

    records: list[DecisionRecord]
    older: int | None = None
    reached: datetime | None = None


def matching(member: Asker, filters: Filters) -> QuerySet[DecisionRecord]:
    """Select all matching records, in no order."""
    return _in_time(member, filters).filter(_all_of(filters))


def newest_first(member: Asker, filters: Filters) -> QuerySet[DecisionRecord]:
    """Select all matching records, newest first, however far back they are."""
    return _fetched(matching(member, filters), _rare(member, filters))


def newest(member: Asker, filters: Filters, before: int | None, limit: int) -> Found:
    place = _in_time(member, filters)
    if (rare := _rare(member, filters)) is not None:
        if before is not None:
            place = place.filter(position__lt=before)
        return _page(list(_fetched(place.filter(_all_of(filters)), rare)[: limit + 1]), limit)
    first, rest = _in_order(filters)
    stretch, parts = place.filter(first).order_by("-position"), slices(member, before=before)
    if not rest:
        return _page(first_of(stretch, parts, limit + 1), limit)
    return _sought(stretch, parts, rest, limit)


def _sought(stretch: QuerySet[DecisionRecord], parts: Iterator[Q], rest: Q, limit: int) -> Found:
    records: list[DecisionRecord] = []
    left = STRETCH
    for part in parts:
        here = stretch.filter(part)
        records += _among(here[:left], rest, limit + 1 - len(records))
        if len(records) > limit:
            return _page(records, limit)
        if last := here.values_list("position", "at")[left - 1 : left].first():
            return Found(records, *last)
        left -= here.count()
    return Found(records)


def _fetched(found: QuerySet[DecisionRecord], rare: Q | None) -> QuerySet[DecisionRecord]:
    if rare is None:
        return found.order_by("-position")
    # Not by the column itself: the planner would read the whole log to get its order.
    return found.filter(rare).order_by((F("position") + 0).desc())


def _page(records: list[DecisionRecord], limit: int) -> Found:
    return Found(records[:limit], records[limit - 1].position if len(records) > limit else None)


def _among(stretch: QuerySet[DecisionRecord], rest: Q, limit: int) -> list[DecisionRecord]:
    """Filter a stretch, stopping at `limit`. In raw SQL, because the ORM cannot filter a sliced query."""
    rows, values = stretch.query.sql_with_params()
    query = DecisionRecord.objects.filter(rest).query
    condition, more = query.get_compiler(connection=connection).compile(query.where)
    sql = f"SELECT * FROM ({rows}) AS audit_decisionrecord WHERE {condition} ORDER BY position DESC LIMIT %s"  # noqa: S608
    return list(DecisionRecord.objects.raw(sql, [*values, *more, limit]))


# ---- conditions
def _in_time(member: Asker, filters: Filters) -> QuerySet[DecisionRecord]:
    found = DecisionRecord.objects.visible_to(member)
    if filters.since:
        earliest = filters.since.timestamp() - _CLOCKS_DIFFER
        found = found.filter(at__gte=filters.since, pk__gte=first_uuid_of(max(earliest, 0)))
    if filters.until:
        latest = filters.until.timestamp() + _CLOCKS_DIFFER
        found = found.filter(at__lt=filters.until, pk__lt=first_uuid_of(max(latest, 0)))
    return found


def _conditions(filters: Filters) -> Iterator[tuple[Q, bool]]:
    """Yield each condition, narrowest first, and whether an index returns its records in order."""
    if filters.grant:
        yield Q(grant_id=filters.grant), True
    if filters.server:
        yield Q(server_id=filters.server), True
    if code := _storable(filters.code):
        yield Q(code=code), True
    if filters.outcome and filters.outcome != "allow":
        yield of_outcome("stopped"), True
    if filters.outcome and filters.outcome != "stopped":
        yield of_outcome(filters.outcome), False
    if tool := _storable(filters.tool):
        yield Q(tool__icontains=tool), False
    if rule := _storable(filters.rule):
        yield Q(rule__icontains=rule), False
    if words := _storable(filters.words):
        yield _said(words), False


def _all_of(filters: Filters) -> Q:
    return Q(*(condition for condition, _ in _conditions(filters)))


def _in_order(filters: Filters) -> tuple[Q, Q]:
    """Return the condition to read an index by, and the rest, to be checked in each record."""
    conditions = list(_conditions(filters))
    first = next((condition for condition, ordered in conditions if ordered), None)
    return first or Q(), Q(*(condition for condition, _ in conditions if condition is not first))


def _said(words: str) -> Q:
    pk = _decision_id(words)
    return Q(pk=pk) if pk else Q(tool__icontains=words) | Q(rule__icontains=words)


def _decision_id(words: str) -> UUID | None:
    try:
        return parse_public_id("dec", words)
    except ValueError:
        return None


def _storable(text: str) -> str:
    return text.replace("\x00", "")


# ---- names
def _rare(member: Asker, filters: Filters) -> Q | None:
    """Return a condition that all wanted records and few others meet; None if none is known to be so rare."""
    words, tool, rule = (_storable(text) for text in (filters.words, filters.tool, filters.rule))
    if pk := _decision_id(words):
        return Q(pk=pk)
    kind = LoggedName.Kind
    asked = [
        [(kind.TOOL, tool)] if tool else [],
        [(kind.RULE, rule)] if rule else [],
        [(kind.TOOL, words), (kind.RULE, words)] if words else [],
    ]
    return next((found for one in asked if one and (found := _named(member, one)) is not None), None)


def _named(member: Asker, parts: Sequence[tuple[str, str]]) -> Q | None:
    """Select records by all names that contain one of these; None if they are too many, or not all known."""
    calls, found = 0, Q(pk=None)
    for kind, part in parts:
        known = LoggedName.objects.visible_to(member).filter(kind=kind)
        if known[: MOST_COMPARED + 1].count() > MOST_COMPARED:
            return None
        held = list(known.filter(name__icontains=part).values_list("name", "calls")[: MOST_NAMES + 1])
        calls += sum(each for _, each in held)
        if len(held) > MOST_NAMES or calls > RARE:
            return None
        if held:
            column = "tool__in" if kind == LoggedName.Kind.TOOL else "rule__in"
            found |= Q(**{column: [name for name, _ in held]})
    return found
