"""What the control plane tells Prometheus: how much waits, since when, and which gateways are not in step."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.db.models import QuerySet
from django.test import Client
from django.utils import timezone

from approvals.models import Notice, Webhook
from gateway_config.models import ConfigRevision, PublishRequest, Worker, WorkerStatus
from gateway_config.services import deliver
from gateway_config.tasks import signing_key
from servers.models import ToolScan
from tests.cast import Acme
from tests.roles import as_owner, as_worker


def asked() -> tuple[str, dict[str, float]]:
    with as_worker():
        answer = Client().get("/metrics")
    assert (answer.status_code, answer["Content-Type"][:10]) == (200, "text/plain")
    text = answer.content.decode()
    return text, {
        name: float(value) for name, value in re.findall(r"^(policy\S+) (\S+)$", text, re.MULTILINE)
    }


@pytest.mark.urls("config.internal_urls")
def test_what_waits_is_counted_with_the_age_of_the_oldest_and_so_is_what_was_given_up(acme: Acme) -> None:
    organization, now = acme.server.organization_id, timezone.now()
    with as_owner():
        PublishRequest.objects.all().delete()
        ToolScan.objects.all().delete()
        for hours in (1, 2):
            PublishRequest.objects.create(
                organization_id=organization, created_at=now - timedelta(hours=hours)
            )
        PublishRequest.objects.create(organization_id=organization, dead_at=now)
        PublishRequest.objects.create(organization_id=organization, done_at=now)
        for state, ended in (("waiting", None), ("failed", now), ("failed", now - timedelta(hours=2))):
            ToolScan.objects.create(
                organization_id=organization,
                server=acme.server,
                state=state,
                started_at=now - timedelta(hours=3),
                finished_at=ended,
            )
        webhook = Webhook.objects.create(
            organization_id=organization, url="https://hooks.example.com/", sealed_secret="x"
        )
        Notice.objects.create(organization_id=organization, kind="webhook.test", webhook=webhook, due_at=now)
        Notice.objects.create(
            organization_id=organization,
            kind="webhook.test",
            webhook=webhook,
            due_at=now + timedelta(hours=1),
        )
        Notice.objects.create(
            organization_id=organization, kind="approval.requested", state="failed", ended_at=now
        )
    text, numbers = asked()
    assert {name: value for name, value in numbers.items() if "work_waiting" in name} == {
        'policylayer_work_waiting{work="publishing"}': 2,
        'policylayer_work_waiting{work="scans"}': 1,
        'policylayer_work_waiting{work="mails"}': 0,
        'policylayer_work_waiting{work="webhooks"}': 1,
    }
    assert 7200 <= numbers['policylayer_work_oldest_seconds{work="publishing"}'] < 7800
    assert numbers['policylayer_work_oldest_seconds{work="mails"}'] == 0
    failed = [numbers[f'policylayer_work_failed{{work="{work}"}}'] for work in ("publishing", "scans")]
    assert failed == [1, 1] and numbers['policylayer_work_failed{work="mails"}'] == 1
    assert not any(name in text for name in (str(organization), acme.server.name, "example"))


@pytest.mark.urls("config.internal_urls")
def test_gateways_that_are_gone_behind_or_deny_calls_are_counted(acme: Acme) -> None:
    organization = acme.server.organization_id
    now = timezone.now() + timedelta(minutes=2)  # however long the test takes, they are living
    seen = {
        "in-step": now,
        "behind": now,
        "denying": now,
        "gone": timezone.now() - timedelta(minutes=1),
        "never": None,
    }
    with as_owner():
        for name, at in seen.items():
            Worker.objects.create(name=name, token_hash=name.ljust(64, "0"), last_seen_at=at)
        Worker.objects.filter(name="denying").update(trouble="disk")
    with as_worker():
        deliver(organization, signing_key())
        for worker in Worker.objects.filter(name__in=("in-step", "denying")):
            WorkerStatus.objects.create(
                organization_id=organization, worker=worker, revision=1, state="applied"
            )
    states = {"living": 3, "gone": 1, "behind": 0, "denying": 1}
    assert {state: asked()[1][f'policylayer_gateways{{state="{state}"}}'] for state in states} == states
    with as_owner():
        ConfigRevision.objects.update(created_at=timezone.now() - timedelta(minutes=1))
    assert asked()[1]['policylayer_gateways{state="behind"}'] == 1


@pytest.mark.django_db
def test_what_was_given_up_is_counted_from_an_index_of_it_alone() -> None:
    hour = timezone.now() - timedelta(hours=1)
    counted: dict[str, QuerySet[Any]] = {
        "publish_requests_given_up": PublishRequest.objects.filter(done_at=None, dead_at__isnull=False),
        "scans_that_failed": ToolScan.objects.filter(state="failed", finished_at__gte=hour),
        "notices_that_failed": Notice.objects.filter(webhook=None, state="failed", ended_at__gte=hour),
    }
    with as_owner(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute("SET LOCAL enable_bitmapscan = off")
        for index, rows in counted.items():
            assert index in rows.explain()


@pytest.mark.django_db
def test_the_site_has_no_metrics() -> None:
    assert Client().get("/metrics").status_code == 404
