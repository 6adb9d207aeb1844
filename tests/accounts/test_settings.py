"""The settings: who reads what, who changes what, what is shown once, what the log of it says."""

from __future__ import annotations

import ast
import re
from datetime import timedelta
from html import unescape
from pathlib import Path

import pytest
from django.core import mail
from django.test import Client
from django.utils import timezone

from accounts.events import DID, KINDS, changes
from accounts.models import ApiKey, AuditEvent, Invitation, Membership, Organization
from accounts.services import create_api_key, memberships_of
from accounts.services.invitations import invite
from approvals.services import set_approval_rules
from policies.services import create_policy, issue_grant, move_grant
from servers.services import change_server
from tests.cast import Acme, Cast, confirm, inside
from tests.ladder import Door, SignedIn, climb, queries_of

ROOT = Path(__file__).parents[2]
KEY = {"name": "ci", "scopes": ["servers:read", "logs:read"], "expires": "30"}
MEMBERS, KEYS, SECURITY, EVENTS = (
    f"/settings/{pane}/" for pane in ("members", "api-keys", "security", "events")
)
SECURED = {"lease_seconds": "12 hours", "log_retention_days": "90", "explain_denials": "on"}


def page(client: Client, path: str) -> str:
    answer = client.get(path)
    assert answer.status_code == 200
    return unescape(answer.content.decode())


def words(text: str) -> str:
    return " ".join(re.sub("<[^>]+>", " ", text).split())


@pytest.fixture
def key(cast: Cast) -> ApiKey:
    with inside(cast.alice):
        return create_api_key(cast.alice, "ci", ["logs:read"])[0]


@pytest.fixture
def invitation(cast: Cast) -> Invitation:
    confirm(cast.alice)
    confirm(cast.dave)
    with inside(cast.alice):
        sent = invite(cast.alice, "erin@example.com", "viewer")
        Invitation.objects.update(sent_at=timezone.now() - timedelta(minutes=2))
    return sent


@pytest.mark.parametrize("path", ["/settings/", MEMBERS, KEYS, SECURITY, EVENTS])
def test_everybody_may_read_the_settings(path: str, cast: Cast, key: ApiKey, signed_in: SignedIn) -> None:
    climb(Door(path, stranger=200, also=("post",)), cast, signed_in)
    assert "@example.com" in page(signed_in(cast.alice), path)
    shown = page(signed_in(cast.mallory), path)
    assert key.hint not in shown and "Acme" not in shown and "alice@" not in shown


# ---- the organization
def test_owners_rename_it(cast: Cast, signed_in: SignedIn) -> None:
    door = Door("/settings/rename/", "post", {"name": " Acme \u202e Harbour "}, 302, ("bob", "carol", "dave"))
    for name in door.barred:
        assert door.knock(signed_in(getattr(cast, name))) == 403
    assert door.knock(signed_in(cast.alice)) == 302
    raw = signed_in(cast.bob).get("/settings/").content.decode()
    assert "\u202e" not in raw and "Harbour" in raw
    assert "renamed the organization to" in words(page(signed_in(cast.bob), EVENTS))


@pytest.mark.parametrize("name", ["", "   ", "x" * 81, "a\x00b"])
def test_a_name_that_is_none_is_refused_in_place(name: str, cast: Cast, signed_in: SignedIn) -> None:
    answer = signed_in(cast.alice).post("/settings/rename/", {"name": name})
    assert answer.status_code == 422 and "It keeps its name." in answer.content.decode()


def test_one_leaves_and_is_outside_at_once(cast: Cast, signed_in: SignedIn) -> None:
    bob = signed_in(cast.bob)
    assert bob.get("/settings/leave/").status_code == 405
    assert bob.post("/settings/leave/").headers["Location"] == "/overview/"
    assert memberships_of(cast.bob.user) == []
    assert bob.get("/servers/").headers["Location"] == "/organizations/new/"
    assert signed_in(cast.alice).post("/settings/leave/").status_code == 409
    assert "You are its only owner" in page(signed_in(cast.alice), "/settings/")
    assert "You are its only owner" not in page(signed_in(cast.dave), "/settings/")
    assert Client().post("/settings/leave/").headers["Location"].startswith("/accounts/login/")


