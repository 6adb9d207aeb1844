"""How much there may be: what is over is refused with a sentence, at once and beside another."""

from __future__ import annotations

import re
import threading
from html import unescape

import pytest
from django.core import mail
from django.core.cache import cache
from django.db import ProgrammingError, connection, transaction
from django.test import Client

from accounts.limits import DEFAULTS, SERVERS_UNCONFIRMED, Limit, is_confirmed
from accounts.models import Membership, OrganizationLimits
from accounts.services.invitations import invite
from common.errors import LimitReached
from gateway_config.build import build_bundle
from gateway_config.grants import changes_of
from gateway_config.models import PublishRequest
from policies.services import create_policy, issue_grant, revoke_grant
from servers.models import Server
from servers.services import register_server, retire_server, start_scan
from tests.cast import PASSWORD, Acme, Cast, confirm, inside
from tests.ladder import Door, SignedIn, climb
from tests.roles import as_worker


def widen(by: Membership, **limits: int) -> None:
    """As whoever runs the product does it."""
    with as_worker():
        OrganizationLimits.objects.update_or_create(organization_id=by.organization_id, defaults=limits)


def test_before_the_address_is_confirmed_there_are_three_servers(cast: Cast, acme: Acme) -> None:
    with inside(cast.alice):
        for number in range(SERVERS_UNCONFIRMED - 1):
            register_server(cast.alice, f"server {number}", "https://x.example/mcp")
        with pytest.raises(LimitReached, match="Until you confirm your e-mail address"):
            register_server(cast.alice, "one more", "https://x.example/mcp")
        confirm(cast.alice)
        register_server(cast.alice, "one more", "https://x.example/mcp")


def test_every_limit_holds_at_its_number_and_frees_with_what_goes(cast: Cast, acme: Acme) -> None:
    confirm(cast.alice)
    widen(cast.alice, servers=2, grants=2, policies=2, members=5, scans_per_hour=1)
    with inside(cast.alice):
        second = register_server(cast.alice, "second", "https://x.example/mcp")
        grant, _ = issue_grant(cast.alice, acme.server, None, "second")
        create_policy(cast.alice, second, "second")
        invite(cast.alice, "erin@example.com", "viewer")
        start_scan(cast.alice, second)
        for act in (
            lambda: register_server(cast.alice, "third", "https://x.example/mcp"),
            lambda: issue_grant(cast.alice, acme.server, None, "third"),
            lambda: create_policy(cast.alice, acme.server, "third"),
            lambda: invite(cast.alice, "frank@example.com", "viewer"),
            lambda: start_scan(cast.alice, acme.server),
        ):
            with pytest.raises(LimitReached, match="the most allowed"):
                act()
        retire_server(cast.alice, second)
        register_server(cast.alice, "third", "https://x.example/mcp")
        create_policy(cast.alice, acme.server, "third")
        revoke_grant(cast.alice, grant)
        issue_grant(cast.alice, acme.server, None, "third")


def test_the_limits_of_one_organization_are_no_others(cast: Cast, acme: Acme) -> None:
    widen(cast.alice, policies=1)
    with inside(cast.mallory):
        assert not OrganizationLimits.objects.exists()
        server = register_server(cast.mallory, "m", "https://x.example/mcp")
        create_policy(cast.mallory, server, "one")
        create_policy(cast.mallory, server, "two")


def test_the_application_cannot_widen_its_own_limits(cast: Cast) -> None:
    widen(cast.alice, servers=1)
    for statement in (
        "UPDATE accounts_organizationlimits SET servers = 1000",
        "DELETE FROM accounts_organizationlimits",
    ):
        denied = pytest.raises(ProgrammingError, match="permission denied")
        with inside(cast.alice), denied, transaction.atomic():
            connection.cursor().execute(statement)


