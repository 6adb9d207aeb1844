"""Webhooks are told of publications, refusals of workers and drift, by those to whom it happens."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from approvals.models import Notice, Webhook
from approvals.tasks import send_notice
from approvals.webhooks import add_webhook, body_of
from common.tokens import WORKER, new_token
from gateway_config.models import Worker
from gateway_config.services import enroll_worker
from gateway_config.wire.messages import Ack
from gateway_config.workers import note_acks
from policies.services import publish_policy
from servers.drift import Change, Drift
from servers.models import Server, Tool, ToolScan
from servers.probe import ScanResult, ServerInfo
from servers.scanning import MOST_TOLD, _keep, _tell
from tests.cast import Acme, Cast, inside
from tests.roles import as_worker


@pytest.fixture
def webhook(cast: Cast, acme: Acme) -> Webhook:
    with inside(cast.mallory):
        add_webhook(cast.mallory, "https://theirs.example/hook", verified=True)
    with inside(cast.alice):
        made, _ = add_webhook(cast.alice, "https://hooks.example/acme", verified=True)
    return made


def told() -> list[tuple[str, str, Any]]:
    """(kind, address, data) of every notice."""
    with as_worker():
        rows = list(Notice.objects.select_related("webhook").order_by("created_at"))
        return [
            (row.kind, row.webhook.url, json.loads(body_of(row))["data"])
            for row in rows
            if row.webhook is not None
        ]


def test_a_publication_is_told_with_what_and_by_whom(cast: Cast, acme: Acme, webhook: Webhook) -> None:
    with inside(cast.carol):
        revision = publish_policy(cast.carol, acme.policy, note="Fewer keys")
    ((kind, url, data),) = told()
    assert (kind, url) == ("policy.published", webhook.url)
    assert data == {
        "policy": {"id": acme.policy.public_id, "name": "agents"},
        "server": {"id": acme.server.public_id, "name": "AWS IAM"},
        "revision": {"id": revision.public_id, "number": 1},
        "published_by": "carol@example.com",
        "note": "Fewer keys",
    }


def test_a_refusal_of_a_worker_is_told_once_for_each_revision(
    cast: Cast, acme: Acme, webhook: Webhook
) -> None:
    with as_worker():
        worker: Worker = enroll_worker("gw-1", new_token(WORKER))
        for revision in (4, 4, 5):
            note_acks(worker, [Ack(str(cast.alice.organization_id), revision, "rejected", "too large")])
    assert [(kind, url, data["revision"]) for kind, url, data in told()] == [
        ("worker.rejected", webhook.url, 4),
        ("worker.rejected", webhook.url, 5),
    ]
    assert told()[0][2] == {"worker": "gw-1", "revision": 4, "reason": "too large"}


def test_a_server_whose_tools_changed_is_told_and_a_first_look_is_not(
    cast: Cast, acme: Acme, webhook: Webhook
) -> None:
    found = ScanResult(
        "2025-11-25", ServerInfo("Toy", "1", ""), tools=(), problems=(), dropped=0, duplicates=(), steps=()
    )
    with as_worker():
        for _ in range(3):
            _keep(
                ToolScan.objects.create(
                    organization_id=cast.alice.organization_id, server=acme.server, state="running"
                ),
                found,
            )
            Tool.objects.filter(server=acme.server, name="list_users").update(removed_at=None)
    kinds = [(kind, data["removed"]) for kind, _, data in told()]
    assert kinds == [("server.drifted", ["list_users"])] * 2


def test_what_is_told_of_drift_has_an_end(cast: Cast, acme: Acme, webhook: Webhook) -> None:
    drift = Drift(
        added=tuple(f"tool_{number}" for number in range(5_000)),
        removed=(),
        changed=(Change("list_users", ("Its description changed.",)),),
    )
    with as_worker():
        _tell(Server.objects.get(pk=acme.server.pk), drift)
    ((_, _, data),) = told()
    assert len(data["added"]) == MOST_TOLD and data["counts"] == {"added": 5_000, "removed": 0, "changed": 1}
    assert data["changed"] == ["list_users"]


def test_what_happened_is_sent_though_nothing_waits(
    cast: Cast, acme: Acme, webhook: Webhook, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[str] = []

    def deliver(notice: Notice, to: Webhook) -> Any:
        from approvals.webhooks import Result

        sent.append(f"{notice.kind} {to.url}")
        return Result(204)

    monkeypatch.setattr("approvals.sending.deliver", deliver)
    with inside(cast.alice):
        publish_policy(cast.alice, acme.policy)
    with as_worker():
        (notice,) = Notice.objects.all()
        send_notice(str(notice.pk))
        notice.refresh_from_db()
    assert (notice.state, sent) == ("sent", ["policy.published https://hooks.example/acme"])


def test_the_page_on_webhooks_names_every_kind() -> None:
    page = (Path(__file__).parents[2] / "docs" / "user" / "webhooks.md").read_text()
    told_to_people = {Notice.Kind.REMINDER}
    assert [kind for kind in Notice.Kind.values if f"| `{kind}` |" not in page] == list(told_to_people)
