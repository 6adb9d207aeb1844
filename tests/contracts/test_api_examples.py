"""Every operation of the schema has an example; each is run and its answer checked against the schema."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

import jsonschema  # type: ignore[import-untyped]
import pytest
from django.db import transaction
from django.test import Client
from django.utils import timezone

from accounts.models import AuditEvent, Invitation, Membership
from accounts.services import create_api_key
from accounts.services.invitations import invite
from approvals.models import Notice
from approvals.webhooks import add_webhook, send_test
from audit.ingest import ingest
from common.ids import public_id
from policies.services import publish_policy
from servers import waiting
from servers.api.serializers import ScanSerializer
from servers.classing import write_class
from servers.models import Tool, ToolScan
from tests.approvals.calls import waiting as a_waiting_call
from tests.audit.records import denied
from tests.cast import Acme, Cast, confirm, inside, make_acme
from tests.catalog.index import fill
from tests.contracts.examples import FILE, WRITE, normal, shape, written
from tests.roles import as_worker

POLICY: Final = {
    "version": "1",
    "default": "deny",
    "tools": {"list_*": {}, "create_access_key": {"rate_limit": {"max": 30, "window": "minute"}}},
}
TEST: Final = {"name": "users stay", "call": {"tool": "delete_user"}, "expect": "deny"}
# What the server says about its tools.
TOLD: Final = {
    "create_access_key": "Create a new access key for an IAM user.",
    "delete_user": "Delete an IAM user, with their keys and their group memberships.",
    "list_users": "List the IAM users of the account.",
}
# By the path behind /api/v1: queries where the whole list would be too much to read.
ASKED_FOR: Final = {"/catalog/tools/": "?q=access+key", "/catalog/search/": "?q=access+key"}
# By method and the path behind /api/v1; {names} are ids of things that exist.
REQUESTS: Final[dict[str, Any]] = {
    "PATCH /organization/": {"name": "Acme Ltd", "lease_seconds": 43_200, "explain_denials": True},
    "PATCH /members/{member_id}/": {"role": "admin"},
    "POST /invitations/": {"email": "erin@example.com", "role": "policy_manager"},
    "POST /api-keys/": {"name": "ci", "scopes": ["policies:write", "servers:read"]},
    "POST /servers/": {
        "name": "Payments",
        "upstream_url": "https://mcp.example.com/mcp",
        "auth": {"kind": "headers", "headers": {"Authorization": "Bearer of-the-server"}},
    },
    "PATCH /servers/{server_id}/": {"name": "AWS IAM, production"},
    "POST /policies/": {"server": "{server_id}", "name": "ci", "document": POLICY},
    "PATCH /policies/{policy_id}/": {"document": POLICY},
    "POST /policies/{policy_id}/lint/": {"document": {**POLICY, "tools": {"no_such_tool": {}}}},
    "POST /policies/{policy_id}/decide/": {"tool": "delete_user", "arguments": {"user_name": "bob"}},
    "POST /policies/{policy_id}/effects/": {"document": POLICY},
    "POST /policies/{policy_id}/diff/": {"document": POLICY},
    "POST /policies/{policy_id}/publish/": {"note": "Keys are made at most 30 times a minute"},
    "POST /policies/{policy_id}/restore/": {"revision": "{revision_id}"},
    "PUT /policies/{policy_id}/tests/": {"tests": [TEST]},
    "POST /policies/convert/": {
        "text": json.dumps({"version": "1", "default": "deny", "tools": {"list_users": {}}})
    },
    "POST /grants/": {"server": "{server_id}", "policy": "{policy_id}", "label": "laptop of Alice"},
    "PATCH /grants/{grant_id}/": {"policy": "{policy_id}"},
    "POST /grants/{grant_id}/rotate/": {"overlap_seconds": 3_600},
    "POST /approvals/{approval_id}/approve/": {"note": "Agreed with the owner of the account"},
    "POST /approvals/{approval_id}/decline/": {"note": "Ask again with a narrower policy"},
    "PATCH /approval-rules/": {"approval_seconds": 1_800, "self_approval": False},
    "POST /webhooks/": {"url": "https://hooks.example.com/policylayer"},
    "PATCH /webhooks/{webhook_id}/": {"enabled": False},
    "POST /catalog/classify/": {
        "name": "delete_user",
        "description": "Deletes a user for good.",
        "input_schema": {"properties": {"user_name": {"type": "string"}}, "required": ["user_name"]},
        "server": "Users MCP",
    },
}
ASKS: Final = ("/lint/", "/decide/", "/effects/", "/diff/", "/convert/", "/classify/")
# Alice holds the grant that asked, so someone else has to answer.
BY_DAVE: Final = ("/approve/", "/decline/")


@pytest.fixture
def acme(cast: Cast) -> Acme:
    """Acme as readers would have it: a server at a named address, its tools classified as by a scan."""
    made = make_acme(cast, "https://iam.mcp.example.com/mcp")
    with inside(cast.alice):
        for tool in Tool.objects.all():
            tool.description = TOLD[tool.name]
            write_class(tool, tuple(TOLD), made.server.name)
            tool.save()
    return made


@pytest.fixture
def ids(cast: Cast, acme: Acme, confirmed_alice: None) -> dict[str, str]:
    fill(with_hostile=False)
    with as_worker():
        decided = denied(acme)
        ingest("gw-1", [decided])
    with inside(cast.alice):
        revision = publish_policy(cast.alice, acme.policy)
        key, _ = create_api_key(cast.alice, "nightly export", ["logs:read"])
        webhook, _ = add_webhook(cast.alice, "https://hooks.example.com/policylayer", verified=True)
        delivery = send_test(cast.alice, webhook)
        invitation = invite(cast.alice, "frank@example.com", "viewer")
        Invitation.objects.update(sent_at=timezone.now() - timedelta(days=1))
    with as_worker():
        Notice.objects.update(state="failed")
    return {
        "server_id": acme.server.public_id,
        "policy_id": acme.policy.public_id,
        "revision_id": revision.public_id,
        "grant_id": acme.grant.public_id,
        "decision_id": public_id("dec", UUID(decided.id)),
        "key_id": key.public_id,
        "approval_id": a_waiting_call(acme).public_id,
        "webhook_id": webhook.public_id,
        "delivery_id": delivery.public_id,
        "member_id": cast.carol.public_id,
        "invitation_id": invitation.public_id,
        "server_slug": "awslabs-iam-mcp-server",
    }


@pytest.fixture
def confirmed_alice(cast: Cast) -> None:
    confirm(cast.alice)


def with_ids(value: Any, ids: dict[str, str]) -> Any:
    if isinstance(value, dict):
        return {name: with_ids(inner, ids) for name, inner in value.items()}
    if isinstance(value, list):
        return [with_ids(inner, ids) for inner in value]
    named = isinstance(value, str) and value.startswith("{") and value[1:-1] in ids
    return ids[value[1:-1]] if named else value


def answered(client: Client, method: str, path: str, body: Any) -> tuple[int, Any, int]:
    """Send a request in a savepoint that is rolled back; return status, JSON and number of audit events."""
    with transaction.atomic():
        before = AuditEvent.objects.count()
        sent = {} if method == "get" else {"data": json.dumps(body), "content_type": "application/json"}
        answer = getattr(client, method)(
            f"/api/v1{path}{ASKED_FOR.get(path, '')}", headers={"If-Match": "*"}, **sent
        )
        if answer.streaming:
            told = json.loads(json.dumps(ScanSerializer(ToolScan.objects.latest("started_at")).data))
        else:
            told = answer.json() if answer.content else None
        events = AuditEvent.objects.count() - before
        transaction.set_rollback(True)
    return answer.status_code, told, events


def test_every_operation_does_as_its_example_says(
    cast: Cast,
    ids: dict[str, str],
    signed_in: Callable[[Membership], Client],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(waiting, "PATIENCE_SECONDS", 0.0)
    alice, dave = signed_in(cast.alice), signed_in(cast.dave)
    schema = alice.get("/api/v1/schema/").json()
    kept = json.loads(FILE.read_text()) if FILE.exists() else {}
    made: dict[str, Any] = {}
    wrong: list[str] = []
    for whole, methods in schema["paths"].items():
        template = whole.removeprefix("/api/v1")
        for method, operation in methods.items():
            name = f"{method.upper()} {template}"
            body = with_ids(REQUESTS.get(name), ids)
            with inside(cast.alice):
                client = dave if template.endswith(BY_DAVE) else alice
                status, told, events = answered(client, method, template.format(**ids), body)
            if status >= 300:
                wrong.append(f"{name}: {status} {told}")
                continue
            wrong += _misfits(schema, operation["responses"][str(status)], told, name)
            changes = method != "get" and not template.endswith(ASKS)
            if (events > 0) != changes:
                wrong.append(f"{name} wrote {events} audit events")
            made[name] = {"request": body, "status": status, "response": told}
    made = normal(made)
    assert wrong == []
    if os.environ.get(WRITE):
        written(made)
        return
    assert kept.keys() == made.keys()
    for name, example in made.items():
        again = "differs from common/api_examples.json: run python -m tests.contracts.examples"
        assert shape(example) == shape(kept[name]), f"{name} {again}"


def _misfits(schema: dict[str, Any], response: dict[str, Any], told: Any, name: str) -> list[str]:
    if told is None:
        return [f"{name}: a body is promised"] if "content" in response else []
    (content,) = response["content"].values()
    whole = {**content["schema"], "components": schema["components"]}
    return [f"{name}: {error.message}" for error in jsonschema.Draft202012Validator(whole).iter_errors(told)]


def test_no_example_shows_what_stands_in_tests_alone() -> None:
    found = re.findall(r"hostile|evil|127\.0\.0\.1|localhost|testserver|<\w+|\u202e", FILE.read_text())
    assert found == []


def test_the_schema_carries_the_examples_and_they_fit_it(client: Client, db: None) -> None:
    schema = client.get("/api/v1/schema/").json()
    for whole, methods in schema["paths"].items():
        for method, operation in methods.items():
            name = f"{method.upper()} {whole}"
            for response in operation["responses"].values():
                for content in response.get("content", {}).values():
                    assert "example" in content, name
                    assert _misfits(schema, response, content["example"], name) == []
            for content in operation.get("requestBody", {}).get("content", {}).values():
                assert _misfits(schema, operation["requestBody"], content["example"], name) == []
