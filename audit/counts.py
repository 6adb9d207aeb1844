"""Records are counted as they arrive, so that a chart never reads them again and outlives them.

Counts are kept by whole minutes, hours and days. Latencies go into buckets, four for each doubling.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final, TypeAlias
from uuid import UUID

from django.db import connection

from audit.models import DecisionRecord
from audit.outcomes import shown_outcome
from audit.periods import Unit

# How long each is worth keeping: the longest period that is shown in it, and a little.
KEPT: Final = {
    "audit_callcount": {
        Unit.MINUTE: timedelta(days=3),
        Unit.HOUR: timedelta(days=40),
        Unit.DAY: timedelta(days=800),
    },
    "audit_usecount": {
        Unit.MINUTE: timedelta(hours=3),
        Unit.HOUR: timedelta(days=9),
        Unit.DAY: timedelta(days=800),
    },
}
_A_DOUBLING: Final = 4

_Calls: TypeAlias = tuple[UUID, str, datetime, str, int]
_Uses: TypeAlias = tuple[UUID, str, datetime, UUID, UUID, str, str]

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


def count(rows: Iterable[DecisionRecord]) -> None:
    """Rows that were not there before, in the transaction that stores them."""
    calls: Counter[_Calls] = Counter()
    uses: Counter[_Uses] = Counter()
    for row in rows:
        outcome = shown_outcome(row.outcome, row.code)
        for unit in Unit:
            start = unit.start_of(row.at)
            calls[row.organization_id, unit.value, start, outcome, bucket_of(row.added_us)] += 1
            uses[
                row.organization_id, unit.value, start, row.server_id, row.grant_id, row.counted_tool, outcome
            ] += 1
    if calls:
        with connection.cursor() as cursor:
            cursor.execute(_ADD_CALLS, [*map(list, zip(*calls, strict=True)), list(calls.values())])
            cursor.execute(_ADD_USES, [*map(list, zip(*uses, strict=True)), list(uses.values())])


def bucket_of(microseconds: int) -> int:
    return int(_A_DOUBLING * math.log2(microseconds + 1))


def bounds_of(bucket: int) -> tuple[float, float]:
    """Microseconds from which, and below which, a latency is in this bucket."""
    return 2 ** (bucket / _A_DOUBLING) - 1, 2 ** ((bucket + 1) / _A_DOUBLING) - 1
