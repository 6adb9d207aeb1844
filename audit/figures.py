"""The figures that charts show, from the counts kept beside the log: no record is read."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import connection
from django.db.models import DateTimeField, F, Func, Q, QuerySet, Sum, Value

from accounts.models import Organization
from accounts.tenancy import Asker
from audit.counts import bounds_of
from audit.models import CallCount, UseCount
from audit.outcomes import OUTCOMES
from audit.periods import Period, Unit


@dataclass(frozen=True, slots=True)
class Bucket:
    """Calls by outcome in one interval of time; `counts` has every one of OUTCOMES."""

    at: datetime
    counts: dict[str, int] = field(default_factory=dict)

    @property
    def total(self) -> int:
        return sum(self.counts.values())


@dataclass(frozen=True, slots=True)
class Counted:
    """Calls of one tool: how many, by outcome, and by how many grants if that was asked for."""

    name: str
    count: int
    outcomes: dict[str, int]
    grants: int = 0

    @property
    def mostly(self) -> str:
        return max(self.outcomes, key=lambda name: self.outcomes[name])


@dataclass(frozen=True, slots=True)
class Latency:
    """Milliseconds that we added, each accurate to within a tenth, and the number of calls measured."""

    p50: float
    p99: float
    calls: int


def outcomes_over_time(
    member: Asker, period: Period, buckets: int, *, server: UUID | None = None, grant: UUID | None = None
) -> tuple[Bucket, ...]:
    """Return equal intervals, including empty ones. Each must be a whole number of units.

    For a single server or grant, minutes are kept for three hours only.
    """
    step = (period.until - period.since) / buckets
    only = {name: pk for name, pk in (("server_id", server), ("grant_id", grant)) if pk}
    found: QuerySet[CallCount] | QuerySet[UseCount] = (
        _uses(member, period).filter(**only) if only else _calls(member, period)
    )
    rows = found.annotate(bin=_binned(step, period.since)).values_list("bin", "outcome").order_by()
    counts = {period.since + step * number: dict.fromkeys(OUTCOMES, 0) for number in range(buckets)}
    for start, outcome, calls in rows.annotate(Sum("calls")):
        counts[start][outcome] += calls
    return tuple(Bucket(start, found) for start, found in counts.items())


@dataclass(frozen=True, slots=True)
class Tops:
    called: list[Counted]
    held: list[Counted]
    """Tools whose calls did not pass, for whatever reason."""


_COUNTED = """
    SELECT tool, outcome, calls FROM audit_toolcount
    WHERE organization_id = %s AND unit = %s AND start >= %s AND start < %s
"""
# Summed by the database, because only a handful of thousands of tools are wanted.
_MOST = """
    WITH parts AS MATERIALIZED (
        SELECT tool, outcome, sum(calls)::bigint AS calls FROM ({counted}) counted GROUP BY tool, outcome
    ), called AS (
        SELECT tool FROM parts GROUP BY tool
        ORDER BY sum(calls) DESC, tool COLLATE "C" LIMIT %s
    ), held AS (
        SELECT tool FROM parts WHERE outcome <> 'allow' GROUP BY tool
        ORDER BY sum(calls) DESC, tool COLLATE "C" LIMIT %s
    )
    SELECT true, tool, outcome, calls FROM called JOIN parts USING (tool)
    UNION ALL
    SELECT false, tool, outcome, calls FROM held JOIN parts USING (tool) WHERE outcome <> 'allow'
"""


def tops(member: Asker, period: Period, limit: int = 10, *, with_grants: bool = True) -> Tops:
    """`with_grants`: also count the grants since the period began; the period must then end now."""
    most = _MOST.format(counted=" UNION ALL ".join([_COUNTED] * len(period.parts)))
    asked = [value for part in period.parts for value in _asked(member, part).values()]
    called: dict[str, dict[str, int]] = defaultdict(dict)
    held: dict[str, dict[str, int]] = defaultdict(dict)
    with connection.cursor() as cursor:
        cursor.execute(most, [*asked, limit, limit])
        for of_all, tool, outcome, calls in cursor.fetchall():
            (called if of_all else held)[tool][outcome] = calls
    grants = _grants_of(member, {*called, *held}, period.since) if with_grants else {}
    return Tops(
        [_counted(tool, called[tool], grants.get(tool, (0, 0))[0]) for tool in _most_first(called)],
        [_counted(tool, held[tool], grants.get(tool, (0, 0))[1]) for tool in _most_first(held)],
    )


def _most_first(found: dict[str, dict[str, int]]) -> list[str]:
    return sorted(found, key=lambda tool: (-sum(found[tool].values()), tool))


def _counted(tool: str, outcomes: dict[str, int], grants: int) -> Counted:
    return Counted(tool, sum(outcomes.values()), outcomes, grants)


_USERS = """
    SELECT tool, count(*), count(*) FILTER (WHERE held >= %s) FROM audit_tooluser
    WHERE organization_id = %s AND tool = ANY(%s) AND called >= %s GROUP BY tool
"""


def _grants_of(member: Asker, tools: set[str], since: datetime) -> dict[str, tuple[int, int]]:
    """Return by tool how many grants have called it since then, and how many of them were held back there."""
    with connection.cursor() as cursor:
        cursor.execute(_USERS, [since, member.organization_id, list(tools), since])
        return {tool: (of_all, of_held) for tool, of_all, of_held in cursor.fetchall()}


def top_tools(member: Asker, period: Period, limit: int = 10) -> list[Counted]:
    return tops(member, period, limit).called


def top_denials(member: Asker, period: Period, limit: int = 10) -> list[Counted]:
    return tops(member, period, limit).held


_USED = """
    SELECT grant_id, calls FROM audit_usecount
    WHERE organization_id = %s AND unit = %s AND start >= %s AND start < %s AND grant_id = ANY(%s)
