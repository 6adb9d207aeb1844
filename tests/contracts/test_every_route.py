"""Requests every route of the URL resolver as everyone: no tenant sees another's data.

A new route is probed as soon as it exists; one with a parameter that nobody can fill in fails here.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from django.http import HttpResponseBase
from django.test import Client

from accounts.models import ApiKey, Invitation, Membership, Organization
from accounts.services import create_api_key
from accounts.services.invitations import invite
from accounts.tenancy import TenantQuerySet
from approvals.models import Approval, Webhook
from approvals.webhooks import add_webhook, send_test
from audit.models import DecisionRecord
from common.ids import public_id
from policies.services import publish_policy
from servers.models import Tool
from tests.approvals.calls import waiting
from tests.cast import Acme, Cast, confirm, inside, make_acme, make_cast
from tests.roles import as_worker
from tests.routes import Route, routes

pytestmark = pytest.mark.django_db

METHODS = ("get", "post", "put", "patch", "delete")
SECRET_OF_ACME = "AWS IAM"
JUNK = ("srv_" + "0" * 26, "x", "srv_", "%00", "..%2f", "💥", "a" * 3000)


ALL = routes()
TENANT = [route for route in ALL if not route.is_public]
WITH_ID = [route for route in TENANT if route.names]


@pytest.fixture(scope="module")
def cast(rows_of_the_module: None) -> Cast:
    return make_cast()


@pytest.fixture(scope="module")
def acme(cast: Cast) -> Acme:
    return make_acme(cast)


@pytest.fixture(scope="module")
def ids(cast: Cast, acme: Acme) -> dict[str, str]:
    """A value for each path parameter: things of Acme."""
    with inside(cast.alice):
        revision = publish_policy(cast.alice, acme.policy)
        key, _ = create_api_key(cast.alice, "ci", ["logs:read"])
        webhook, _ = add_webhook(cast.alice, "https://hooks.example/a", verified=True)
        delivery = send_test(cast.alice, webhook)
        confirm(cast.alice)
        invitation = invite(cast.alice, "open@example.com", "viewer")
        tool = Tool.objects.filter(server=acme.server).first()
        assert tool is not None
    return {
        "server_id": acme.server.public_id,
        "policy_id": acme.policy.public_id,
        "revision_id": revision.public_id,
        "grant_id": acme.grant.public_id,
        "decision_id": _decision(cast, acme).public_id,
        "key_id": public_id("key", key.pk),
        "approval_id": waiting(acme).public_id,
        "webhook_id": webhook.public_id,
        "delivery_id": delivery.public_id,
        "tool_id": str(tool.pk),
        "number": str(revision.number),
        "member_id": cast.carol.public_id,
        "invitation_id": invitation.public_id,
        "report_id": "1",
        "message_id": "1",
        "object_id": str(cast.alice.user.pk),
    }


def _decision(cast: Cast, acme: Acme) -> DecisionRecord:
    with as_worker():
        return DecisionRecord.objects.create(
            id=uuid4(),
            organization_id=cast.alice.organization_id,
            worker="gw-1",
            sequence=1,
            at="2026-01-01T00:00:00Z",
            server_id=acme.server.pk,
            grant_id=acme.grant.pk,
            method="tools/call",
            tool="delete_user",
            outcome="deny",
            code="default_deny",
            rule="(default deny)",
            config_revision=1,
            argument_names=[],
            added_us=90,
        )


def _ask(client: Client, method: str, path: str, **headers: str) -> HttpResponseBase:
    verb: Callable[..., HttpResponseBase] = getattr(client, method)
    if method == "get":
        return verb(path, headers=headers)
    return verb(path, data=json.dumps({}), content_type="application/json", headers=headers)


def _answers(client: Client, path: str, **headers: str) -> dict[str, HttpResponseBase]:
    return {method: _ask(client, method, path, **headers) for method in METHODS}


def _body(answer: HttpResponseBase) -> str:
    """The body, or nothing if it is an endless stream."""
    endless = answer.streaming and answer.is_async  # type: ignore[attr-defined]
    return "" if endless else answer.getvalue().decode(errors="replace")


def test_every_parameter_of_every_route_can_be_probed(ids: dict[str, str]) -> None:
    assert {name for route in TENANT for name in route.names} <= set(ids)


def test_nothing_of_the_internal_api_is_on_the_web_port(client: Client) -> None:
    assert not [route for route in ALL if "internal" in route.template]
    for path in ("/internal/v1/heads", "/internal/v1/acks/", "/internal/v1/bundles/x/"):
        assert client.get(path).status_code == 404


@pytest.mark.parametrize("route", WITH_ID, ids=lambda route: route.template)
def test_a_stranger_finds_nothing_of_acme_by_its_ids(
    route: Route, ids: dict[str, str], cast: Cast, signed_in: Callable[[Membership], Client]
) -> None:
    found = _answers(signed_in(cast.mallory), route.path(ids))
    assert {answer.status_code for answer in found.values()} <= {404, 405}
    assert any(answer.status_code == 404 for answer in found.values())


@pytest.mark.parametrize("route", WITH_ID, ids=lambda route: route.template)
def test_row_level_security_alone_holds_a_stranger_back(
    route: Route,
    ids: dict[str, str],
    cast: Cast,
    signed_in: Callable[[Membership], Client],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    mallory = signed_in(cast.mallory)
    # Queries that a process spells only once must not be spelt without their scope.
    _answers(mallory, route.path(ids))
    monkeypatch.setattr(TenantQuerySet, "visible_to", lambda self, member: self.all())
    found = _answers(mallory, route.path(ids))
    assert {answer.status_code for answer in found.values()} <= {404, 405}


@pytest.mark.parametrize("route", TENANT, ids=lambda route: route.template)
def test_no_page_shows_a_stranger_anything_of_acme(
    route: Route, ids: dict[str, str], cast: Cast, signed_in: Callable[[Membership], Client]
) -> None:
    for answer in _answers(signed_in(cast.mallory), route.path(ids)).values():
        assert SECRET_OF_ACME not in _body(answer)
        assert answer.status_code < 500


@pytest.mark.parametrize("route", TENANT, ids=lambda route: route.template)
def test_nothing_a_member_is_shown_outlives_the_session_in_a_cache(
    route: Route, ids: dict[str, str], cast: Cast, acme: Acme, signed_in: Callable[[Membership], Client]
) -> None:
    answer = _ask(signed_in(cast.alice), "get", route.path(ids))
    assert "no-store" in answer.headers.get("Cache-Control", "") or answer.status_code in (404, 405)


@pytest.mark.parametrize("route", TENANT, ids=lambda route: route.template)
def test_anonymous_is_sent_to_sign_in_or_refused(route: Route, ids: dict[str, str], client: Client) -> None:
    for answer in _answers(client, route.path(ids)).values():
        if route.is_api:
            assert answer.status_code in {401, 403, 405}
        else:
            assert answer.status_code == 405 or answer.headers["Location"].startswith("/accounts/login/")


@pytest.mark.parametrize(
    "route", [route for route in TENANT if route.is_api], ids=lambda route: route.template
)
def test_a_junk_key_is_answered_401_even_beside_a_good_session(
    route: Route, ids: dict[str, str], cast: Cast, signed_in: Callable[[Membership], Client]
) -> None:
    for token in ("Bearer plk_junk", "Bearer ", "Basic YWxpY2U6eA==", "Bearer plg_" + "0" * 33):
        answer = _ask(signed_in(cast.alice), "get", route.path(ids), Authorization=token)
        assert answer.status_code == 401
        assert answer.headers["Content-Type"] == "application/problem+json"


@pytest.mark.parametrize("route", TENANT, ids=lambda route: route.template)
def test_a_viewer_changes_nothing(
    route: Route, ids: dict[str, str], cast: Cast, signed_in: Callable[[Membership], Client]
) -> None:
    """A viewer's POST is refused, malformed, or only asks something; no change is ever carried out."""
    before = _fingerprint(cast)
    for answer in _answers(signed_in(cast.bob), route.path(ids)).values():
        assert answer.status_code < 500
    assert _fingerprint(cast) == before


