"""What charts show, counted as records arrive."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit.counts import KEPT, bounds_of, bucket_of
from audit.figures import (
    Counted,
    calls_by_grant,
    outcomes_and_latency,
    outcomes_over_time,
    over_time,
    top_denials,
    top_tools,
    tops,
)
from audit.periods import Period, Unit
from audit.queries import decisions
from tests.audit.records import called, denied, ended
from tests.audit.test_ingest import store
from tests.cast import Acme, Cast, inside

DAY = Period(datetime(2026, 11, 20, tzinfo=UTC), datetime(2026, 11, 21, tzinfo=UTC), Unit.MINUTE)


def since_yesterday() -> Period:
    """What was stored a moment ago is in it at midnight, too."""
    return Period.until_now(timedelta(days=2), Unit.DAY)


def at(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)


def test_outcomes_over_time_shows_the_quiet_times_too(acme: Acme, cast: Cast) -> None:
    early, late = at(DAY.since), at(DAY.until) - 1
    store(
        called(acme, at_ms=early - 1),
        called(acme, at_ms=early),
        called(acme, at_ms=late),
        denied(acme, at_ms=late),
        denied(acme, code="limit_exceeded", at_ms=late),
        called(acme, at_ms=late + 1),
    )
    with inside(cast.bob):
        buckets = outcomes_over_time(cast.bob, DAY, buckets=6)
    assert [bucket.total for bucket in buckets] == [1, 0, 0, 0, 0, 3]
    assert buckets[-1].counts == {"allow": 1, "limit": 1, "approval": 0, "deny": 1, "hidden": 0}


def test_what_we_add_is_told_for_each_stretch_and_for_the_quiet_ones_not(acme: Acme, cast: Cast) -> None:
    early, late = at(DAY.since), at(DAY.until) - 1
    store(
        called(acme, at_ms=early, added_us=100),
        *[called(acme, at_ms=late, added_us=200) for _ in range(60)],
        *[called(acme, at_ms=late, added_us=4_000) for _ in range(3)],
    )
    with inside(cast.bob):
        shown = over_time(cast.bob, DAY, 6)
        told, whole = outcomes_and_latency(cast.bob, DAY, 6)
        assert shown.buckets == told == outcomes_over_time(cast.bob, DAY, 6)
    found = shown.latencies
    assert shown.latency == whole
    assert found[1:5] == (None,) * 4 and whole is not None
    first, last = found[0], found[5]
    assert first is not None and last is not None
    assert (first.calls, last.calls, whole.calls) == (1, 63, 64)
    assert first.p50 == pytest.approx(0.1, rel=0.1)
    assert last.p50 == pytest.approx(0.2, rel=0.1) and last.p99 == pytest.approx(4.0, rel=0.1)


@pytest.mark.parametrize("unit", list(Unit))
def test_each_unit_counts_every_call_and_what_is_sent_twice_once(acme: Acme, cast: Cast, unit: Unit) -> None:
    entries = [called(acme), denied(acme), called(acme, "list_users")]
    store(*entries)
    store(*entries, ended(entries[0]))
    store(entries[0], called(acme))
    period = Period.until_now(3 * unit.length, unit)
    with inside(cast.bob):
        counted = sum(bucket.total for bucket in outcomes_over_time(cast.bob, period, 3))
        assert counted == len(decisions(cast.bob).rows) == 4
        of_grants = sum(calls_by_grant(cast.bob, [acme.grant.pk], period).values())
        assert of_grants == (4 if unit in KEPT["audit_usecount"] else 0)


def test_two_that_arrive_at_once_are_counted_once_each(acme: Acme, cast: Cast) -> None:
    entries = [called(acme) for _ in range(20)]
    store(*entries[:10])
    store(*entries[5:])
    with inside(cast.bob):
        assert top_tools(cast.bob, since_yesterday()) == [Counted("create_access_key", 20, {"allow": 20}, 1)]


def test_what_is_called_and_denied_most(acme: Acme, cast: Cast) -> None:
    store(called(acme), called(acme), called(acme, "list_users"), denied(acme), called(acme, ""))
    period = since_yesterday()
    with inside(cast.bob):
        assert top_tools(cast.bob, period, 2) == [
            Counted("create_access_key", 2, {"allow": 2}, 1),
            Counted("delete_user", 1, {"deny": 1}, 1),
        ]
        assert top_denials(cast.bob, period) == [Counted("delete_user", 1, {"deny": 1}, 1)]
        assert calls_by_grant(cast.bob, [acme.grant.pk, uuid4()], period) == {acme.grant.pk: 5}


def test_what_is_stopped_most_says_by_what_and_of_how_many_grants(acme: Acme, cast: Cast) -> None:
    other = str(uuid4())
    store(*(denied(acme, code="limit_exceeded") for _ in range(3)), denied(acme, grant=other), called(acme))
    with inside(cast.bob):
        (found,) = top_denials(cast.bob, since_yesterday())
        assert (found.count, found.outcomes, found.grants) == (4, {"limit": 3, "deny": 1}, 2)
        assert found.mostly == "limit"


def test_a_grant_counts_for_a_tool_as_long_as_it_called_since(acme: Acme, cast: Cast) -> None:
    """Also where what was called later arrives first, and where an old denial came before a new call."""
    other, now = str(uuid4()), datetime.now(UTC)
    long_ago, lately = (at(now - timedelta(days=days)) for days in (20, 2))
    store(called(acme, "delete_user"), called(acme, "delete_user", grant=other, at_ms=lately))
    store(denied(acme, at_ms=long_ago), denied(acme, grant=other, at_ms=long_ago))
    seen = {}
    with inside(cast.bob):
        for days in (2, 4, 30):
            found = tops(cast.bob, Period.until_now(timedelta(days=days), Unit.DAY))
            seen[days] = ([one.grants for one in found.called], [one.grants for one in found.held])
    assert seen == {2: ([1], []), 4: ([2], []), 30: ([2], [2])}
    with inside(cast.mallory):
        assert tops(cast.mallory, since_yesterday()).called == []


def test_calls_of_one_grant_or_server_are_told_apart_from_all(acme: Acme, cast: Cast) -> None:
    store(called(acme), denied(acme), called(acme, grant=str(uuid4())), called(acme, server=str(uuid4())))
    period = since_yesterday()
    with inside(cast.bob):
        totals = [
            outcomes_over_time(cast.bob, period, 1, **only)[0].counts["allow"]
            for only in ({}, {"grant": acme.grant.pk}, {"server": acme.server.pk})
        ]
        assert totals == [3, 2, 2]
    with inside(cast.mallory):
        assert outcomes_over_time(cast.mallory, period, 1, grant=acme.grant.pk)[0].total == 0


def test_names_too_long_for_a_count_are_counted_all_the_same(acme: Acme, cast: Cast) -> None:
    store(called(acme, "\U0001f5dd" * 2_000), called(acme, "\U0001f5dd" * 300))
    with inside(cast.bob):
        assert top_tools(cast.bob, since_yesterday()) == [Counted("\U0001f5dd" * 256, 2, {"allow": 2}, 1)]


def test_added_latency_is_told_in_milliseconds(acme: Acme, cast: Cast) -> None:
    store(*(called(acme, added_us=number * 1000) for number in range(1, 101)))
    with inside(cast.bob):
        _, found = outcomes_and_latency(cast.bob, since_yesterday(), 1)
    assert found is not None and found.calls == 100
    assert found.p50 == pytest.approx(50.5, rel=0.1) and found.p99 == pytest.approx(99, rel=0.1)
    with inside(cast.mallory):
        assert outcomes_and_latency(cast.mallory, since_yesterday(), 1)[1] is None
        assert top_tools(cast.mallory, since_yesterday()) == []


@given(st.integers(0, 2**31 - 1))
def test_a_bucket_is_narrow_and_holds_what_fell_into_it(microseconds: int) -> None:
    lower, upper = bounds_of(bucket_of(microseconds))
    assert lower <= microseconds + 1e-6 * upper and microseconds < upper * (1 + 1e-9)
    assert upper + 1 <= (lower + 1) * 1.2


@given(
    st.datetimes(datetime(1990, 1, 1), datetime(2090, 1, 1), timezones=st.just(UTC)), st.sampled_from(Unit)
)
def test_a_unit_begins_at_or_before_its_moments_and_is_whole(moment: datetime, unit: Unit) -> None:
    start = unit.start_of(moment)
    assert start <= moment < start + unit.length
    assert unit.start_of(start) == start
    assert (start - datetime(1990, 1, 1, tzinfo=UTC)) % unit.length == timedelta(0)


def test_a_day_in_half_hours_is_the_day_in_minutes(acme: Acme, cast: Cast) -> None:
    moments = [DAY.since + timedelta(minutes=minutes) for minutes in (0, 29, 30, 31, 719, 1439)]
    store(*(called(acme, at_ms=at(moment), added_us=150 * n) for n, moment in enumerate(moments)))
    with inside(cast.bob):
        assert over_time(cast.bob, replace(DAY, unit=Unit.HALF_HOUR), 48) == over_time(cast.bob, DAY, 48)
    with inside(cast.mallory):
        assert over_time(cast.mallory, replace(DAY, unit=Unit.HALF_HOUR), 48).latency is None


def test_tools_called_most_in_a_week_of_hours_are_counted_to_the_hour(acme: Acme, cast: Cast) -> None:
    week = Period(datetime(2026, 11, 13, 9, tzinfo=UTC), datetime(2026, 11, 20, 9, tzinfo=UTC), Unit.HOUR)
    hours = [week.since + timedelta(hours=hour) for hour in (0, 14, 15, 39, 100, 158, 159, 167)]
    beyond = [week.since - timedelta(seconds=1), week.until]
    store(*[called(acme, at_ms=at(moment)) for moment in (*hours, *beyond)])
    with inside(cast.bob):
        (found,) = tops(cast.bob, week, with_grants=False).called
        by_grant = calls_by_grant(cast.bob, [acme.grant.pk], week)
    assert (found.count, by_grant) == (len(hours), {acme.grant.pk: len(hours)})


@given(st.datetimes(datetime(2026, 1, 1), datetime(2026, 12, 31)), st.integers(1, 72), st.sampled_from(Unit))
def test_the_parts_of_a_period_follow_each_other_and_leave_less_than_a_day_at_each_end(
    since: datetime, units: int, unit: Unit
) -> None:
    begin = unit.start_of(since.replace(tzinfo=UTC))
    period = Period(begin, begin + units * unit.length, unit)
    parts = period.parts
    assert [part.until for part in parts[:-1]] == [part.since for part in parts[1:]]
    assert (parts[0].since, parts[-1].until) == (period.since, period.until)
    assert all(part.unit.start_of(part.since) == part.since < part.until for part in parts)
    whole = [part for part in parts if part.unit is Unit.DAY]
    assert all(Unit.DAY.start_of(part.until) == part.until for part in whole)
    if whole:
        assert all(part in whole or part.until - part.since < Unit.DAY.length for part in parts)
    else:
        assert parts == (period,) and period.until - period.since < 2 * Unit.DAY.length