"""
_USED_IN_ALL = "SELECT grant_id, sum(calls)::bigint FROM ({counted}) counted GROUP BY grant_id"


def calls_by_grant(member: Asker, grants: Iterable[UUID], period: Period) -> dict[UUID, int]:
    """Return the number of calls of each grant that made any."""
    counted, wanted = " UNION ALL ".join([_USED] * len(period.parts)), list(grants)
    asked = [value for part in period.parts for value in (*_asked(member, part).values(), wanted)]
    with connection.cursor() as cursor:
        cursor.execute(_USED_IN_ALL.format(counted=counted), asked)
        return dict(cursor.fetchall())


def calls_of_today(member: Asker, grants: Iterable[UUID]) -> dict[UUID, int]:
    return calls_by_grant(member, grants, Period.today())


def records_kept(member: Asker) -> int:
    """Return the sum of the counts of the days that are kept: a page must not count a million rows."""
    days = Organization.objects.values_list("log_retention_days", flat=True).get(pk=member.organization_id)
    kept = _calls(member, Period.until_now(timedelta(days=days), Unit.DAY))
    return int(kept.aggregate(calls=Sum("calls"))["calls"] or 0)


# Calls by interval and outcome, and calls by added latency, in one pass over the counts.
_OUTCOMES_AND_LATENCY = """
    SELECT date_bin(make_interval(secs => %(seconds)s), start, %(since)s) AS bin,
        outcome, added, sum(calls)::bigint
    FROM audit_callcount WHERE organization_id = %(organization)s AND unit = %(unit)s
        AND start >= %(since)s AND start < %(until)s
    GROUP BY GROUPING SETS ((bin, outcome), (added)) ORDER BY added
"""


def outcomes_and_latency(
    member: Asker, period: Period, buckets: int
) -> tuple[tuple[Bucket, ...], Latency | None]:
    """Return equal intervals, and the latency added over the whole period, None if there were no calls."""
    step = (period.until - period.since) / buckets
    counts = {period.since + step * number: dict.fromkeys(OUTCOMES, 0) for number in range(buckets)}
    held: list[tuple[int, int]] = []
    with connection.cursor() as cursor:
        cursor.execute(_OUTCOMES_AND_LATENCY, {**_asked(member, period), "seconds": step.total_seconds()})
        for start, outcome, added, calls in cursor.fetchall():
            if added is None:
                counts[start][outcome] += calls
            else:
                held.append((added, calls))
    return tuple(Bucket(start, found) for start, found in counts.items()), _latency(held)


def _asked(member: Asker, period: Period) -> dict[str, Any]:
    return {
        "organization": member.organization_id,
        "unit": period.unit.value,
        "since": period.since,
        "until": period.until,
    }


@dataclass(frozen=True, slots=True)
class OverTime:
    """Calls and added latency (None without calls) of equal intervals, and the latency of the whole."""

    buckets: tuple[Bucket, ...]
    latencies: tuple[Latency | None, ...]
    latency: Latency | None


# Calls by interval and outcome, and by interval and added latency, in one pass over the counts.
_OVER_TIME = """
    SELECT (date_part('epoch', start - %(since)s)::bigint / %(seconds)s)::integer AS number,
        outcome, added, sum(calls)::bigint
    FROM audit_callcount WHERE organization_id = %(organization)s AND unit = %(unit)s
        AND start >= %(since)s AND start < %(until)s
    GROUP BY GROUPING SETS ((number, outcome), (number, added))
"""


def over_time(member: Asker, period: Period, stretches: int) -> OverTime:
    """Cut all calls into intervals as `outcomes_over_time` does; the counts are read once for both charts."""
    step = (period.until - period.since) / stretches
    starts = [period.since + step * number for number in range(stretches)]
    counts = [dict.fromkeys(OUTCOMES, 0) for _ in starts]
    held: list[list[tuple[int, int]]] = [[] for _ in starts]
    whole: dict[int, int] = defaultdict(int)
    with connection.cursor() as cursor:
        cursor.execute(_OVER_TIME, {**_asked(member, period), "seconds": round(step.total_seconds())})
        for number, outcome, added, calls in cursor.fetchall():
            if added is None:
                counts[number][outcome] += calls
            else:
                held[number].append((added, calls))
                whole[added] += calls
    return OverTime(
        tuple(Bucket(start, found) for start, found in zip(starts, counts, strict=True)),
        tuple(_latency(sorted(found)) for found in held),
        _latency(sorted(whole.items())),
    )


def _latency(held: list[tuple[int, int]]) -> Latency | None:
    """`held`: calls by bucket, fastest first."""
    calls = sum(count for _, count in held)
    if not calls:
        return None
    return Latency(_percentile(held, 0.5 * calls) / 1000, _percentile(held, 0.99 * calls) / 1000, calls)


def _binned(step: timedelta, since: datetime) -> Func:
    return Func(Value(step), F("start"), Value(since), function="date_bin", output_field=DateTimeField())


def _percentile(held: list[tuple[int, int]], rank: float) -> float:
    """Interpolate as if the calls of a bucket were spread evenly over it."""
    for bucket, count in held:
        if rank <= count:
            lower, upper = bounds_of(bucket)
            return lower + (upper - lower) * rank / count
        rank -= count
    return bounds_of(held[-1][0])[1]


def _counted_in(period: Period) -> Q:
    return Q(unit=period.unit, start__gte=period.since, start__lt=period.until)


def _calls(member: Asker, period: Period) -> QuerySet[CallCount]:
    return CallCount.objects.visible_to(member).filter(_counted_in(period))


def _uses(member: Asker, period: Period) -> QuerySet[UseCount]:
    return UseCount.objects.visible_to(member).filter(_counted_in(period))