# ---- security
def test_owners_alone_change_the_security_settings(cast: Cast, signed_in: SignedIn) -> None:
    for member in (cast.bob, cast.carol, cast.dave):
        assert signed_in(member).post(SECURITY, SECURED).status_code == 403
        assert "needs the owner role" in page(signed_in(member), SECURITY)
    assert signed_in(cast.alice).post(SECURITY, SECURED).status_code == 302
    with inside(cast.alice):
        changed = Organization.objects.get()
        event = AuditEvent.objects.get(verb="security.changed")
    assert (changed.lease_seconds, changed.log_retention_days, changed.explain_denials) == (43_200, 90, True)
    assert event.details["before"] == {
        "lease_seconds": 86_400,
        "log_retention_days": 30,
        "explain_denials": False,
    }
    with inside(cast.mallory):
        assert Organization.objects.get().lease_seconds == 86_400


@pytest.mark.parametrize(
    "wrong",
    [
        {"lease_seconds": "4 minutes"},
        {"lease_seconds": "30 days and 1 minute"},
        {"log_retention_days": "366"},
        {"lease_seconds": "720"},
        {"lease_seconds": "9" * 40},
        {"log_retention_days": ""},
    ],
)
def test_a_setting_out_of_its_range_is_refused_in_place(
    wrong: dict[str, str], cast: Cast, signed_in: SignedIn
) -> None:
    answer = signed_in(cast.alice).post(SECURITY, SECURED | wrong)
    assert answer.status_code == 422 and "Nothing was changed." in answer.content.decode()
    with inside(cast.alice):
        assert Organization.objects.get().lease_seconds == 86_400


# ---- members
def test_a_role_is_changed_and_a_member_removed_by_who_may(cast: Cast, signed_in: SignedIn) -> None:
    at = f"{MEMBERS}{cast.bob.public_id}/"
    climb(Door(f"{at}role/", "post", {"role": "policy_manager"}, 302, ("bob", "carol")), cast, signed_in)
    climb(Door(f"{at}remove/", "post", {}, 302, ("carol",)), cast, signed_in)
    with inside(cast.alice):
        assert not Membership.objects.filter(pk=cast.bob.pk).exists()
    told = words(page(signed_in(cast.alice), EVENTS))
    assert "changed the role of bob@example.com from viewer to policy manager" in told
    assert "removed the member bob@example.com" in told


def test_an_admin_is_offered_no_owner(cast: Cast, signed_in: SignedIn) -> None:
    confirm(cast.dave)
    dave = signed_in(cast.dave)
    assert 'value="owner"' not in page(dave, MEMBERS)
    assert 'value="owner"' in page(signed_in(cast.alice), MEMBERS)
    at = f"{MEMBERS}{cast.alice.public_id}/"
    assert dave.post(f"{at}role/", {"role": "viewer"}).status_code == 403
    assert dave.post(f"{at}remove/").status_code == 403
    assert dave.post(MEMBERS, {"email": "x@example.com", "role": "owner"}).status_code == 422


def test_the_last_owner_reads_why_they_stay(cast: Cast, signed_in: SignedIn) -> None:
    at = f"{MEMBERS}{cast.alice.public_id}/"
    for answer in (
        signed_in(cast.alice).post(f"{at}role/", {"role": "admin"}),
        signed_in(cast.alice).post(f"{at}remove/"),
    ):
        shown = unescape(answer.content.decode())
        assert answer.status_code == 409 and "Invite someone" in shown
        row = re.findall(r"<tr>.*?</tr>", shown, re.DOTALL)[1]
        assert "alice@example.com" in row and "at least one owner" in words(row)
    row = re.findall(r"<tr>.*?</tr>", page(signed_in(cast.alice), MEMBERS), re.DOTALL)[1]
    assert "make someone else an owner first" in words(row) and "<form" not in row


def test_what_came_too_late_or_too_soon_is_said_in_its_row(
    cast: Cast, invitation: Invitation, signed_in: SignedIn
) -> None:
    at, alice = f"/settings/invitations/{invitation.public_id}/", signed_in(cast.alice)
    alice.post(f"{at}resend/")
    again = alice.post(f"{at}resend/")
    (row,) = re.findall(r"<tr>(?:(?!</tr>).)*erin@example.com.*?</tr>", again.content.decode(), re.DOTALL)
    assert again.status_code == 429 and "less than a minute ago" in words(row)
    alice.post(f"{at}withdraw/")
    answer = alice.post(f"{at}withdraw/")
    (note,) = re.findall(r'<div class="note err"[^>]*>', answer.content.decode())
    assert answer.status_code == 409 and "That was not done." in answer.content.decode()
    assert "autofocus" in note


