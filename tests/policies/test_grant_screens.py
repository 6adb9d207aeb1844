"""The grant's pages: a token is shown once, in one answer, and everything about it is text."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.contrib.sessions.models import Session
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from common.tokens import is_well_formed, token_hash
from policies.models import Grant
from policies.services import create_policy, issue_grant, publish_policy
from servers.models import Server
from servers.services import gateway_url, retire_server
from tests.cast import POLICY, Acme, Cast, inside
from tests.policies.screens import SignedIn, page, words

TOKEN = re.compile(r"plg_[0-9A-Za-z]{33}")


def filled(client: Client, acme: Acme, **changes: str) -> dict[str, str]:
    """The form as a person would send it, with the hidden fields the page holds."""
    shown = page(client.get(reverse("grants:issue"), {"server": acme.server.public_id}))
    once = re.search(r'name="once" value="([^"]+)"', shown)
    assert once is not None
    sent = {
        "server": acme.server.public_id,
        "once": once[1],
        "label": "laptop-cursor",
        "policy": str(acme.policy.pk),
        "expiry": "90",
    }
    return sent | changes


def test_the_token_stands_in_the_answer_and_nowhere_else(cast: Cast, acme: Acme, signed_in: SignedIn) -> None:
    client = signed_in(cast.dave)
    answer = client.post(reverse("grants:issue"), filled(client, acme))
    assert answer.status_code == 200
    assert answer["Cache-Control"] == "no-store"
    assert "Location" not in answer
    tokens = set(TOKEN.findall(page(answer)))
    assert len(tokens) == 1
    token = tokens.pop()
    assert is_well_formed(token, "plg_")
    with inside(cast.alice):
        grant = Grant.objects.get(token_hash=token_hash(token))
    assert token not in str(client.cookies)
    assert all(token not in str(session.get_decoded()) for session in Session.objects.all())
    for path in (reverse("grants:list"), reverse("grants:detail", args=[grant.public_id])):
        assert token not in page(client.get(path))


def test_a_grant_of_a_retired_server_is_not_said_to_call_anything(
    cast: Cast, acme: Acme, signed_in: SignedIn
) -> None:
    with inside(cast.alice):
        publish_policy(cast.alice, acme.policy)
    path, carol = reverse("grants:detail", args=[acme.grant.public_id]), signed_in(cast.carol)
    assert f"{acme.grant.label} can call 1 tool of {acme.server.name}" in words(carol.get(path))
    with inside(cast.alice):
        retire_server(cast.alice, acme.server)
    shown = words(carol.get(path))
    assert f"{acme.grant.label} can call nothing: {acme.server.name} is retired" in shown
    assert "can call 1 tool" not in shown


def test_sending_the_form_again_shows_no_token_and_issues_no_grant(
    cast: Cast, acme: Acme, signed_in: SignedIn
) -> None:
    client = signed_in(cast.dave)
    sent = filled(client, acme)
    first = client.post(reverse("grants:issue"), sent)
    again = client.post(reverse("grants:issue"), sent)
    assert again.status_code == 409
    assert "This token was shown once" in words(again)
    assert not TOKEN.search(page(again))
    assert again["Cache-Control"] == "no-store"
    assert TOKEN.search(page(first))
    with inside(cast.alice):
        assert Grant.objects.filter(label="laptop-cursor").count() == 1


def test_every_client_gets_the_real_address_and_token(cast: Cast, acme: Acme, signed_in: SignedIn) -> None:
    client = signed_in(cast.dave)
    answer = words(client.post(reverse("grants:issue"), filled(client, acme)))
    token = TOKEN.findall(answer)[0]
    for name in ("Claude Code", "Claude Desktop", "Cursor", "VS Code", "Windsurf", "Codex", "curl"):
        assert name in answer
    url = gateway_url(acme.server)
    assert f'claude mcp add --transport http aws-iam {url} --header "Authorization: Bearer {token}"' in answer
    assert "cursor://anysphere.cursor-deeplink/mcp/install?name=aws-iam&config=" in answer


def test_a_grant_is_held_by_whom_it_was_issued_for(cast: Cast, acme: Acme, signed_in: SignedIn) -> None:
    client = signed_in(cast.dave)
    form = page(client.get(f"{reverse('grants:issue')}?server={acme.server.public_id}"))
    assert f'<option value="{cast.dave.pk}" selected>' in form and str(cast.mallory.pk) not in form
    answer = client.post(reverse("grants:issue"), filled(client, acme, holder=str(cast.bob.pk)))
    assert 'Held by</dt><dd><bdi class="line">bob@example.com</bdi>' in words(answer)
    with inside(cast.alice):
        assert Grant.objects.get(label="laptop-cursor").holder_id == cast.bob.pk
    events = words(client.get("/settings/events/"))
    assert "on AWS IAM, under agents, held by bob@example.com" in events


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"label": ""}, "Say which agent it is for, in 1 to 80 ordinary characters."),
        ({"label": "a\u202eb"}, "Say which agent it is for, in 1 to 80 ordinary characters."),
        ({"policy": "x"}, "Choose one of this server’s policies."),
        ({"policy": "0194b6c0-3f7e-7d5a-9f7b-6a1d2f3c4b5a"}, "Choose one of this server’s policies."),
        ({"expiry": "1000000"}, "Choose one of the times."),
        ({"holder": "x"}, "Choose a member of this organization."),
        ({"holder": "0194b6c0-3f7e-7d5a-9f7b-6a1d2f3c4b5a"}, "Choose a member of this organization."),
        ({"once": "forged"}, "This form was open too long."),
        ({"once": ""}, "This form was open too long."),
    ],
)
def test_a_form_that_fails_keeps_what_was_typed_and_issues_nothing(
    change: dict[str, str], sentence: str, cast: Cast, acme: Acme, signed_in: SignedIn
) -> None:
    client = signed_in(cast.dave)
    answer = client.post(reverse("grants:issue"), filled(client, acme, **change))
    assert answer.status_code == 422
    assert sentence in words(answer)
    assert not TOKEN.search(page(answer))
    if "label" not in change:
        assert 'value="laptop-cursor"' in page(answer)
    with inside(cast.alice):
        assert Grant.objects.count() == 1


def test_a_form_made_for_another_person_issues_nothing(cast: Cast, acme: Acme, signed_in: SignedIn) -> None:
    sent = filled(signed_in(cast.alice), acme)
    assert signed_in(cast.dave).post(reverse("grants:issue"), sent).status_code == 422


@pytest.mark.parametrize("choice", ["7", "30", "90", "365", "never"])
def test_it_expires_when_chosen(choice: str, cast: Cast, acme: Acme, signed_in: SignedIn) -> None:
    client = signed_in(cast.dave)
    assert client.post(reverse("grants:issue"), filled(client, acme, expiry=choice)).status_code == 200
    with inside(cast.alice):
        expires_at = Grant.objects.get(label="laptop-cursor").expires_at
    if choice == "never":
        assert expires_at is None
    else:
        assert expires_at is not None
        assert abs(expires_at - timezone.now() - timedelta(days=int(choice))) < timedelta(minutes=1)


def test_a_grant_with_nothing_in_force_says_that_every_call_is_denied(
    cast: Cast, acme: Acme, signed_in: SignedIn
) -> None:
    client = signed_in(cast.dave)
    answer = words(client.post(reverse("grants:issue"), filled(client, acme)))
    assert "laptop-cursor is issued" in answer
    assert "Every call is denied for now." in answer
    with inside(cast.alice):
        publish_policy(cast.alice, acme.policy)
    later = words(client.post(reverse("grants:issue"), filled(client, acme, label="second")))
    assert "second can call AWS IAM now" in later
    assert "Under the policy agents, revision 1, until" in later


def test_revoking_ends_it_and_says_so(cast: Cast, acme: Acme, signed_in: SignedIn) -> None:
    client = signed_in(cast.dave)
    shown = words(client.get(reverse("grants:detail", args=[acme.grant.public_id])))
    assert "laptop can call nothing of AWS IAM" in shown
    answer = client.post(reverse("grants:revoke", args=[acme.grant.public_id]), follow=True)
    assert "laptop is revoked" in words(answer)
    assert "grants:revoke" not in page(answer)
    assert f"/grants/{acme.grant.public_id}/revoke/" not in page(answer)


def test_a_policy_manager_moves_a_grant_but_does_not_end_it(
    cast: Cast, acme: Acme, signed_in: SignedIn
) -> None:
    with inside(cast.alice):
        other = create_policy(cast.alice, acme.server, "other", POLICY)
        publish_policy(cast.alice, other)
    client = signed_in(cast.carol)
    path = reverse("grants:detail", args=[acme.grant.public_id])
    assert "Issuing and revoking grants needs the admin role" in words(client.get(path))
    moved = client.post(
        reverse("grants:move", args=[acme.grant.public_id]), {"policy": str(other.pk)}, follow=True
    )
    assert "laptop can call 1 tool of AWS IAM" in words(moved)
    refused = client.post(reverse("grants:move", args=[acme.grant.public_id]), {"policy": "nonsense"})
    assert refused.status_code == 422
    assert "Choose one of this server’s policies." in words(refused)


def test_a_revoked_grant_cannot_be_moved(cast: Cast, acme: Acme, signed_in: SignedIn) -> None:
    client = signed_in(cast.alice)
    client.post(reverse("grants:revoke", args=[acme.grant.public_id]))
    answer = client.post(reverse("grants:move", args=[acme.grant.public_id]), {"policy": ""})
    assert answer.status_code == 409


def test_the_page_listens_until_the_first_call(cast: Cast, acme: Acme, signed_in: SignedIn) -> None:
    client = signed_in(cast.bob)
    path = reverse("grants:first-call", args=[acme.grant.public_id])
    assert "hx-get" in page(client.get(path))
    with inside(cast.alice):
        Grant.objects.filter(pk=acme.grant.pk).update(last_used_at=timezone.now())
    heard = client.get(path)
    assert "The first call has arrived" in words(heard)
    assert "hx-get" not in page(heard)
    assert '<dd id="last-used" hx-swap-oob="true"><time' in page(heard), "the facts beside it say so, too"


def test_a_viewer_sees_the_grants_and_who_can_help(cast: Cast, acme: Acme, signed_in: SignedIn) -> None:
    shown = words(signed_in(cast.bob).get(reverse("grants:list")))
    assert "1 active grant of 1" in shown
    sentence = "Issuing and revoking grants needs the admin role. Yours is viewer; 2 people can help."
    assert sentence in shown
    assert reverse("grants:issue") not in shown


def test_hostile_names_are_text_on_every_page(cast: Cast, acme: Acme, signed_in: SignedIn) -> None:
    hostile = "<script>alert('x')</script>\"'"
    client = signed_in(cast.alice)
    answer = client.post(reverse("grants:issue"), filled(client, acme, label=hostile))
    assert answer.status_code == 200
    with inside(cast.alice):
        grant = Grant.objects.get(label=hostile)
    paths = [reverse("grants:list"), reverse("grants:detail", args=[grant.public_id])]
    for shown in (answer, *(client.get(path) for path in paths)):
        assert "<script>alert" not in page(shown)
        assert hostile in words(shown)


def test_the_list_asks_no_more_for_many_than_for_one(cast: Cast, acme: Acme, signed_in: SignedIn) -> None:
    client = signed_in(cast.bob)
    with inside(cast.alice):
        publish_policy(cast.alice, acme.policy)
    few = count_queries(client)
    with inside(cast.alice):
        for number in range(7):
            policy = create_policy(cast.alice, acme.server, f"more {number}", POLICY)
            publish_policy(cast.alice, policy)
            issue_grant(cast.alice, acme.server, policy, f"agent {number}")
    assert count_queries(client) == few


def count_queries(client: Client) -> int:
    with CaptureQueriesContext(connection) as asked:
        assert client.get(reverse("grants:list")).status_code == 200
    return len(asked)


@pytest.mark.parametrize("door", ["grants:issue", "policies:create"])
def test_among_many_servers_the_one_is_found_by_its_name_or_by_turning_pages(
    door: str, cast: Cast, acme: Acme, signed_in: SignedIn
) -> None:
    client = signed_in(cast.dave)
    assert "Find a server" not in page(client.get(reverse(door), {"server": acme.server.public_id}))
    with inside(cast.alice):
        for number in range(60):
            Server.objects.create(
                organization_id=cast.alice.organization_id,
                name=f"Platform {number:02}",
                upstream_url=f"https://mcp{number}.example.com/mcp",
            )
    first = page(client.get(reverse(door)))
    assert "Platform 48" in first and "Platform 49" not in first and "1 to 50 of 61 servers" in first
    assert "Platform 59" in page(client.get(reverse(door), {"page": "2"}))
    found = page(client.get(reverse(door), {"q": "form 49"}))
    assert "Platform 49" in found and "Platform 48" not in found
    assert "None of 61 servers" in page(client.get(reverse(door), {"q": "\x00nothing <b>"}))
