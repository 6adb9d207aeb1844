"""What is done in a list leads back to the list as it was: with its search and on its page."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from accounts.models import ApiKey, Invitation
from accounts.services import create_api_key
from tests.cast import Cast, confirm, inside
from tests.ladder import SignedIn

SITE = "http://testserver"
MEMBERS, KEYS = "/settings/members/", "/settings/api-keys/"


@pytest.fixture
def alice(cast: Cast, signed_in: SignedIn) -> Client:
    confirm(cast.alice)
    return signed_in(cast.alice)


def _invite_many(cast: Cast) -> Invitation:
    """Return the one that is on the second page."""
    until = timezone.now() + timedelta(days=7)
    with inside(cast.alice):
        sent = [
            Invitation.objects.create(
                organization=cast.alice.organization,
                email=f"guest{number}@example.com",
                role="viewer",
                token_hash=f"{number:064}",
                expires_at=until,
            )
            for number in range(30)
        ]
    return sent[0]


def test_a_search_is_kept_when_a_role_is_changed_and_a_key_revoked(cast: Cast, alice: Client) -> None:
    role = f"{MEMBERS}{cast.bob.public_id}/role/"
    done = alice.post(role, {"role": "admin"}, headers={"Referer": f"{SITE}{MEMBERS}?q=bob&invited=2"})
    assert done["Location"] == f"{MEMBERS}?q=bob&invited=2"
    with inside(cast.alice):
        key: ApiKey = create_api_key(cast.alice, "ci", ["logs:read"])[0]
    revoke = f"{KEYS}{key.public_id}/revoke/"
    assert alice.post(revoke, headers={"Referer": f"{SITE}{KEYS}?q=ci"})["Location"] == f"{KEYS}?q=ci"


@pytest.mark.parametrize(
    "came_from", ["https://elsewhere.example/settings/members/?q=bob", f"{SITE}{KEYS}?q=bob", ""]
)
def test_nothing_is_kept_of_another_page(came_from: str, cast: Cast, alice: Client) -> None:
    role = f"{MEMBERS}{cast.bob.public_id}/role/"
    headers = {"Referer": came_from} if came_from else {}
    assert alice.post(role, {"role": "admin"}, headers=headers)["Location"] == MEMBERS


def test_a_refusal_is_said_in_its_row_on_any_page_and_the_pages_can_be_turned(
    cast: Cast, alice: Client
) -> None:
    first = _invite_many(cast)
    resend = f"/settings/invitations/{first.public_id}/resend/"
    refused = alice.post(resend, headers={"Referer": f"{SITE}{MEMBERS}?invited=2"})
    shown = refused.content.decode()
    (row,) = re.findall(r"<tr>(?:(?!</tr>).)*guest0@example.com.*?</tr>", shown, re.DOTALL)
    assert refused.status_code == 429 and "less than a minute ago" in row
    # The address of the form has no page: what is searched or turned there leads to the list.
    assert f'href="{MEMBERS}?invited=1"' in shown
    assert f'<form method="get" action="{MEMBERS}"' in shown
