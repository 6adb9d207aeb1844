"""What screens and the API read of the decision log."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from django.utils import timezone

from audit.days import newest_position
from audit.ingest import ingest
from audit.queries import (
    decision,
    decisions,
    first_call,
    news_after,
)
from audit.search import Filters
from gateway_config.wire.messages import Record
from policies.services import publish_policy
from tests.audit.records import called, denied, ended
from tests.cast import Acme, Cast, inside
from tests.roles import as_worker


def store(*records: Record) -> None:
    with as_worker():
        ingest("gw-1", records)


def test_rows_carry_the_names_people_know(acme: Acme, cast: Cast) -> None:
    with inside(cast.alice):
        revision = publish_policy(cast.alice, acme.policy)
    store(denied(acme, policy=str(revision.pk)))
    with inside(cast.bob):
        (row,) = decisions(cast.bob).rows
    assert (row.server_name, row.grant_label, row.policy_name, row.policy_revision_number) == (
        "AWS IAM",
        "laptop",
        "agents",
        1,
    )
    assert row.id.startswith("dec_") and row.took_ms == row.added_ms == 0.31


def test_a_page_costs_five_queries_however_long(
    acme: Acme, cast: Cast, django_assert_max_num_queries: Callable[[int], object]
) -> None:
    store(*(called(acme, policy=str(uuid4())) for _ in range(60)))
    with inside(cast.bob), django_assert_max_num_queries(5):  # type: ignore[attr-defined]
        assert len(decisions(cast.bob, limit=60).rows) == 60


def test_what_a_record_names_may_be_gone(acme: Acme, cast: Cast) -> None:
    store(called(acme, server=str(uuid4()), grant=str(uuid4()), policy=str(uuid4())))
    with inside(cast.bob):
        (row,) = decisions(cast.bob).rows
    assert (row.server_name, row.grant_label, row.policy_revision_number) == ("", "", None)


def test_pages_lead_to_the_end_newest_first(acme: Acme, cast: Cast) -> None:
    entries = [called(acme) for _ in range(6)]
    store(*entries)
    seen: list[UUID] = []
    with inside(cast.bob):
        before: int | None = None
        for _ in range(3):
            shown = decisions(cast.bob, before=before, limit=2)
            seen += [row.record.id for row in shown.rows]
            before = shown.older
    assert seen == [UUID(entry.id) for entry in reversed(entries)]
    assert before is None, "the last full page has none after it"


@pytest.mark.parametrize(
    ("filters", "found"),
    [
        (Filters(), 5),
        (Filters(outcome="allow"), 1),
        (Filters(outcome="deny"), 1),
        (Filters(outcome="limit"), 1),
        (Filters(outcome="hidden"), 1),
        (Filters(outcome="approval"), 1),
        (Filters(outcome="unknown"), 0),
        (Filters(tool="DELETE"), 1),
        (Filters(tool="100%_"), 0),
        (Filters(code="limit_exceeded"), 1),
        (Filters(rule="/tools/list_users"), 1),
        (Filters(server=uuid4()), 0),
        (Filters(grant=uuid4()), 0),
        (Filters(tool="\x00delete\x00"), 1),
    ],
)
def test_filters(acme: Acme, cast: Cast, filters: Filters, found: int) -> None:
    store(
        called(acme),
        denied(acme),
        denied(acme, "list_users", "limit_exceeded"),
        denied(acme, "get_user", "hidden"),
        called(acme, "put_user", outcome="approval", code="approval_required"),
    )
    with inside(cast.bob):
        assert len(decisions(cast.bob, filters).rows) == found


def test_times_filter_too(acme: Acme, cast: Cast) -> None:
    now = timezone.now()
    store(called(acme, at_ms=int((now - timedelta(hours=2)).timestamp() * 1000)), called(acme))
    with inside(cast.bob):
        assert len(decisions(cast.bob, Filters(since=now - timedelta(hours=1))).rows) == 1
        assert len(decisions(cast.bob, Filters(until=now - timedelta(hours=1))).rows) == 1


def test_the_first_call_is_known_at_once(acme: Acme, cast: Cast) -> None:
    with inside(cast.bob):
        assert first_call(cast.bob) is None
    entry = called(acme)
    store(entry, called(acme))
    with inside(cast.bob):
        found = first_call(cast.bob)
    assert found is not None and str(found.id) == entry.id


def test_news_are_what_arrived_and_what_ended(acme: Acme, cast: Cast) -> None:
    first, second = called(acme), called(acme)
    store(first)
    with inside(cast.bob):
        position = newest_position(cast.bob)
    store(second)
    store(ended(first))
    with inside(cast.bob):
        news = news_after(cast.bob, Filters(), position)
    assert [str(row.record.id) for row in news] == [second.id, first.id]
    assert [row.position > position for row in news] == [True, False]


def test_nobody_reads_anothers_log(acme: Acme, cast: Cast) -> None:
    entry = called(acme)
    store(entry)
    with inside(cast.mallory):
        assert decisions(cast.mallory).rows == []
        assert decision(cast.mallory, UUID(entry.id)) is None
        assert first_call(cast.mallory) is None
        assert newest_position(cast.mallory) == 0
