"""The log read in slices of a few tables is the log, in whatever order gateways told it."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from django.db import ProgrammingError, connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext

from audit import days, partitions, retention, search
from audit.days import first_of, newest_position, slices, slices_upwards
from audit.ingest import COMMIT_ORDER
from audit.models import DecisionRecord, LogDay
from audit.queries import decisions
from audit.search import Filters
from gateway_config.wire.messages import DecisionEntry
from tests.audit.records import called, denied, ended
from tests.audit.test_ingest import store
from tests.audit.test_retention import NOW, id_of
from tests.cast import Acme, Cast, inside
from tests.roles import another_session, as_owner, as_worker

SEED = random.SystemRandom().randrange(2**32)
CALLS = 60
# Clocks that are wrong by years come, too, and find no table of their own.
FAR = (timedelta(days=-9_000), timedelta(days=90), timedelta(days=400_000))


@pytest.fixture
def muddled(acme: Acme) -> list[DecisionEntry]:
    """Calls of a week in nearly their order: gateways that were cut off tell what they have days later."""
    chance = random.Random(SEED)
    with as_worker():
        partitions.make_partitions((NOW - timedelta(days=9)).date(), NOW.date())
    entries = []
    for number in range(CALLS):
        late = chance.choice((0.0, 0.0, 0.0, chance.random() * 7))
        moment = NOW - timedelta(days=7 * (1 - number / CALLS) + late)
        if chance.random() < 0.05:
            moment += chance.choice(FAR)
        make = chance.choice((called, called, denied))
        entries.append(make(acme, chance.choice(("read", "write")), id=_id_of(moment)))
    told = 0
    while told < CALLS:
        batch = entries[told : told + chance.randint(1, 9)]
        store(*batch)
        told += len(batch)
    return entries


def _id_of(moment: datetime) -> str:
    return id_of(max(moment, datetime(1971, 1, 1, tzinfo=UTC)))


def in_order(cast: Cast) -> list[DecisionRecord]:
    with inside(cast.bob):
        return list(DecisionRecord.objects.visible_to(cast.bob).order_by("-position"))


@pytest.mark.parametrize("down", [True, False])
def test_slices_one_after_the_other_are_the_whole_log_in_order(
    down: bool, muddled: list[DecisionEntry], cast: Cast
) -> None:
    whole = in_order(cast)
    assert len(whole) == CALLS
    with inside(cast.bob):
        found = DecisionRecord.objects.visible_to(cast.bob)
        for at in range(0, CALLS, 7):
            place = whole[at].position
            if down:
                parts, wanted = slices(cast.bob, before=place), whole[at + 1 :]
                read = first_of(found.order_by("-position"), parts, CALLS)
            else:
                parts, wanted = slices_upwards(cast.bob, after=place), whole[:at][::-1]
                read = first_of(found.order_by("position"), parts, CALLS)
            assert [one.position for one in read] == [one.position for one in wanted], SEED


@pytest.mark.parametrize("order", ["at", "-at"])
@pytest.mark.parametrize("filters", ["", "&outcome=deny", "&tool=write"])
def test_pages_over_rest_are_turned_to_the_end_and_back(
    order: str, filters: str, muddled: list[DecisionEntry], cast: Cast, api_key: Callable[..., str]
) -> None:
    client = Client(headers={"Authorization": f"Bearer {api_key(cast.alice, 'logs:read')}"})
    wanted = [one.public_id for one in in_order(cast) if _meant(one, filters)]
    pages = list(_pages(client, f"/api/v1/decisions/?limit=7&order={order}{filters}", "next"))
    read = [row["id"] for page in pages for row in page["results"]]
    assert read == (wanted if order == "-at" else wanted[::-1]), SEED
    back = list(_pages(client, pages[-1]["previous"], "previous")) if len(pages) > 1 else []
    again = [row["id"] for page in reversed(back) for row in page["results"]]
    assert again == read[: len(again)] and len(again) == len(read) - len(pages[-1]["results"]), SEED


def _meant(record: DecisionRecord, filters: str) -> bool:
    return {"": True, "&outcome=deny": record.outcome == "deny", "&tool=write": record.tool == "write"}[
        filters
    ]


def _pages(client: Client, url: str | None, way: str) -> Iterator[dict[str, Any]]:
    while url is not None:
        page = client.get(url).json()
        yield page
        url = page[way]


@pytest.mark.parametrize(
    "filters", [Filters(), Filters(outcome="allow"), Filters(tool="RIT"), Filters(words="e")]
)
@pytest.mark.parametrize("stretch", [1, 9, 1000])
def test_the_logs_own_pages_are_what_they_were_without_slices(
    stretch: int, filters: Filters, muddled: list[DecisionEntry], cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search, "STRETCH", stretch)
    monkeypatch.setattr(search, "RARE", 0)
    with inside(cast.bob):
        sliced = _turned(cast, filters)
        monkeypatch.setattr(days, "_FEW", 1000)  # every table at once
        assert sliced == _turned(cast, filters), SEED
    met = {pk for page, _, _ in sliced for pk in page}
    if filters == Filters():
        assert len(met) == CALLS


def _turned(cast: Cast, filters: Filters) -> list[tuple[list[UUID], int | None, datetime | None]]:
    pages, before = [], None
    while True:
        found = decisions(cast.bob, filters, before=before, limit=4)
        pages.append(([row.record.id for row in found.rows], found.older, found.reached))
        before = found.older
        if before is None:
            return pages


def test_a_page_of_the_newest_opens_one_table(muddled: list[DecisionEntry], cast: Cast) -> None:
    with inside(cast.bob), CaptureQueriesContext(connection) as asked:
        part = next(slices(cast.bob))
        list(DecisionRecord.objects.visible_to(cast.bob).filter(part).order_by("-position")[:1])
    with inside(cast.bob), connection.cursor() as cursor:
        cursor.execute("EXPLAIN " + asked.captured_queries[-1]["sql"])
        plan = "\n".join(line for (line,) in cursor.fetchall())
    # That of the record that came last, and what lay in between when others came late.
    opened = set(re.findall(r"audit_decisions_\w+? ", plan))
    assert 1 <= len(opened) < 5, plan


def test_where_the_live_tail_begins_is_the_last_arrival_or_end(acme: Acme, cast: Cast) -> None:
    with inside(cast.bob):
        assert newest_position(cast.bob) == 0
    first, second = called(acme), called(acme)
    store(first, second)
    store(ended(first))
    with inside(cast.bob):
        row = DecisionRecord.objects.get(pk=first.id)
        assert row.completed_position is not None
        assert newest_position(cast.bob) == row.completed_position > row.position


def test_only_days_that_nothing_lies_in_are_forgotten(acme: Acme, cast: Cast) -> None:
    old = NOW - timedelta(days=300)
    store(called(acme, id=id_of(old)), called(acme))
    with as_worker():
        retention.forget_days(NOW)
        assert LogDay.objects.count() == 2
        DecisionRecord.objects.filter(pk__lt=id_of(old + timedelta(days=1))).delete()
        retention.forget_days(NOW)
        assert LogDay.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_looking_for_days_to_forget_reads_no_log_and_holds_up_no_gateway(acme: Acme) -> None:
    store(called(acme, id=id_of(NOW - timedelta(days=300))), called(acme))
    with as_worker(), another_session() as storing, transaction.atomic(), connection.cursor() as cursor:
        storing.execute("SELECT pg_advisory_xact_lock(%s, 0)", [COMMIT_ORDER])
        cursor.execute("SET LOCAL lock_timeout = '5s'")
        with CaptureQueriesContext(connection) as asked:
            retention.forget_days(NOW)
        (query,) = [each["sql"] for each in asked if "audit_logday" in each["sql"]]
        cursor.execute(f"EXPLAIN {query}")
        plan = "\n".join(line for (line,) in cursor.fetchall())
    assert "SubPlan" in plan and "Join" not in plan, plan


def test_nobody_reads_anothers_days_and_no_page_writes_them(acme: Acme, cast: Cast) -> None:
    store(called(acme))
    with inside(cast.mallory):
        assert not LogDay.objects.exists() and list(slices(cast.mallory)) == []
    with pytest.raises(ProgrammingError, match="permission denied"), inside(cast.bob):
        LogDay.objects.filter(organization_id=cast.bob.organization_id).update(last=0)


def test_a_record_that_is_sealed_anew_changes_no_day(acme: Acme, cast: Cast) -> None:
    store(called(acme))
    with inside(cast.bob):
        assert DecisionRecord.objects.visible_to(cast.bob).update(sealed_arguments="again") == 1
    with as_owner():
        assert LogDay.objects.count() == 1
