"""Counts records as they arrive, so that charts need not read the records again and can outlive them.

Counts are kept per minute, hour and day, and those of all calls per half hour as well. Latencies go into
buckets, four for each doubling. Callers can invent tool names, so only a limited number per day are counted
separately; all others are counted together.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Container, Iterable
from datetime import UTC, datetime, timedelta
from typing import Final, TypeAlias
from uuid import UUID

from django.db import connection

from audit.models import DecisionRecord, LoggedName
from audit.outcomes import shown_outcome
from audit.periods import Unit

# How long counts of each unit are kept: the longest period that is shown in it, and a little more.
KEPT: Final[dict[str, dict[Unit, timedelta]]] = {
    "audit_callcount": {
        Unit.MINUTE: timedelta(days=3),
        Unit.HALF_HOUR: timedelta(days=3),
        Unit.HOUR: timedelta(days=40),
        Unit.DAY: timedelta(days=800),
    },
    "audit_usecount": {
        Unit.MINUTE: timedelta(hours=3),
        Unit.HOUR: timedelta(days=9),
        Unit.DAY: timedelta(days=800),
    },
}
KEPT["audit_toolcount"] = KEPT["audit_usecount"]
USERS_KEPT: Final = timedelta(days=40)
# For each organization. More than a search for part of a name compares: if names were left out, it searches
# the records instead.
NAMES_A_DAY: Final = 12_000
OTHERS: Final = "(other names)"
_A_DOUBLING: Final = 4
_NEVER: Final = datetime.max.replace(tzinfo=UTC)

_Calls: TypeAlias = tuple[UUID, str, datetime, str, int]
_Uses: TypeAlias = tuple[UUID, str, datetime, UUID, UUID, str, str]
_Tools: TypeAlias = tuple[UUID, str, datetime, str, str]
_Name: TypeAlias = tuple[UUID, str, UUID, str]
_Tool: TypeAlias = tuple[UUID, str]

_ADD_CALLS = """
    INSERT INTO audit_callcount (organization_id, unit, start, outcome, added, calls)
    SELECT * FROM unnest(%s::uuid[], %s::text[], %s::timestamptz[], %s::text[], %s::smallint[], %s::bigint[])
    ON CONFLICT (organization_id, unit, start, outcome, added)
    DO UPDATE SET calls = audit_callcount.calls + excluded.calls
"""
_ADD_USES = """
    INSERT INTO audit_usecount (organization_id, unit, start, server_id, grant_id, tool, outcome, calls)
    SELECT * FROM unnest(%s::uuid[], %s::text[], %s::timestamptz[], %s::uuid[], %s::uuid[], %s::text[],
        %s::text[], %s::bigint[])
    ON CONFLICT (organization_id, unit, start, server_id, grant_id, tool, outcome)
    DO UPDATE SET calls = audit_usecount.calls + excluded.calls
"""
_ADD_TOOLS = """
    INSERT INTO audit_toolcount (organization_id, unit, start, tool, outcome, calls)
    SELECT * FROM unnest(%s::uuid[], %s::text[], %s::timestamptz[], %s::text[], %s::text[], %s::bigint[])
    ON CONFLICT (organization_id, unit, start, tool, outcome)
    DO UPDATE SET calls = audit_toolcount.calls + excluded.calls
"""
# To the minute, so that a grant that calls all the time writes its row only once a minute.
_ADD_USERS = """
    INSERT INTO audit_tooluser (organization_id, tool, grant_id, called, held)
    SELECT organization, tool, caller, max(at), max(at) FILTER (WHERE outcome <> 'allow')
    FROM unnest(%s::uuid[], %s::text[], %s::timestamptz[], %s::uuid[], %s::uuid[], %s::text[], %s::text[])
        AS uses (organization, unit, at, server, caller, tool, outcome)
    WHERE unit = 'm' AND tool <> '' GROUP BY 1, 2, 3
    ON CONFLICT (organization_id, tool, grant_id)
    DO UPDATE SET called = greatest(audit_tooluser.called, excluded.called),
        held = greatest(audit_tooluser.held, excluded.held)
    WHERE excluded.called > audit_tooluser.called
        OR excluded.held > coalesce(audit_tooluser.held, '-infinity')
"""

_KNOWN_NAMES = """
    SELECT organization_id, name, seen FROM audit_loggedname
    WHERE kind = 't' AND organization_id = ANY(%s) AND digest = ANY(%s)