def _fingerprint(cast: Cast) -> dict[str, Any]:
    from policies.models import Grant, Policy, PolicyRevision
    from servers.models import Server, ToolScan

    with inside(cast.alice):
        return {
            "servers": list(Server.objects.order_by("pk").values()),
            "policies": list(Policy.objects.order_by("pk").values()),
            "revisions": PolicyRevision.objects.count(),
            "approvals": list(Approval.objects.order_by("pk").values()),
            "webhooks": list(Webhook.objects.order_by("pk").values()),
            "grants": list(Grant.objects.order_by("pk").values()),
            "scans": ToolScan.objects.count(),
            "members": list(Membership.objects.exclude(pk=cast.bob.pk).order_by("pk").values()),
            "invitations": list(Invitation.objects.order_by("pk").values()),
            "organization": list(Organization.objects.values()),
            "keys": list(ApiKey.objects.order_by("pk").values("pk", "revoked_at")),
        }


@pytest.mark.parametrize("route", WITH_ID, ids=lambda route: route.template)
def test_an_id_that_is_none_is_not_found(
    route: Route, cast: Cast, signed_in: Callable[[Membership], Client]
) -> None:
    alice = signed_in(cast.alice)
    for junk in JUNK:
        path = route.path(dict.fromkeys(route.names, junk))
        for method in METHODS if junk == JUNK[0] else ("get", "post"):
            assert _ask(alice, method, path).status_code in {404, 405}, (method, junk)
