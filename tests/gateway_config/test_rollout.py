"""Who runs what, told by the workers' own answers."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.utils import timezone

from gateway_config.models import ConfigRevision, PublishRequest, Worker
from gateway_config.rollout import Rollout, rollout_of, rollout_of_organization, worker_rows
from policies.models import PolicyRevision
from policies.services import publish_policy
from servers.services import change_server
from tests.cast import Acme, Cast, inside
from tests.roles import as_owner, as_worker

Enrolled = Callable[[str], tuple[Worker, str]]
Publish = Callable[[], ConfigRevision | None]


def rollout(cast: Cast, acme: Acme) -> Rollout:
    with inside(cast.bob):
        revision = PolicyRevision.objects.filter(policy=acme.policy).order_by("-number").first()
        assert revision is not None
        return rollout_of(revision)


def long_ago(cast: Cast) -> None:
    with as_owner():
        PolicyRevision.objects.update(published_at=timezone.now() - timedelta(seconds=10))


@pytest.fixture
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """For workers that are as slow as the machine."""
    monkeypatch.setattr("gateway_config.rollout.BEHIND_AFTER", timedelta(minutes=10))


def test_before_anything_is_published_it_is_shown_who_is_connected(cast: Cast, enrolled: Enrolled) -> None:
    with inside(cast.mallory):
        assert rollout_of_organization(cast.mallory).words == ""
    enrolled("gw-1")
    with inside(cast.mallory):
        shown = rollout_of_organization(cast.mallory)
    assert (shown.words, shown.total, shown.in_step, shown.behind) == ("1 connected", 1, 1, ())


@pytest.mark.usefixtures("patience")
def test_a_policy_just_published_is_pending(cast: Cast, acme: Acme, enrolled: Enrolled) -> None:
    enrolled("gw-1")
    with inside(cast.alice):
        publish_policy(cast.alice, acme.policy)
    assert rollout(cast, acme).state == "pending"


@pytest.mark.usefixtures("patience")
def test_acks_bring_it_into_force(
    cast: Cast, acme: Acme, enrolled: Enrolled, published: ConfigRevision, acknowledge: Callable[..., None]
) -> None:
    first, second = enrolled("gw-1")[0], enrolled("gw-2")[0]
    acknowledge(first, published)
    half = rollout(cast, acme)
    acknowledge(second, published)
    whole = rollout(cast, acme)
    assert (half.state, half.workers_applied, half.workers_total) == ("pending", 1, 2)
    assert (whole.state, whole.workers_applied, whole.workers_total, whole.behind) == ("in_force", 2, 2, ())
    assert whole.seconds is not None
    assert [(row.name, row.applied, after is not None) for row, after in half.by_worker] == [
        ("gw-1", True, True),
        ("gw-2", False, False),
    ]


def test_how_long_it_took_does_not_grow_with_later_revisions(
    cast: Cast,
    acme: Acme,
    enrolled: Enrolled,
    published: ConfigRevision,
    publish: Publish,
    acknowledge: Callable[..., None],
) -> None:
    worker, _ = enrolled("gw-1")
    acknowledge(worker, published)
    with as_owner():
        ConfigRevision.objects.update(in_force_at=timezone.now() - timedelta(hours=1))
        PolicyRevision.objects.update(published_at=timezone.now() - timedelta(hours=1, seconds=2))
    with inside(cast.alice):
        change_server(cast.alice, acme.server, name="Renamed")
    later = publish()
    assert later is not None
    acknowledge(worker, later)
    assert rollout(cast, acme).seconds == 2.0


def test_who_is_late_is_named(
    cast: Cast, acme: Acme, enrolled: Enrolled, published: ConfigRevision, acknowledge: Callable[..., None]
) -> None:
    first = enrolled("gw-1")[0]
    enrolled("gw-2")
    acknowledge(first, published)
    long_ago(cast)
    late = rollout(cast, acme)
    assert late.state == "behind"
    assert [worker.name for worker in late.behind] == ["gw-2"]


def test_a_refusal_is_shown_with_its_reason(
    cast: Cast, acme: Acme, enrolled: Enrolled, published: ConfigRevision, acknowledge: Callable[..., None]
) -> None:
    worker, _ = enrolled("gw-1")
    acknowledge(worker, published, "rejected", "the bundle has format 2\x00")
    refused = rollout(cast, acme)
    assert refused.state == "rejected" and refused.refused == 1
    assert refused.behind[0].reason.startswith("the bundle has format 2")


def test_a_worker_that_refused_still_runs_what_it_ran(
    cast: Cast,
    acme: Acme,
    enrolled: Enrolled,
    published: ConfigRevision,
    publish: Publish,
    acknowledge: Callable[..., None],
) -> None:
    worker, _ = enrolled("gw-1")
    acknowledge(worker, published)
    with inside(cast.alice):
        change_server(cast.alice, acme.server, name="Renamed")
    later = publish()
    assert later is not None
    acknowledge(worker, later, "rejected", "too large")
    with inside(cast.bob):
        (row,) = worker_rows(cast.bob)
        assert (row.revision, row.rejected_revision, row.lag) == (published.number, later.number, 1)
    assert rollout(cast, acme).state == "in_force", "the policy itself was in the bundle before"


def test_a_worker_not_seen_for_fifteen_seconds_is_gone_and_not_waited_for(
    cast: Cast, acme: Acme, enrolled: Enrolled, published: ConfigRevision, acknowledge: Callable[..., None]
) -> None:
    here, _ = enrolled("gw-1")
    away, _ = enrolled("gw-2")
    with as_worker():
        Worker.objects.filter(pk=away.pk).update(last_seen_at=timezone.now() - timedelta(seconds=16))
    acknowledge(here, published)
    assert rollout(cast, acme).state == "in_force"
    with inside(cast.bob):
        assert [(row.name, row.gone) for row in worker_rows(cast.bob)] == [("gw-1", False), ("gw-2", True)]


def test_without_a_living_worker_nothing_is_in_force(
    cast: Cast, acme: Acme, published: ConfigRevision
) -> None:
    long_ago(cast)
    assert rollout(cast, acme).state == "behind"


def test_a_revision_overtaken_before_it_was_sent_arrives_with_its_successor(
    cast: Cast, acme: Acme, enrolled: Enrolled, publish: Publish, acknowledge: Callable[..., None]
) -> None:
    worker, _ = enrolled("gw-1")
    with inside(cast.alice):
        overtaken = publish_policy(cast.alice, acme.policy)
        publish_policy(cast.alice, acme.policy)
    revision = publish()
    assert revision is not None
    acknowledge(worker, revision)
    with inside(cast.bob):
        assert rollout_of(overtaken).state == "in_force"


def test_the_foot_of_every_page_counts_who_runs_the_newest(
    cast: Cast,
    acme: Acme,
    enrolled: Enrolled,
    published: ConfigRevision,
    acknowledge: Callable[..., None],
    django_assert_max_num_queries: Callable[[int], object],
) -> None:
    acknowledge(enrolled("gw-1")[0], published)
    enrolled("gw-2")
    with inside(cast.bob), django_assert_max_num_queries(4):  # type: ignore[attr-defined]
        shown = rollout_of_organization(cast.bob)
    assert (shown.total, shown.in_step, shown.refused) == (2, 1, 0)


@pytest.mark.usefixtures("patience")
def test_a_change_that_waits_is_not_called_in_step(
    cast: Cast, acme: Acme, enrolled: Enrolled, published: ConfigRevision, acknowledge: Callable[..., None]
) -> None:
    acknowledge(enrolled("gw-1")[0], published)
    with inside(cast.alice):
        PublishRequest.objects.create(organization_id=cast.alice.organization_id)
        shown = rollout_of_organization(cast.alice)
    assert shown.state == "pending" and shown.in_step == 0


def test_one_organization_never_sees_what_the_workers_run_of_another(
    cast: Cast, acme: Acme, enrolled: Enrolled, published: ConfigRevision, acknowledge: Callable[..., None]
) -> None:
    acknowledge(enrolled("gw-1")[0], published, "rejected", "something of Acme")
    with inside(cast.mallory):
        (row,) = worker_rows(cast.mallory)
    assert (row.revision, row.rejected_revision, row.reason) == (None, None, "")
