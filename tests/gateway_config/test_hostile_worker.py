"""A worker whose token is good and whose messages are not: the listener answers, and nobody else is hurt."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.test import Client

from audit.models import DecisionRecord
from common.internal_api import LARGEST_BODY
from gateway_config.models import ConfigRevision, Worker, WorkerStatus
from tests.cast import Acme, Cast, inside
from tests.roles import as_worker

pytestmark = pytest.mark.urls("config.internal_urls")

SECONDS = 8.0
PATHS = ("acks", "hello", "decisions", "approvals", "approvals/claim", "approvals/unused")
NUMBERS = (0, -1, 1, 2**31, 2**63 - 1, 2**63, 2**64, 10**30, 1.5, -(10**30), True)
TEXTS = (
    "",
    "\x00",
    "💥",
    "x" * 5_000,
    "applied",
    "rejected",
    "allow",
    "deny",
    "decision",
    "completion",
    "\u202e",
)

Enrolled = Callable[[str], tuple[Worker, str]]


@pytest.fixture
def tell(enrolled: Enrolled) -> Callable[[str, bytes], Any]:
    _, token = enrolled("gw-evil")
    client = Client(headers={"Authorization": f"Bearer {token}"}, raise_request_exception=False)

    def post(what: str, body: bytes) -> Any:
        with as_worker():
            return client.post(f"/internal/v1/{what}/", body, content_type="application/json")

    return post


def test_no_message_of_a_worker_is_answered_500(
    tell: Callable[[str, bytes], Any], acme: Acme, cast: Cast
) -> None:
    seed = random.SystemRandom().randrange(2**32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    ids = (str(cast.alice.organization_id), str(acme.grant.pk), str(uuid4()), "junk", "")

    def value(name: str) -> Any:
        if chance.random() < 0.1:
            return chance.choice((None, [], {}, [[1]], "x"))
        if name in {"organization", "server", "grant", "id", "policy"}:
            return chance.choice(ids)
        if name in {"kind", "state", "outcome", "tool", "rule", "reason", "method", "code", "version"}:
            return chance.choice(TEXTS)
        if name == "argument_names":
            return [chance.choice(TEXTS) for _ in range(chance.randrange(100))]
        return chance.choice(NUMBERS)

    def record() -> dict[str, Any]:
        kind = chance.choice(("decision", "completion"))
        names = (
            *(
                "sequence",
                "id",
                "at_ms",
                "organization",
                "server",
                "grant",
                "method",
                "tool",
                "outcome",
                "code",
            ),
            *("rule", "reason", "policy", "revision", "argument_names", "added_us", "retry_after_seconds"),
            *("upstream_status", "upstream_code", "total_us"),
        )
        return {"kind": kind, **{name: value(name) for name in names if chance.random() < 0.97}}

    def approval() -> dict[str, Any]:
        real = {"organization": cast.alice.organization_id, "grant": acme.grant.pk, "server": acme.server.pk}
        said: dict[str, Any] = {name: str(pk) for name, pk in real.items()}
        for name in ("call_digest", "rules_digest", "tool_digest"):
            said[name] = chance.choice(("a", "b")) * 64
        said |= {name: chance.choice(ids) for name in ("id", "decision_id", "reserved_by", "policy")}
        said |= {name: chance.choice(TEXTS) for name in ("tool", "rule", "reason", "arguments_json")}
        said["at_ms"] = chance.choice((1, 253_402_300_799_999, *NUMBERS))
        for name in chance.sample(sorted(said), chance.randrange(3)):
            said[name] = value(name)
        return said

    def message(what: str) -> Any:
        if what == "acks":
            return [{name: value(name) for name in ("organization", "revision", "state", "reason")}]
        if what == "hello":
            marks = {chance.choice(ids): chance.choice(NUMBERS) for _ in range(3)}
            return {"version": value("version"), "high_water": marks}
        if what.startswith("approvals"):
            return approval()
        return {"worker": chance.choice(TEXTS), "records": [record() for _ in range(chance.randrange(6))]}

    seen: dict[int, int] = {}
    until = time.monotonic() + SECONDS
    while time.monotonic() < until:
        what = chance.choice(PATHS)
        body = json.dumps(message(what)).encode()
        answer = tell(what, body)
        assert answer.status_code in {200, 204, 400, 404, 429}, (what, body[:3_000], answer.content)
        seen[answer.status_code] = seen.get(answer.status_code, 0) + 1
    assert seen[400] and seen[200] and seen[204]


@pytest.mark.parametrize("what", PATHS)
@pytest.mark.parametrize("body", [b"", b"\xff", b"[" * 500_000, b"{" * 9, b"null", b'{"records": 1e999}'])
def test_what_is_no_message_is_refused(what: str, body: bytes, tell: Callable[[str, bytes], Any]) -> None:
    assert tell(what, body).status_code == 400


def test_a_message_larger_than_any_of_ours_is_refused(tell: Callable[[str, bytes], Any]) -> None:
    assert tell("decisions", b" " * (LARGEST_BODY + 1)).status_code == 413


def test_one_worker_answers_for_itself_alone(
    tell: Callable[[str, bytes], Any], enrolled: Enrolled, cast: Cast, published: ConfigRevision
) -> None:
    other, _ = enrolled("gw-good")
    organization = str(cast.alice.organization_id)
    ack = {
        "organization": organization,
        "revision": published.number,
        "state": "applied",
        "worker": "gw-good",
    }
    assert tell("acks", json.dumps([ack]).encode()).status_code == 204
    with as_worker():
        assert not WorkerStatus.objects.filter(worker=other).exists()
        published.refresh_from_db()
        assert published.in_force_at is None, "the other one has not said so"


def test_a_record_cannot_be_rewritten_by_another_worker(
    tell: Callable[[str, bytes], Any], enrolled: Enrolled, acme: Acme, cast: Cast
) -> None:
    _, token = enrolled("gw-good")
    kept: dict[str, Any] = {
        "kind": "decision",
        "sequence": 1,
        "id": str(uuid4()),
        "at_ms": 1,
        "method": "tools/call",
        "organization": str(cast.alice.organization_id),
        "server": str(acme.server.pk),
        "grant": str(acme.grant.pk),
        "tool": "delete_user",
        "outcome": "deny",
        "rule": "(default deny)",
    }
    good = Client(headers={"Authorization": f"Bearer {token}"})
    with as_worker():
        body = json.dumps({"worker": "gw-good", "records": [kept]})
        good.post("/internal/v1/decisions/", body, content_type="application/json")
    forged = [{**kept, "outcome": "allow"}, {**kept, "organization": str(cast.mallory.organization_id)}]
    end = {"kind": "completion", "sequence": 2, "id": kept["id"], "organization": kept["organization"]}
    for name in ("gw-evil", "gw-good"):
        tell("decisions", json.dumps({"worker": name, "records": [*forged, end]}).encode())
    with inside(cast.alice):
        record = DecisionRecord.objects.get(pk=UUID(kept["id"]))
        assert (record.outcome, record.worker, record.total_us) == ("deny", "gw-good", None)
    with inside(cast.mallory):
        assert not DecisionRecord.objects.exists()