"""
_NAMES_SINCE = """
    SELECT count(*) FROM audit_loggedname WHERE kind = 't' AND organization_id = %s AND seen >= %s
"""
_ADD_NAMES = """
    INSERT INTO audit_loggedname (organization_id, kind, digest, name, seen, calls)
    SELECT * FROM unnest(%s::uuid[], %s::text[], %s::uuid[], %s::text[], %s::timestamptz[], %s::bigint[])
    ON CONFLICT (organization_id, kind, digest)
    DO UPDATE SET calls = audit_loggedname.calls + excluded.calls,
        seen = greatest(audit_loggedname.seen, excluded.seen)
"""


def count(rows: Collection[DecisionRecord]) -> None:
    """Count new rows, in the transaction that stores them."""
    calls: Counter[_Calls] = Counter()
    uses: Counter[_Uses] = Counter()
    tools: Counter[_Tools] = Counter()
    apart = _told_apart(rows)
    for row in rows:
        outcome = shown_outcome(row.outcome, row.code)
        tool = row.counted_tool if (row.organization_id, row.tool) in apart else OTHERS
        for unit in KEPT["audit_callcount"]:
            start = unit.start_of(row.at)
            calls[row.organization_id, unit.value, start, outcome, bucket_of(row.added_us)] += 1
        for unit in KEPT["audit_usecount"]:
            start = unit.start_of(row.at)
            uses[row.organization_id, unit.value, start, row.server_id, row.grant_id, tool, outcome] += 1
            if row.tool:
                tools[row.organization_id, unit.value, start, tool, outcome] += 1
    with connection.cursor() as cursor:
        for statement, counted in ((_ADD_CALLS, calls), (_ADD_USES, uses), (_ADD_TOOLS, tools)):
            if counted:
                cursor.execute(statement, [*_columns(counted), list(counted.values())])
        if uses:
            cursor.execute(_ADD_USERS, _columns(uses))
        if names := _names(rows, apart):
            cursor.execute(
                _ADD_NAMES, _columns((*name, seen, calls) for name, (seen, calls) in names.items())
            )


def _told_apart(rows: Iterable[DecisionRecord]) -> set[_Tool]:
    """Return the tools, each with its organization, that are counted by name; "" is always one of them."""
    days: dict[_Tool, datetime] = {}
    for row in rows:
        days.setdefault((row.organization_id, row.tool), Unit.DAY.start_of(row.at))
    apart = {tool for tool in days if not tool[1]}
    room: dict[UUID, int] = {}
    with connection.cursor() as cursor:
        organizations = list({organization for organization, _ in days})
        cursor.execute(_KNOWN_NAMES, [organizations, [LoggedName.digest_of(name) for _, name in days]])
        apart.update(
            (organization, name)
            for organization, name, seen in cursor.fetchall()
            if seen >= days.get((organization, name), _NEVER)
        )
        for tool, day in days.items():
            if tool in apart:
                continue
            if tool[0] not in room:
                cursor.execute(_NAMES_SINCE, [tool[0], day])
                room[tool[0]] = NAMES_A_DAY - cursor.fetchone()[0]
            if room[tool[0]] > 0:
                room[tool[0]] -= 1
                apart.add(tool)
    return apart


def _names(rows: Iterable[DecisionRecord], apart: Container[_Tool]) -> dict[_Name, tuple[datetime, int]]:
    """Return the names, each with its latest day and its number of records."""
    found: dict[_Name, tuple[datetime, int]] = {}
    for row in rows:
        day = Unit.DAY.start_of(row.at)
        for kind, name in ((LoggedName.Kind.TOOL, row.tool), (LoggedName.Kind.RULE, row.rule)):
            known = kind is LoggedName.Kind.RULE or (row.organization_id, name) in apart
            if name and known:
                key = (row.organization_id, kind.value, LoggedName.digest_of(name), name)
                latest, calls = found.get(key, (day, 0))
                found[key] = (max(latest, day), calls + 1)
    return found


def _columns(counted: Iterable[tuple[object, ...]]) -> list[list[object]]:
    return [list(column) for column in zip(*counted, strict=True)]


def bucket_of(microseconds: int) -> int:
    return int(_A_DOUBLING * math.log2(microseconds + 1))


def bounds_of(bucket: int) -> tuple[float, float]:
    """Return the bucket's bounds in microseconds: the lower is included, the upper is not."""
    return 2 ** (bucket / _A_DOUBLING) - 1, 2 ** ((bucket + 1) / _A_DOUBLING) - 1