def test_a_role_that_is_none_is_not_found(cast: Cast, signed_in: SignedIn) -> None:
    path = f"{MEMBERS}{cast.bob.public_id}/role/"
    for role in ("", "emperor", "OWNER\x00"):
        assert signed_in(cast.alice).post(path, {"role": role}).status_code == 404


def test_more_members_are_not_more_questions(cast: Cast, signed_in: SignedIn) -> None:
    from tests.cast import person

    few = queries_of(signed_in(cast.alice), MEMBERS)
    with inside(cast.alice):
        for number in range(8):
            Membership.objects.create(
                organization=cast.alice.organization, user=person(f"p{number}"), role="viewer"
            )
    assert queries_of(signed_in(cast.alice), MEMBERS) == few


# ---- invitations
def test_an_invitation_is_sent_again_and_withdrawn_by_who_may(
    cast: Cast, invitation: Invitation, signed_in: SignedIn
) -> None:
    at = f"/settings/invitations/{invitation.public_id}/"
    climb(Door(f"{at}resend/", "post", {}, 302, ("bob", "carol")), cast, signed_in)
    climb(Door(f"{at}withdraw/", "post", {}, 302, ("bob", "carol")), cast, signed_in)
    assert signed_in(cast.alice).post(f"{at}withdraw/").status_code == 409
    assert len(mail.outbox) == 2


def test_many_invitations_are_turned_page_by_page(cast: Cast, signed_in: SignedIn) -> None:
    with inside(cast.alice):
        for number in range(35):
            Invitation.objects.create(
                organization=cast.alice.organization,
                email=f"guest{number}@example.com",
                role="viewer",
                token_hash=f"{number:064}",
                expires_at=timezone.now() + timedelta(days=7),
            )
    alice = signed_in(cast.alice)
    first, second = page(alice, MEMBERS), page(alice, f"{MEMBERS}?invited=2&page=1")
    assert len(re.findall(r"guest\d+@example\.com</bdi></td>", first)) == 25
    assert len(re.findall(r"guest\d+@example\.com</bdi></td>", second)) == 10
    assert 'href="/settings/members/?invited=2"' in first and "26 to 35 of 35 invitations" in words(second)
    assert 'href="/settings/members/?invited=1&page=1"' in second
    assert page(alice, f"{MEMBERS}?invited=junk")


def test_only_who_may_invite_sees_who_is_invited(
    cast: Cast, invitation: Invitation, signed_in: SignedIn
) -> None:
    assert "erin@example.com" in page(signed_in(cast.dave), MEMBERS)
    for member in (cast.bob, cast.carol):
        shown = page(signed_in(member), MEMBERS)
        assert "erin@example.com" not in shown and "Send the invitation" not in shown


def test_inviting_says_no_in_place_and_keeps_what_was_typed(
    cast: Cast, invitation: Invitation, signed_in: SignedIn
) -> None:
    alice = signed_in(cast.alice)
    for sent, status, said in (
        ({"email": "", "role": "viewer"}, 422, "Enter one e-mail address"),
        ({"email": "x", "role": "viewer"}, 422, "Enter one e-mail address"),
        ({"email": "x@example.com"}, 422, "Fill this in."),
        ({"email": "x@example.com", "role": "emperor"}, 422, "Select a valid choice"),
        ({"email": "bob@example.com", "role": "viewer"}, 409, "already a member"),
        ({"email": "erin@example.com", "role": "viewer"}, 409, "still valid"),
    ):
        answer = alice.post(MEMBERS, sent)
        assert answer.status_code == status and said in unescape(answer.content.decode())
    assert 'value="erin@example.com"' in answer.content.decode()
    assert alice.post(MEMBERS, {"email": "new@example.com", "role": "admin"}).status_code == 302


def test_who_is_not_confirmed_is_led_to_confirming(cast: Cast, signed_in: SignedIn) -> None:
    alice = signed_in(cast.alice)
    shown = page(alice, MEMBERS)
    assert "Your address is not confirmed." in shown and "Send the invitation" not in shown
    assert alice.post(MEMBERS, {"email": "x@example.com", "role": "viewer"}).status_code == 403


# ---- keys
def test_a_key_is_revoked_by_who_may(cast: Cast, key: ApiKey, signed_in: SignedIn) -> None:
    path = f"{KEYS}{key.public_id}/revoke/"
    climb(Door(path, "post", good=302, barred=("bob", "carol")), cast, signed_in)
    with inside(cast.alice):
        assert ApiKey.objects.get(pk=key.pk).revoked_at is not None
    assert "revoked" in page(signed_in(cast.dave), KEYS)
    assert "revoked the API key ci" in words(page(signed_in(cast.bob), EVENTS))


