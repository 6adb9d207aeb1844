"""The units of time that counts are kept for, and periods of them: minutes to days, always in UTC."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from django.utils import timezone


class Unit(StrEnum):
    MINUTE = "m"
    HALF_HOUR = "t"
    HOUR = "h"
    DAY = "d"

    @property
    def length(self) -> timedelta:
        match self:
            case Unit.MINUTE:
                return timedelta(minutes=1)
            case Unit.HALF_HOUR:
                return timedelta(minutes=30)
            case Unit.HOUR:
                return timedelta(hours=1)
            case Unit.DAY:
                return timedelta(days=1)

    def start_of(self, moment: datetime) -> datetime:
        moment = moment.astimezone(UTC).replace(second=0, microsecond=0)
        match self:
            case Unit.MINUTE:
                return moment
            case Unit.HALF_HOUR:
                return moment.replace(minute=moment.minute // 30 * 30)
            case Unit.HOUR:
                return moment.replace(minute=0)
            case Unit.DAY:
                return moment.replace(minute=0, hour=0)


@dataclass(frozen=True, slots=True)
class Period:
    """From `since` until just before `until`, both at the start of a unit."""

    since: datetime
    until: datetime
    unit: Unit

    @classmethod
    def until_now(cls, length: timedelta, unit: Unit) -> Period:
        """Return the period that ends with the current unit."""
        until = unit.start_of(timezone.now()) + unit.length
        return cls(until - length, until, unit)

    @property
    def parts(self) -> tuple[Period, ...]:
        """The periods to add up if only the sum matters: whole days as days, and the rest around them."""
        first, last = self._whole_days()
        if self.unit is Unit.DAY or first >= last:
            return (self,)
        cut = (
            Period(self.since, first, self.unit),
            Period(first, last, Unit.DAY),
            Period(last, self.until, self.unit),
        )
        return tuple(part for part in cut if part.since < part.until)

    def _whole_days(self) -> tuple[datetime, datetime]:
        first = Unit.DAY.start_of(self.since)
        if first < self.since:
            first += Unit.DAY.length
        return first, Unit.DAY.start_of(self.until)

    @classmethod
    def today(cls) -> Period:
        return cls.until_now(timedelta(days=1), Unit.DAY)
