"""One table a day, kept for as long as somebody wants it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import count
from uuid import UUID

import pytest
from django.db import DatabaseError, connection, transaction
from django.db.models import Sum
from django.test import override_settings
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.audit import record_event
from accounts.models import AuditEvent, Organization, OrganizationLimits
from accounts.tenancy import organization_context
from audit import partitions, retention
from audit.counts import KEPT
from audit.figures import Counted, top_tools
from audit.models import CallCount, DecisionRecord, LoggedName, ToolCount, ToolUser
from audit.periods import Period, Unit
from audit.tasks import keep_house
from common.alone import HOUSEKEEPING
from gateway_config.wire.messages import DecisionEntry
from tests.audit.records import called, ended
from tests.audit.test_ingest import store, stored
from tests.cast import Acme, Cast, inside
from tests.roles import another_session, as_owner, as_worker, elsewhere

NOW = timezone.now()
_made = count(1)


def id_of(moment: datetime) -> str:
    """As a gateway would make it at that moment."""
    return str(UUID(int=int(moment.timestamp() * 1000) << 80 | 7 << 76 | 2 << 62 | next(_made)))


def of(acme: Acme, moment: datetime) -> DecisionEntry:
    return called(acme, id=id_of(moment), at_ms=int(moment.timestamp() * 1000))


def tables() -> set[str]:
    with as_owner(), connection.cursor() as cursor:
        cursor.execute(
            "SELECT inhrelid::regclass::text FROM pg_inherits"
            " WHERE inhparent = 'audit_decisionrecord'::regclass"
        )
        return {name for (name,) in cursor.fetchall()}


def table_of(entry: DecisionEntry) -> str:
    with as_owner(), connection.cursor() as cursor:
        cursor.execute("SELECT tableoid::regclass::text FROM audit_decisionrecord WHERE id = %s", [entry.id])
        (name,) = cursor.fetchone()
        return str(name)


def named(moment: datetime) -> str:
    return f"audit_decisions_{moment:%Y%m%d}"


def keep_days(acme: Acme, days: int) -> None:
    with organization_context(acme.server.organization_id):
        Organization.objects.update(log_retention_days=days)


def test_there_are_tables_for_today_and_the_days_to_come(acme: Acme) -> None:
    assert {named(NOW + timedelta(days=days)) for days in range(-30, 4)} <= tables()


def test_a_record_lies_in_the_table_of_its_day(acme: Acme) -> None:
    today, before = of(acme, NOW), of(acme, NOW - timedelta(days=5))
    store(today, before)
    assert (table_of(today), table_of(before)) == (named(NOW), named(NOW - timedelta(days=5)))


def test_what_has_no_table_yet_is_kept_and_moves_there_once_there_is_one(acme: Acme) -> None:
    far = NOW + timedelta(days=40)
    entry = of(acme, far)
    store(entry)
    assert table_of(entry) == "audit_decisions_other"
    with as_worker():
        assert partitions.make_partitions(far.date(), far.date()) == 1
        assert partitions.make_partitions(far.date(), far.date()) == 0
    assert table_of(entry) == named(far)
    store(entry, ended(entry))
    (row,) = stored(acme)
    assert row.total_us == 212_000, "found where it lies now"


def test_a_day_is_dropped_whole_and_its_counts_stay(acme: Acme, cast: Cast) -> None:
    old = NOW - timedelta(days=29)
    store(of(acme, old), of(acme, NOW))
    keep_days(acme, 20)
    with as_worker(), connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")  # as if what stored them were committed
        # Other organizations of this database may keep longer: only the tables are looked at.
        assert partitions.drop_partitions((NOW - timedelta(days=20)).date()) >= 1
    assert named(old) not in tables() and named(NOW) in tables()
    assert len(stored(acme)) == 1
    day = Unit.DAY.start_of(old)
    with inside(cast.bob):
        assert top_tools(cast.bob, Period(day, day + Unit.DAY.length, Unit.DAY)) == [
            Counted("create_access_key", 1, {"allow": 1}, 1)
        ]


def test_each_organization_keeps_its_log_as_long_as_it_says(acme: Acme, cast: Cast) -> None:
    mallorys = cast.mallory.organization_id
    old = NOW - timedelta(days=8)
    entry = of(acme, old)
    store(entry, of(acme, NOW))
    store(called(acme, organization=str(mallorys), at_ms=entry.at_ms))
    keep_days(acme, 7)
    with as_worker():
        assert retention.forget_old(NOW) == 1
        assert retention.forget_old(NOW) == 0
    assert [row.at.date() for row in stored(acme)] == [NOW.date()]
    with organization_context(mallorys):
        assert DecisionRecord.objects.count() == 1


def test_an_organization_without_records_costs_no_look_into_the_log(acme: Acme, cast: Cast) -> None:
    """Most make none for long, and each look is into the tables of all days."""
    store(called(acme))
    with as_worker(), CaptureQueriesContext(connection) as asked:
        retention.forget_old(NOW)
    looked = [query["sql"] for query in asked if 'FROM "audit_decisionrecord"' in query["sql"]]
    assert looked and all(acme.server.organization_id.hex in sql for sql in looked)


def test_more_than_one_turn_of_old_records_is_forgotten(acme: Acme, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "AT_ONCE", 3)
    old = int((NOW - timedelta(days=31)).timestamp() * 1000)
    store(*(called(acme, at_ms=old + number) for number in range(7)), called(acme))
    with as_worker():
        assert retention.forget_old(NOW) == 7
    assert len(stored(acme)) == 1


def test_where_there_are_too_many_the_oldest_make_room(acme: Acme, monkeypatch: pytest.MonkeyPatch) -> None:
    entries = [of(acme, NOW - timedelta(minutes=age)) for age in range(7)]
    store(*entries)
    monkeypatch.setattr(retention, "AT_ONCE", 2)
    with as_worker():
        OrganizationLimits.objects.create(organization_id=acme.server.organization_id, stored_records=4)
        assert retention.forget_old(NOW) == 3
        assert retention.forget_old(NOW) == 0
        kept = {str(pk) for pk in DecisionRecord.objects.values_list("pk", flat=True)}
    assert kept == {entry.id for entry in entries[:4]}


def test_counts_are_kept_as_long_as_they_are_shown(acme: Acme, cast: Cast) -> None:
    store(called(acme, at_ms=int((NOW - timedelta(days=10)).timestamp() * 1000)), called(acme))
    with as_worker():
        retention.forget_counts(NOW)
    with inside(cast.bob):
        kept = dict(ToolCount.objects.order_by().values_list("unit").annotate(Sum("calls")))
        assert kept == {Unit.MINUTE: 1, Unit.HOUR: 1, Unit.DAY: 2}
    assert set(KEPT) == {"audit_callcount", "audit_usecount", "audit_toolcount"}
    with as_worker():
        assert ToolUser.objects.count() == 1
        retention.forget_counts(NOW + timedelta(days=41))
        assert not ToolUser.objects.exists()


def test_names_are_known_for_as_long_as_records_that_hold_them(acme: Acme, cast: Cast) -> None:
    keep_days(acme, 10)
    store(of(acme, NOW - timedelta(days=9)), called(acme, "list_users"))
    names = LoggedName.objects.order_by("name").filter(kind="t").values_list("name", flat=True)
    with as_worker():
        retention.forget_counts(NOW)
        assert list(names.all()) == ["create_access_key", "list_users"]
        retention.forget_counts(NOW + timedelta(days=4))
        assert list(names.all()) == ["list_users"]


def test_housekeeping_may_run_twice(acme: Acme) -> None:
    store(called(acme))
    with as_worker():
        keep_house()
        keep_house()
    assert len(stored(acme)) == 1
    assert named(datetime.now(UTC) + timedelta(days=3)) in tables()


def test_housekeeping_that_is_started_again_meanwhile_waits_for_nobody(acme: Acme) -> None:
    long_ago = of(acme, NOW - timedelta(days=400))
    store(long_ago)
    with as_worker(), elsewhere(HOUSEKEEPING):
        keep_house()
    assert len(stored(acme)) == 1
    with as_worker():
        keep_house()
    assert stored(acme) == []


def test_a_backup_that_reads_for_long_holds_up_neither_housekeeping_nor_what_comes(acme: Acme) -> None:
    long_ago = NOW - timedelta(days=400)
    with as_worker():
        partitions.make_partitions(long_ago.date(), long_ago.date())
    keep_days(acme, 3)
    store(of(acme, NOW - timedelta(days=5)))
    with another_session() as backup, as_worker():
        backup.execute("LOCK TABLE ONLY audit_decisionrecord IN ACCESS SHARE MODE")
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL statement_timeout = '20s'")
        keep_house()
    assert named(long_ago) in tables() and stored(acme) == []
    with as_worker():
        keep_house()
    assert named(long_ago) not in tables()


def test_the_application_reaches_no_days_table_and_calls_no_housekeeping(acme: Acme) -> None:
    store(called(acme))
    with organization_context(acme.server.organization_id):
        for statement in (
            f"TABLE {named(NOW)}",
            "TABLE audit_decisions_other",
            "SELECT audit_make_partitions(current_date, current_date)",
            "SELECT audit_drop_partitions(current_date)",
        ):
            with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
                cursor.execute(statement)
    with as_worker(), pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(f"TABLE {named(NOW)}")


@override_settings(AUDIT_RETENTION_DAYS=500)
def test_audit_events_are_forgotten_after_their_time_in_every_organization_and_in_small_steps(
    acme: Acme, cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "AT_ONCE", 2)

    def kept() -> set[str]:
        with as_owner():
            return set(AuditEvent.objects.filter(verb__startswith="aged.").values_list("verb", flat=True))

    for member, who in ((cast.alice, "alice"), (cast.mallory, "mallory")):
        for days in (1, 366, 499, 501, 502, 503, 504, 505):
            with inside(member):
                record_event(member, f"aged.{days}.{who}", "org_1")
            with as_owner():
                AuditEvent.objects.filter(verb=f"aged.{days}.{who}").update(at=NOW - timedelta(days=days))
    with as_worker():
        keep_house()
        assert retention.forget_events(NOW) == 0
    assert kept() == {f"aged.{days}.{who}" for days in (1, 366, 499) for who in ("alice", "mallory")}


def test_not_even_the_worker_can_delete_what_people_did_within_a_year(acme: Acme, cast: Cast) -> None:
    for days in (364, 366):
        with inside(cast.alice):
            record_event(cast.alice, f"aged.{days}", "org_1")
        with as_owner():
            AuditEvent.objects.filter(verb=f"aged.{days}").update(at=NOW - timedelta(days=days))
    with as_worker():
        AuditEvent.objects.all()._raw_delete("default")
    with inside(cast.alice):
        assert AuditEvent.objects.filter(verb="aged.364").exists()
        assert not AuditEvent.objects.filter(verb="aged.366").exists()
    with inside(cast.alice), pytest.raises(DatabaseError), transaction.atomic():
        AuditEvent.objects.update(verb="x")
    with inside(cast.alice), pytest.raises(DatabaseError), transaction.atomic():
        AuditEvent.objects.all()._raw_delete("default")


def half_hours() -> tuple[dict[datetime, int], dict[datetime, int]]:
    """What is counted of them, and what of the minutes in them."""
    found: tuple[dict[datetime, int], dict[datetime, int]] = ({}, {})
    with as_worker():
        for start, unit, calls in CallCount.objects.filter(unit__in="tm").values_list(
            "start", "unit", "calls"
        ):
            counts, half = found[unit == Unit.MINUTE], Unit.HALF_HOUR.start_of(start)
            counts[half] = counts.get(half, 0) + calls
    return found


def test_half_hours_that_an_older_process_did_not_count_are_made_up_for_from_their_minutes(
    acme: Acme, monkeypatch: pytest.MonkeyPatch
) -> None:
    moments = [NOW - timedelta(minutes=minutes) for minutes in (0, 1, 35, 62)]
    with monkeypatch.context() as older:
        older.delitem(KEPT["audit_callcount"], Unit.HALF_HOUR)
        store(*(of(acme, moment) for moment in moments))
    store(*(of(acme, moment) for moment in moments[:3]))
    counted, by_minutes = half_hours()
    assert sum(counted.values()) == 3 and sum(by_minutes.values()) == 7
    for _ in range(2):
        with as_worker():
            retention.mend_half_hours(NOW)
        assert half_hours() == (by_minutes, by_minutes)