def test_a_key_is_shown_once_and_kept_nowhere(cast: Cast, signed_in: SignedIn) -> None:
    alice = signed_in(cast.alice)
    answer = alice.post(KEYS, KEY)
    token = re.search(r"plk_\w{33}", answer.content.decode())
    assert answer.status_code == 200 and token is not None
    assert answer.headers["Cache-Control"] == "no-store"
    assert token.group() not in page(alice, KEYS) + page(alice, EVENTS)
    me = Client().get("/api/v1/me/", headers={"Authorization": f"Bearer {token.group()}"})
    assert me.json()["scopes"] == ["logs:read", "servers:read"]
    with inside(cast.alice):
        expires = ApiKey.objects.get().expires_at
    assert expires is not None and 29 <= (expires - timezone.now()).days <= 30


def test_a_key_may_be_good_for_ever_if_one_says_so(cast: Cast, signed_in: SignedIn) -> None:
    assert signed_in(cast.alice).post(KEYS, KEY | {"expires": ""}).status_code == 200
    with inside(cast.alice):
        assert ApiKey.objects.get().expires_at is None


@pytest.mark.parametrize(
    ("sent", "said"),
    [
        ({"scopes": ["logs:read"]}, "Say what will use it"),
        ({"name": "ci"}, "Choose at least one thing that it may do."),
        ({"name": "ci", "scopes": ["everything"]}, "Select a valid choice"),
        ({"name": "x" * 81, "scopes": ["logs:read"]}, "80"),
        ({"name": "ci", "scopes": ["logs:read"], "expires": "1000000"}, "Select a valid choice"),
    ],
)
def test_a_bad_key_is_not_made(sent: dict[str, object], said: str, cast: Cast, signed_in: SignedIn) -> None:
    answer = signed_in(cast.alice).post(KEYS, sent)
    assert answer.status_code == 422
    assert said in unescape(answer.content.decode())
    with inside(cast.alice):
        assert not ApiKey.objects.exists()


def test_who_may_not_make_keys_is_told_so_whatever_was_sent(cast: Cast, signed_in: SignedIn) -> None:
    for member in (cast.bob, cast.carol):
        assert "needs the admin role" in page(signed_in(member), KEYS)
        for sent in (KEY, {}):
            assert signed_in(member).post(KEYS, sent).status_code == 403


def test_more_keys_and_changes_are_not_more_questions(cast: Cast, signed_in: SignedIn) -> None:
    dave = signed_in(cast.dave)
    few = [queries_of(dave, path) for path in (KEYS, EVENTS)]
    with inside(cast.alice):
        for number in range(12):
            create_api_key(cast.alice, f"key {number}", ["logs:read"])
    # One more asks how many there are, now that there are any.
    assert [queries_of(dave, path) for path in (KEYS, EVENTS)] == [few[0] + 1, few[1]]


# ---- audit events
def test_changes_are_told_in_words_and_lead_to_what_was_changed(
    acme: Acme, cast: Cast, signed_in: SignedIn
) -> None:
    shown = page(signed_in(cast.bob), EVENTS)
    for did in ("registered the server", "wrote the policy", "issued the grant", "created the organization"):
        assert did in shown
    for path in (f"/servers/{acme.server.public_id}/", f"/policies/{acme.policy.public_id}/"):
        assert f'href="{path}"' in shown


