"""Two people at one policy: each is told what the other did; no other organization hears of it."""

from __future__ import annotations

import asyncio
from functools import partial

import pytest
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.contrib.sessions.backends.db import SessionStore
from django.test import Client
from django.urls import reverse

from accounts.models import Membership
from accounts.streams import Viewer, follow
from common.async_database import in_thread
from common.notifications import POLICIES
from policies.models import Policy
from policies.services import publish_policy, save_draft
from policies.views.others import _news, position_of
from tests.cast import POLICY, Acme, Cast, inside
from tests.policies.screens import SignedIn, page, words


def events(acme: Acme, member: Membership, position: int) -> list[str]:
    with inside(member):
        return _news(acme.policy.pk, member, position).events


def position(acme: Acme, member: Membership) -> int:
    with inside(member):
        return position_of(Policy.objects.select_related("published_revision").get(pk=acme.policy.pk))


def test_a_saved_draft_and_a_published_revision_are_news_once(cast: Cast, acme: Acme) -> None:
    began = position(acme, cast.carol)
    assert events(acme, cast.carol, began) == []
    with inside(cast.alice):
        save_draft(cast.alice, acme.policy, POLICY + "\n")
    [saved] = events(acme, cast.carol, began)
    assert 'data-version="2"' in saved and 'data-revision="0"' in saved
    after = position(acme, cast.carol)
    assert events(acme, cast.carol, after) == []
    with inside(cast.alice):
        publish_policy(cast.alice, acme.policy, note="<b>tighter</b>")
    [published] = events(acme, cast.carol, after)
    assert 'data-revision="1"' in published and "alice@example.com" in published
    assert "&lt;b&gt;tighter" in published and "<b>tighter" not in published


def test_another_organization_hears_nothing(cast: Cast, acme: Acme) -> None:
    with inside(cast.alice):
        save_draft(cast.alice, acme.policy, POLICY + "\n")
    assert events(acme, cast.mallory, 0) == []


def session_of(member: Membership) -> str:
    session = SessionStore()
    session[SESSION_KEY] = str(member.user.pk)
    session[BACKEND_SESSION_KEY] = "allauth.account.auth_backends.AuthenticationBackend"
    session[HASH_SESSION_KEY] = member.user.get_session_auth_hash()
    session.create()
    assert session.session_key is not None
    return str(session.session_key)


@pytest.mark.django_db(transaction=True)
def test_it_is_told_as_it_happens(cast: Cast, acme: Acme) -> None:
    viewer = Viewer(cast.carol.pk, cast.carol.organization_id, cast.carol.user_id, session_of(cast.carol))
    began = position(acme, cast.carol)

    def save() -> None:
        with inside(cast.alice):
            save_draft(cast.alice, acme.policy, POLICY + "\n")

    async def listen() -> str:
        stream = follow(viewer, POLICIES, partial(_news, acme.policy.pk), began)
        async with asyncio.timeout(60):
            await anext(stream)
            saving = asyncio.create_task(in_thread(save))
            async for chunk in stream:
                if "event: swap" in chunk:
                    await saving
                    return chunk
        return ""

    assert 'data-version="2"' in asyncio.run(listen())


def test_theirs_stands_against_mine(cast: Cast, acme: Acme, signed_in: SignedIn) -> None:
    with inside(cast.alice):
        save_draft(cast.alice, acme.policy, POLICY.replace("30", "60"))
    path = reverse("policies:difference", args=[acme.policy.public_id])
    shown = words(signed_in(cast.carol).post(path, {"document": POLICY}))
    assert "1 line added, 1 removed" in shown
    assert "same, line by line" in words(signed_in(cast.bob).post(path, {}))


def test_the_page_listens_from_where_it_stands(cast: Cast, acme: Acme, signed_in: SignedIn) -> None:
    live = reverse("policies:others", args=[acme.policy.public_id])
    for member in (cast.carol, cast.bob):
        shown = page(signed_in(member).get(reverse("policies:editor", args=[acme.policy.public_id])))
        assert f'data-live="{live}" data-live-from="{position(acme, member)}"' in shown


def test_the_ladder(cast: Cast, acme: Acme, signed_in: SignedIn) -> None:
    live = reverse("policies:others", args=[acme.policy.public_id])
    difference = reverse("policies:difference", args=[acme.policy.public_id])
    assert signed_in(cast.mallory).get(live).status_code == 404
    assert signed_in(cast.mallory).post(difference).status_code == 404
    assert Client().get(live).status_code == 302
    assert signed_in(cast.carol).post(live).status_code == 405
    assert signed_in(cast.carol).get(difference).status_code == 405
    answer = signed_in(cast.bob).get(live)
    assert answer.status_code == 200 and answer["Content-Type"] == "text/event-stream"
    answer.close()