@pytest.mark.django_db(transaction=True)
def test_of_two_that_come_for_the_last_place_one_gets_it(cast: Cast) -> None:
    confirm(cast.alice)
    confirm(cast.dave)
    widen(cast.alice, servers=1)
    start, refused = threading.Barrier(2), []

    def go(by: Membership) -> None:
        try:
            start.wait()
            with inside(by):
                register_server(by, by.role, "https://x.example/mcp")
        except LimitReached as over:
            refused.append(over.message)
        finally:
            connection.close()

    threads = [threading.Thread(target=go, args=(by,)) for by in (cast.alice, cast.dave)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(refused) == 1
    with inside(cast.alice):
        assert Server.objects.count() == 1


# ---- what gateways are told
def test_gateways_are_told_the_slow_pace_until_an_owner_confirmed(cast: Cast, acme: Acme) -> None:
    with as_worker():
        slow = build_bundle(
            cast.alice.organization_id, None, changes_of(cast.alice.organization_id)
        ).bundle.settings
    assert (slow.most_calls, slow.most_calls_seconds) == (100, 60)
    confirm(cast.bob)
    assert not is_confirmed(cast.alice.organization_id)
    confirm(cast.alice)
    widen(cast.alice, streams=7)
    with as_worker():
        fast = build_bundle(
            cast.alice.organization_id, None, changes_of(cast.alice.organization_id)
        ).bundle.settings
    assert (fast.most_calls, fast.most_calls_seconds) == (DEFAULTS[Limit.CALLS_PER_SECOND], 1)
    assert (slow.most_open, fast.most_open) == (DEFAULTS[Limit.STREAMS], 7)


def test_confirming_the_address_sends_the_gateways_a_new_configuration(db: None, client: Client) -> None:
    cache.clear()
    client.post("/accounts/signup/", {"email": "new@example.com", "password1": PASSWORD})
    link = re.search(r"(/accounts/confirm-email/\S+)", str(mail.outbox[0].body))
    assert link is not None
    page = Client().get(link.group(1))
    assert page.status_code == 200
    with as_worker():
        before = PublishRequest.objects.count()
    Client().post(link.group(1))
    with as_worker():
        assert PublishRequest.objects.count() > before


# ---- the page
def test_usage_stands_beside_what_there_may_be(cast: Cast, acme: Acme, signed_in: SignedIn) -> None:
    climb(Door("/settings/usage/", stranger=200), cast, signed_in)
    widen(cast.alice, servers=1)
    raw = signed_in(cast.bob).get("/settings/usage/").content.decode()
    shown = " ".join(re.sub("<[^>]+>", " ", raw).split())
    assert "Servers 1 1 nearly full" in unescape(shown)
    assert "Policies 1 1,000" in shown and "No owner has confirmed" in shown


def test_what_is_over_is_said_in_the_form_that_keeps_what_was_typed(
    cast: Cast, acme: Acme, signed_in: SignedIn
) -> None:
    confirm(cast.alice)
    widen(cast.alice, servers=1, policies=1, grants=1, members=1)
    alice = signed_in(cast.alice)
    server = acme.server.public_id
    asked = alice.get(f"/grants/issue/?server={server}").content.decode()
    once = re.search(r'name="once" value="([^"]+)"', asked)
    assert once is not None
    forms = {
        "/servers/register/": {"name": "typed", "upstream_url": "https://x.example/mcp", "auth_kind": "none"},
        "/policies/new/": {"server": server, "name": "typed", "start": "empty"},
        "/grants/issue/": {"server": server, "label": "typed", "expiry": "90", "once": once[1]},
        "/settings/members/": {"email": "typed@example.com", "role": "viewer"},
    }
    for path, typed in forms.items():
        answer = alice.post(path, typed)
        shown = unescape(answer.content.decode())
        assert answer.status_code == 429, path
        assert "the most allowed" in shown and 'role="alert"' in shown, path
        assert f'value="{next(each for each in typed.values() if each.startswith("typed"))}"' in shown, path
    with inside(cast.alice):
        assert Server.objects.count() == 1


def test_a_server_that_may_not_be_scanned_now_is_not_registered(
    cast: Cast, acme: Acme, signed_in: SignedIn
) -> None:
    confirm(cast.alice)
    widen(cast.alice, scans_per_hour=1)
    with inside(cast.alice):
        start_scan(cast.alice, acme.server)
    typed = {"name": "typed", "upstream_url": "https://x.example/mcp", "auth_kind": "none"}
    answer = signed_in(cast.alice).post("/servers/register/", typed)
    assert answer.status_code == 429 and 'value="typed"' in answer.content.decode()
    with inside(cast.alice):
        assert list(Server.objects.values_list("name", flat=True)) == ["AWS IAM"]


def test_who_owns_as_many_organizations_as_one_may_keeps_what_was_typed(
    cast: Cast, signed_in: SignedIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("accounts.services.organizations.MOST_OWNED", 1)
    answer = signed_in(cast.alice).post("/organizations/new/", {"name": "Second"})
    assert answer.status_code == 429 and 'value="Second"' in answer.content.decode()