def test_an_event_says_what_changed_from_what_and_with_which_key(
    acme: Acme, cast: Cast, signed_in: SignedIn
) -> None:
    """It says of a URL the host alone, since the rest may be a secret."""
    with inside(cast.alice):
        key, _ = create_api_key(cast.alice, "nightly", ["servers:write"])
        other = create_policy(cast.alice, acme.server, "Night shift")
        url = "https://new.example/mcp?token=s3cret"
        change_server(cast.alice, acme.server, name="IAM", upstream_url=url)
        change_server(cast.alice, acme.server, headers={"Authorization": "Bearer s3cret"})
        move_grant(cast.alice, acme.grant, other)
        move_grant(cast.alice, acme.grant, None)
        issue_grant(cast.alice, acme.server, other, "phone")
        set_approval_rules(cast.alice, seconds=1_800, self_approval=False)
        cast.alice.acting_key = key
        change_server(cast.alice, acme.server, name="IAM by key")
        stored = str(list(AuditEvent.objects.values("details")))
    shown = words(page(signed_in(cast.bob), EVENTS))
    for said in (
        "it was named AWS IAM, its URL, on new.example (it was on 127.0.0.1)",
        "IAM its credentials",
        f"from {acme.policy.name} to Night shift",
        "from Night shift to no policy",
        "phone on AWS IAM, under Night shift",
        "the time a call waits from 15 minutes to 30 minutes",
        "approving one’s own calls from allowed while nobody else could to not allowed",
        "by key nightly changed the server",
    ):
        assert said in shown, (said, shown)
    assert "s3cret" not in stored
    asked = signed_in(cast.bob)
    (event,) = asked.get(f"/api/v1/audit-events/?key={key.public_id}").json()["results"]
    assert (event["verb"], event["actor_key"], event["actor_member"]) == (
        "server.changed",
        key.public_id,
        cast.alice.public_id,
    )
    assert event["details"] == {"changed": ["name"], "before": {"name": "IAM"}}
    others = asked.get("/api/v1/audit-events/?verb=grant.moved").json()["results"]
    assert {one["actor_key"] for one in others} == {None}


@pytest.mark.parametrize(
    ("before", "said"),
    [
        ({}, ""),
        ({"before": {"approval_seconds": 900, "self_approval": False}}, ""),
        (
            {"before": {"approval_seconds": 1_800, "self_approval": False}},
            "the time a call waits from 30 minutes to 15 minutes",
        ),
        (
            {"before": {"approval_seconds": 900, "self_approval": None}},
            "approving one’s own calls from allowed while nobody else could to not allowed",
        ),
    ],
)
def test_an_event_says_of_settings_only_what_changed(before: dict[str, object], said: str) -> None:
    """Events of earlier versions do not say what the rules were before."""
    rules = {"approval_seconds": 900, "self_approval": False}
    (change,) = changes([AuditEvent(verb="approval_rules.changed", details=before | rules)])
    assert change.more == said


@pytest.mark.parametrize(
    ("before", "said"),
    [
        ({}, "its URL, on mcp.example"),
        ({"before": {"upstream_host": "old.example"}}, "its URL, on mcp.example (it was on old.example)"),
        ({"before": {"upstream_host": "mcp.example"}}, "its URL, still on mcp.example"),
    ],
)
def test_an_event_names_the_host_of_a_url_twice_only_if_it_changed(
    before: dict[str, object], said: str
) -> None:
    details = {"changed": ["upstream_url"], "upstream_host": "mcp.example"}
    (change,) = changes([AuditEvent(verb="server.changed", details=before | details)])
    assert change.more == said


@pytest.mark.parametrize(
    ("host", "said"), [("old.example", "it was old.example"), ("hooks.example", "another URL of that host")]
)
def test_an_event_of_a_webhook_names_another_host_only_if_there_was_one(host: str, said: str) -> None:
    event = AuditEvent(
        verb="webhook.changed", subject_name="hooks.example", details={"before": {"host": host}}
    )
    (change,) = changes([event])
    assert change.more == said


def test_events_are_found_by_person_name_id_and_kind(acme: Acme, cast: Cast, signed_in: SignedIn) -> None:
    bob = signed_in(cast.bob)
    assert "wrote the policy" not in page(bob, EVENTS + "?kind=servers")
    assert "registered the server" in page(bob, EVENTS + "?kind=servers")
    assert "registered the server" in page(bob, f"{EVENTS}?q={acme.server.public_id}")
    assert "issued the grant" in page(bob, EVENTS + "?q=LAPTOP&kind=grants")
    assert "No event matches" in page(bob, EVENTS + "?q=nobody@")
    for odd in ("?kind=x&page=-4", "?q=%00&page=nine", "?q=%25_&page=999999"):
        assert bob.get(EVENTS + odd).status_code == 200


def test_many_events_are_pages(cast: Cast, signed_in: SignedIn) -> None:
    with inside(cast.alice):
        for number in range(51):
            create_api_key(cast.alice, f"key {number}", ["logs:read"])
    bob = signed_in(cast.bob)
    assert "1 to 50 of 52 events" in words(page(bob, EVENTS))
    second = words(page(bob, EVENTS + "?page=2"))
    assert "51 to 52 of 52 events" in second and "This list has" not in second
    assert "This list has" not in words(page(bob, EVENTS + "?page=two"))


