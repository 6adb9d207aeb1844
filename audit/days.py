"""Finds which of the log's tables, one per day, hold the records at given positions in the order of arrival.

The planner opens every table that a query does not rule out, which costs more than finding a page. Tables are
ruled out by id, but pages go by position. `LogDay` knows between which positions a day's records lie, late
ones included. So the log is read in slices: consecutive ranges of positions, each with the few days that have
records there.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from django.db.models import Max, Q, QuerySet

from accounts.tenancy import Asker
from audit.models import DecisionRecord, LogDay
from common.ids import first_uuid_of

_SECONDS: Final = 86_400
# The last day whose end can be expressed as an id.
_LAST_DAY: Final = 2**48 // (_SECONDS * 1000) - 1
# The number of days in the first slice, and the factor by which each slice is larger than the previous one.
_FEW: Final = 1
_MORE: Final = 3


@dataclass(frozen=True, slots=True)
class _Day:
    number: int
    first: int
    last: int


def slices(member: Asker, *, before: int | None = None) -> Iterator[Q]:
    """Yield slices, newest first, of positions lower than `before`.

    Records that arrive while the slices are read are in none of them.
    """
    days = sorted(_days(member), key=lambda day: day.last, reverse=True)
    above = days[0].last if days else 0
    if before is not None:
        above = min(above, before - 1)
    days = [day for day in days if day.first <= above]
    size, read = _FEW, 0
    while read < len(days):
        read = min(read + size, len(days))
        size *= _MORE
        # The days not read yet all end at or below this position.
        floor = days[read].last if read < len(days) else 0
        if floor < above:
            yield Q(position__gt=floor, position__lte=above) & _made_on(_reaching(days, floor, above))
            above = floor


def slices_upwards(member: Asker, *, after: int = 0) -> Iterator[Q]:
    """Yield slices, oldest first, of positions higher than `after`."""
    days = sorted((day for day in _days(member) if day.last > after), key=lambda day: day.first)
    newest = max((day.last for day in days), default=0)
    size, read, floor = _FEW, 0, after
    while read < len(days):
        read = min(read + size, len(days))
        size *= _MORE
        above = min(days[read].first - 1, newest) if read < len(days) else newest
        if floor < above:
            yield Q(position__gt=floor, position__lte=above) & _made_on(_reaching(days, floor, above))
            floor = above


def first_of(found: QuerySet[DecisionRecord], parts: Iterator[Q], most: int) -> list[DecisionRecord]:
    """Return at most `most` records, slice by slice; `found` must be ordered as the slices are."""
    records: list[DecisionRecord] = []
    for part in parts:
        records += found.filter(part)[: most - len(records)]
        if len(records) >= most:
            break
    return records


def newest_position(member: Asker) -> int:
    """Return the highest position of any arrival or any late end of a call."""
    newest = LogDay.objects.visible_to(member).aggregate(arrived=Max("last"), ended=Max("completed"))
    return max(newest["arrived"] or 0, newest["ended"] or 0)


def _days(member: Asker) -> list[_Day]:
    return [_Day(*row) for row in LogDay.objects.visible_to(member).values_list("day", "first", "last")]


def _reaching(days: Sequence[_Day], floor: int, above: int) -> list[int]:
    return sorted(day.number for day in days if day.last > floor and day.first <= above)


def _made_on(days: Sequence[int]) -> Q:
    """Select days by ranges of ids; consecutive days form one range."""
    found = Q()
    begun = 0
    for at, day in enumerate(days):
        if at + 1 == len(days) or days[at + 1] > day + 1:
            found |= _between(days[begun], day)
            begun = at + 1
    return found


def _between(first: int, last: int) -> Q:
    ids = Q(pk__gte=first_uuid_of(first * _SECONDS))
    return ids if last > _LAST_DAY else ids & Q(pk__lt=first_uuid_of((last + 1) * _SECONDS))
