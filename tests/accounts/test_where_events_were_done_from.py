"""Audit events say from which network address something was done, to those who may know."""

from __future__ import annotations

from collections.abc import Callable
from html import unescape
from ipaddress import ip_network

import pytest
from django.test import Client, override_settings

from accounts.models import AuditEvent, User
from accounts.services import memberships_of
from accounts.services.organizations import rename_organization
from accounts.tenancy import organization_context
from common.addresses import readable_address
from tests.cast import Cast, inside
from tests.ladder import SignedIn

PROXIED = override_settings(TRUSTED_PROXIES=(ip_network("127.0.0.0/8"),))
AT_HOME, AT_WORK = ({"X-Forwarded-For": f"9.9.9.9, {address}"} for address in ("198.51.100.1", "2001:DB8::7"))


def done_from(cast: Cast, verb: str) -> list[str | None]:
    with inside(cast.alice):
        return list(AuditEvent.objects.filter(verb=verb).order_by("at").values_list("address", flat=True))


@PROXIED
def test_what_is_done_in_a_browser_and_with_a_key_has_the_address_of_the_client_and_not_of_the_proxy(
    cast: Cast, signed_in: SignedIn, api_key: Callable[..., str]
) -> None:
    signed_in(cast.alice).post("/settings/rename/", {"name": "Acme & Sons"}, headers=AT_HOME)
    key = {"Authorization": f"Bearer {api_key(cast.alice)}"}
    server = {"name": "IAM", "upstream_url": "https://mcp.example.com/mcp"}
    made = Client().post("/api/v1/servers/", server, content_type="application/json", headers=key | AT_WORK)
    assert made.status_code == 201
    assert done_from(cast, "organization.renamed") == ["198.51.100.1"]
    assert done_from(cast, "server.registered") == ["2001:db8::7"]


@PROXIED
def test_an_address_that_the_client_made_up_is_not_believed(cast: Cast, signed_in: SignedIn) -> None:
    client = signed_in(cast.alice)
    client.post("/settings/rename/", {"name": "One"}, headers=AT_HOME, REMOTE_ADDR="203.0.113.9")
    assert done_from(cast, "organization.renamed") == ["203.0.113.9"]


@PROXIED
def test_signing_up_is_recorded_with_its_address(db: None) -> None:
    form = {"email": "erin@example.com", "password1": "correct horse battery"}
    assert Client().post("/accounts/signup/", form, headers=AT_HOME).status_code == 302
    (membership,) = memberships_of(User.objects.get(email="erin@example.com"))
    with organization_context(membership.organization_id):
        assert AuditEvent.objects.get(verb="organization.founded").address == "198.51.100.1"


def test_what_no_request_did_has_no_address_and_neither_does_what_comes_after_a_request(
    cast: Cast, signed_in: SignedIn
) -> None:
    signed_in(cast.alice).post("/settings/rename/", {"name": "One"})
    with inside(cast.alice):
        rename_organization(cast.alice, "Two")
    assert done_from(cast, "organization.renamed") == ["127.0.0.1", None]


def test_only_owners_and_admins_see_addresses_on_the_page_and_find_events_by_them(
    cast: Cast, signed_in: SignedIn
) -> None:
    signed_in(cast.alice).post("/settings/rename/", {"name": "One"}, REMOTE_ADDR="203.0.113.9")

    def shown(member: object, asked: str = "") -> str:
        answer = signed_in(member).get(f"/settings/events/?q={asked}")  # type: ignore[arg-type]
        return unescape(answer.content.decode())

    for member in (cast.alice, cast.dave):
        assert "203.0.113.9" in shown(member) and "no address" in shown(member)
        assert "renamed the organization" in shown(member, "203.0.113.9")
        assert "renamed the organization" not in shown(member, "203.0.113.8")
    for member in (cast.bob, cast.carol):
        page = shown(member)
        assert "renamed the organization" in page and "203.0.113.9" not in page and ">From<" not in page
        assert "renamed the organization" not in shown(member, "203.0.113.9")
    assert "Events are kept for 400 days." in shown(cast.bob)


def test_over_the_api_too(cast: Cast, signed_in: SignedIn, api_key: Callable[..., str]) -> None:
    signed_in(cast.alice).post("/settings/rename/", {"name": "One"}, REMOTE_ADDR="203.0.113.9")

    def told(member: object, asked: str = "") -> tuple[int, list[str | None]]:
        answer = signed_in(member).get(f"/api/v1/audit-events/?verb=organization.renamed{asked}")  # type: ignore[arg-type]
        return answer.status_code, [event["address"] for event in answer.json().get("results", [])]

    assert told(cast.dave) == told(cast.dave, "&address=203.0.113.9") == (200, ["203.0.113.9"])
    assert told(cast.dave, "&address=::ffff:203.0.113.9") == (200, ["203.0.113.9"])
    assert told(cast.dave, "&address=203.0.113.8") == (200, [])
    assert told(cast.dave, "&address=here")[0] == 400
    assert told(cast.bob) == (200, [None])
    assert told(cast.bob, "&address=203.0.113.9")[0] == 403


@pytest.mark.parametrize(
    ("heard", "kept"),
    [
        ("198.51.100.1", "198.51.100.1"),
        ("::ffff:198.51.100.1", "198.51.100.1"),
        ("2001:DB8:0::7", "2001:db8::7"),
        ("fe80::1%eth0", "fe80::1"),
        ("", None),
        ("unix:", None),
        ("<script>", None),
    ],
)
def test_an_address_is_kept_as_the_database_writes_it(heard: str, kept: str | None) -> None:
    assert readable_address(heard) == kept