@pytest.mark.parametrize("asked", ["3", "999", "-1", "0", "9" * 40])
def test_a_page_that_a_list_does_not_have_shows_the_last_one_and_says_so(
    cast: Cast, signed_in: SignedIn, asked: str
) -> None:
    with inside(cast.alice):
        for number in range(51):
            create_api_key(cast.alice, f"key {number}", ["logs:read"])
    bob = signed_in(cast.bob)
    said = words(page(bob, f"{EVENTS}?page={asked}"))
    assert "51 to 52 of 52 events. This list has 2 pages; this is the last one." in said
    alone = words(page(bob, f"{EVENTS}?page={asked}&q=key+7"))
    assert "1 to 1 of 1 events. This list has one page." in alone


def test_every_verb_that_is_written_has_words_and_a_kind() -> None:
    written = set()
    for folder in ("accounts", "servers", "policies", "approvals", "gateway_config", "audit", "catalog"):
        for file in (ROOT / folder).rglob("*.py"):
            for call in ast.walk(ast.parse(file.read_text())):
                if isinstance(call, ast.Call) and getattr(call.func, "id", "") in {"record_event", "_record"}:
                    verbs = [each for each in ast.walk(call) if isinstance(each, ast.Constant)]
                    written |= {str(each.value) for each in verbs if _is_verb(each.value)}
    assert len(written) >= 20
    assert written <= set(DID), written - set(DID)
    beginnings = tuple(start for _, starts in KINDS.values() for start in starts)
    assert {verb for verb in DID if not verb.startswith(beginnings)} == set()


def _is_verb(value: object) -> bool:
    return isinstance(value, str) and re.fullmatch(r"[a-z_]+\.[a-z_]+", value) is not None


def test_owners_choose_whose_values_the_log_keeps(cast: Cast, signed_in: SignedIn) -> None:
    typed = SECURED | {"kept_arguments": " args.amount\r\nargs.customer.id\r\n\r\nargs.amount"}
    assert signed_in(cast.carol).post(SECURITY, typed).status_code == 403
    assert signed_in(cast.alice).post(SECURITY, typed).status_code == 302
    with inside(cast.alice):
        assert Organization.objects.get().kept_arguments == ["args.amount", "args.customer.id"]
    assert "args.customer.id" in page(signed_in(cast.bob), SECURITY)
    told = signed_in(cast.alice).post(SECURITY, SECURED | {"kept_arguments": "args.True"})
    assert told.status_code == 302
    with inside(cast.alice):
        newest = AuditEvent.objects.filter(verb="security.changed").latest("at")
    assert "from args.amount, args.customer.id to args.True" in changes([newest])[0].more
    assert signed_in(cast.alice).post(SECURITY, SECURED).status_code == 302
    with inside(cast.mallory):
        assert Organization.objects.get().kept_arguments == []


@pytest.mark.parametrize(
    "wrong",
    [
        "amount",
        "args",
        "args.a[*]",
        "args[0]",
        "args.a b",
        "args." + "a" * 300,
        "\n".join(f"args.a{n}" for n in range(51)),
    ],
)
def test_what_is_no_path_of_one_argument_is_refused_and_kept_in_the_field(
    wrong: str, cast: Cast, signed_in: SignedIn
) -> None:
    answer = signed_in(cast.alice).post(SECURITY, SECURED | {"kept_arguments": wrong})
    assert answer.status_code == 422
    assert (
        "Nothing was changed." in answer.content.decode() and wrong.split("\n")[0] in answer.content.decode()
    )
    with inside(cast.alice):
        assert Organization.objects.get().kept_arguments == []


def test_members_and_keys_are_found_by_what_they_are_called(cast: Cast, signed_in: SignedIn) -> None:
    alice = signed_in(cast.alice)
    with inside(cast.alice):
        for name in ("build", "deploy"):
            create_api_key(cast.alice, name, ["logs:read"], None)
    found = alice.get("/settings/members/?q=CAROL").content.decode()
    assert "carol@" in found and "dave@" not in found and "1 of 4" in found
    assert "Nobody matches" in alice.get("/settings/members/?q=%3Cb%3E%00").content.decode()
    found = alice.get("/settings/api-keys/?q=DEPL").content.decode()
    assert "deploy" in found and "build" not in found and "1 of 2" in found
    assert "No key matches" in alice.get("/settings/api-keys/?q=%3Cb%3E").content.decode()
