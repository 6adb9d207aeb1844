"""Each record exactly once, whatever a gateway sends twice, late or wrong."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import uuid4

import msgspec
import pytest
from django.db import OperationalError, ProgrammingError, transaction
from django.test import Client
from psycopg.errors import LockNotAvailable

from accounts.tenancy import organization_context
from audit import counts
from audit.days import newest_position
from audit.ingest import ingest
from audit.models import DecisionRecord, LoggedName, ToolCount, UseCount
from audit.search import MOST_COMPARED
from common.tokens import WORKER, new_token
from gateway_config.services import enroll_worker
from gateway_config.wire.messages import BatchAnswer, Record, RecordBatch
from policies.models import Grant
from tests.audit.records import called, called_as, denied, ended, in_worker, umbra
from tests.cast import Acme, Cast, inside
from tests.roles import another_session, as_worker


def store(*records: Record, worker: str = "gw-1") -> int:
    with as_worker():
        return ingest(worker, records)


def stored(acme: Acme) -> list[DecisionRecord]:
    with organization_context(acme.server.organization_id):
        return list(DecisionRecord.objects.order_by("position"))


def test_a_record_is_stored_as_it_was_sent(acme: Acme) -> None:
    policy = str(uuid4())
    entry = denied(acme, retry_after_seconds=12, limit=30, remaining_micros=2_500_000, policy=policy)
    assert store(entry) == entry.sequence
    (row,) = stored(acme)
    assert (str(row.id), row.tool, row.outcome, row.code, row.retry_after_seconds) == (
        entry.id,
        "delete_user",
        "deny",
        "denied",
        12,
    )
    assert (row.limit, row.remaining) == (30, 2.5)
    assert row.argument_names == ["user_name"] and str(row.policy_revision_id) == entry.policy
    assert int(row.at.timestamp() * 1000) == entry.at_ms


def test_what_is_sent_twice_is_stored_once(acme: Acme) -> None:
    first, second = called(acme), called(acme)
    store(first, second)
    assert store(first, second, ended(first)) > second.sequence
    assert store(called_as(first, id=str(uuid4()))) == first.sequence, "the sequence names the record"
    rows = stored(acme)
    assert [str(row.id) for row in rows] == [first.id, second.id]
    assert rows[0].total_us == 212_000


def test_two_workers_count_for_themselves(acme: Acme) -> None:
    entry = called(acme)
    store(entry, worker="gw-1")
    store(called_as(entry, id=str(uuid4())), worker="gw-2")
    assert len(stored(acme)) == 2


def test_an_end_that_comes_with_its_call_is_stored_with_it(acme: Acme) -> None:
    entry = called(acme)
    store(entry, ended(entry, upstream_status=503, upstream_code="upstream_unreachable"))
    (row,) = stored(acme)
    assert (row.upstream_status, row.upstream_code, row.completed_position) == (
        503,
        "upstream_unreachable",
        None,
    )


def test_an_end_that_comes_later_is_news_of_its_own(acme: Acme, cast: Cast) -> None:
    entry = called(acme)
    store(entry)
    store(ended(entry))
    store(ended(entry, total_us=1))
    (row,) = stored(acme)
    assert row.total_us == 212_000 and row.completed_position is not None
    assert row.completed_position > row.position
    with inside(cast.bob):
        assert newest_position(cast.bob) == row.completed_position


def test_nobody_ends_a_call_of_another_worker_or_organization(acme: Acme, cast: Cast) -> None:
    entry = called(acme)
    store(entry)
    store(ended(entry), worker="gw-2")
    store(ended(entry, organization=str(cast.mallory.organization_id)))
    assert stored(acme)[0].total_us is None


def test_records_of_an_organization_that_is_gone_are_passed_over(acme: Acme) -> None:
    gone, here = umbra(called(acme), uuid4()), called(acme)
    assert store(gone, here) == here.sequence
    assert [str(row.id) for row in stored(acme)] == [here.id]


@pytest.mark.parametrize(
    "wrong",
    [
        {"id": "junk"},
        {"server": ""},
        {"outcome": "maybe"},
        {"at_ms": 10**18},
        {"at_ms": -(10**18)},
        {"added_us": -1},
        {"sequence": -1},
        {"revision": 2**63},
        {"retry_after_seconds": 2**40},
        {"remaining_micros": -1},
        {"policy": "junk"},
    ],
)
def test_a_record_that_cannot_be_stored_holds_up_nothing(
    acme: Acme, wrong: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    good = called(acme)
    store(called(acme, **wrong), good)
    assert [str(row.id) for row in stored(acme)] == [good.id]
    assert "cannot be stored" in caplog.text


def test_text_from_agents_is_made_fit_and_never_too_long(acme: Acme) -> None:
    hostile = "\x00\ud800<script>\u202e" + "x" * 9_000
    store(
        called(
            acme, tool=hostile, rule=hostile, reason=hostile, argument_names=(hostile,) * 500, method=hostile
        )
    )
    (row,) = stored(acme)
    assert "\x00" not in row.tool and len(row.tool) == 2048 and len(row.argument_names) == 64


def test_a_grant_knows_when_it_was_last_used(acme: Acme) -> None:
    early, late = called(acme, at_ms=1_700_000_000_000), called(acme, at_ms=1_700_000_009_000)
    store(late)
    store(early)
    with organization_context(acme.server.organization_id):
        used = Grant.objects.get(pk=acme.grant.pk).last_used_at
    assert used is not None and used.timestamp() == 1_700_000_009


def test_people_may_read_the_records_and_nothing_else(acme: Acme, cast: Cast) -> None:
    store(called(acme))
    with inside(cast.alice):
        assert DecisionRecord.objects.count() == 1
        for forbidden in (
            lambda: DecisionRecord.objects.update(outcome="allow"),
            lambda: DecisionRecord.objects.all().delete(),
        ):
            with pytest.raises(ProgrammingError), transaction.atomic():
                forbidden()
    with inside(cast.mallory):
        assert DecisionRecord.objects.count() == 0


@pytest.mark.urls("config.internal_urls")
def test_a_record_of_a_newer_gateway_waits_in_its_spool_and_holds_back_none_that_comes_with_it(
    acme: Acme,
) -> None:
    token = new_token(WORKER)
    with as_worker():
        enroll_worker("gw-1", token)
    first, newer, last = called(acme), called(acme), called(acme)

    def hand_in(*records: Any) -> Any:
        with as_worker():
            return Client(headers={"authorization": f"Bearer {token}"}).post(
                "/internal/v1/decisions/",
                msgspec.json.encode({"worker": "gw-1", "records": records}),
                content_type="application/json",
            )

    of_tomorrow = {**msgspec.to_builtins(newer), "kind": "decision-2"}
    answered = hand_in(first, of_tomorrow, last)
    assert (answered.status_code, answered.json()) == (200, {"through": first.sequence})
    assert [str(row.id) for row in stored(acme)] == [first.id, last.id]
    waits = hand_in(of_tomorrow, last)
    assert waits.status_code == 400 and "waits for a newer" in waits.json()["error"]
    # The control plane is brought up to date.
    assert hand_in(newer, last).json() == {"through": last.sequence}
    assert [str(row.id) for row in stored(acme)] == [first.id, last.id, newer.id]


@pytest.mark.urls("config.internal_urls")
def test_a_gateway_hands_in_its_spool(acme: Acme) -> None:
    token = new_token(WORKER)
    with as_worker():
        enroll_worker("gw-1", token)
    first, second = called(acme), called(acme)

    def hand_in(worker: str, *records: Record) -> int:
        with as_worker():
            answer = Client(headers={"authorization": f"Bearer {token}"}).post(
                "/internal/v1/decisions/",
                msgspec.json.encode(RecordBatch(worker, records)),
                content_type="application/json",
            )
        assert answer.status_code == 200
        return msgspec.json.decode(answer.content, type=BatchAnswer).through

    assert hand_in("gw-1", first, second, ended(first)) > second.sequence
    assert hand_in("gw-1") == 0
    # A worker that says it is another still writes under its own name.
    hand_in("gw-2", called_as(first, id=str(uuid4())))
    hand_in("gw-1.bc3c86ab", called_as(first, id=str(uuid4())))
    rows = stored(acme)
    assert {row.spool for row in rows} == {"gw-1", "gw-1/gw-2", "gw-1/bc3c86ab"}
    assert {row.worker for row in rows} == {"gw-1"}


@pytest.mark.django_db(transaction=True)
def test_who_got_the_later_position_is_never_seen_earlier(acme: Acme) -> None:
    stored_, go_on = threading.Event(), threading.Event()

    def store_slowly() -> None:
        with transaction.atomic():
            ingest("gw-1", [called(acme)])
            stored_.set()
            go_on.wait(60)

    with ThreadPoolExecutor(2) as two:
        slow = two.submit(in_worker, store_slowly)
        stored_.wait(60)
        quick = two.submit(in_worker, ingest, "gw-2", [called(acme)])
        time.sleep(0.3)
        before = in_worker(DecisionRecord.objects.count)
        go_on.set()
        slow.result()
        quick.result()
    assert before == 0, "a reader that had seen the second would have passed the first"
    assert [row.worker for row in stored(acme)] == ["gw-1", "gw-2"]


@pytest.mark.django_db(transaction=True)
def test_an_organization_that_takes_long_to_delete_holds_up_no_others_records(acme: Acme, cast: Cast) -> None:
    theirs, others = called(acme), umbra(called(acme), cast.mallory.organization_id)
    with ThreadPoolExecutor(2) as two, another_session() as deleting:
        deleting.execute(
            "SELECT 1 FROM accounts_organization WHERE id = %s FOR UPDATE", [acme.server.organization_id]
        )
        waiting = two.submit(in_worker, ingest, "gw-1", [theirs])
        time.sleep(0.3)
        two.submit(in_worker, ingest, "gw-2", [others]).result(30)
        with pytest.raises(OperationalError) as late:
            waiting.result(30)
        assert isinstance(late.value.__cause__, LockNotAvailable)
    assert in_worker(ingest, "gw-1", [theirs]) == theirs.sequence
    assert in_worker(DecisionRecord.objects.count) == 2


def test_names_without_end_are_told_apart_up_to_a_number_a_day_and_then_counted_together(
    acme: Acme, cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(counts, "NAMES_A_DAY", 20)
    store(*[denied(acme, f"invented {number}", "not_listed") for number in range(15)])
    store(*[denied(acme, f"invented {number}", "not_listed") for number in range(50)])
    store(denied(acme, "invented 3", "not_listed"))
    with inside(cast.alice):
        names = dict(ToolCount.objects.filter(unit="d").values_list("tool", "calls"))
        assert len(names) == 21 and names[counts.OTHERS] == 30 and sum(names.values()) == 66
        assert names["invented 3"] == 3
        assert set(UseCount.objects.values_list("tool", flat=True)) == set(names)
        assert LoggedName.objects.filter(kind="t").count() == 20


def test_where_names_are_left_out_a_search_looks_at_the_records() -> None:
    assert counts.NAMES_A_DAY > MOST_COMPARED
