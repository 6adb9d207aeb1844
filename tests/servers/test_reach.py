"""What agents can call, as lists say it: never older than what is in force."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from accounts.models import Membership
from policies.language.effects import Effect
from policies.models import Grant
from policies.services import create_policy, issue_grant, publish_policy, revoke_grant, save_draft
from servers import reach
from servers.models import Tool
from servers.reach import furthest
from servers.shelves import Row, shelves
from tests.cast import Acme, Cast, inside

BY_CLASS = '{"version": "1", "default": "deny", "classes": {"Read": {}}}'
OPEN = '{"version": "1", "default": "allow"}'


def rows_of(member: Membership) -> dict[str, Row]:
    return {row.tool.name: row for shelf in shelves(member) for row in shelf.rows}


def seen(member: Membership) -> dict[str, Effect | None]:
    with inside(member):
        return {name: row.effect for name, row in rows_of(member).items()}


@pytest.fixture
def published(acme: Acme, cast: Cast) -> Acme:
    with inside(cast.alice):
        publish_policy(cast.alice, acme.policy)
    return acme


def test_a_new_revision_is_seen_at_once(published: Acme, cast: Cast) -> None:
    assert seen(cast.bob)["create_access_key"] is Effect.LIMITED
    with inside(cast.alice):
        publish_policy(cast.alice, save_draft(cast.alice, published.policy, OPEN))
    assert set(seen(cast.bob).values()) == {Effect.ALLOWED}


def test_a_class_counts_for_the_definition_it_was_given_for(published: Acme, cast: Cast) -> None:
    with inside(cast.alice):
        publish_policy(cast.alice, save_draft(cast.alice, published.policy, BY_CLASS))
    assert seen(cast.bob)["list_users"] is Effect.ALLOWED
    with inside(cast.alice):
        Tool.objects.filter(name="list_users").update(digest="f" * 64)
    assert seen(cast.bob)["list_users"] is not Effect.ALLOWED


def test_only_grants_that_a_client_can_call_with_reach_anything(published: Acme, cast: Cast) -> None:
    with inside(cast.alice):
        Grant.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    assert set(seen(cast.bob).values()) == {None}
    with inside(cast.alice):
        Grant.objects.update(expires_at=timezone.now() + timedelta(days=1))
        assert None not in seen(cast.alice).values()
        revoke_grant(cast.alice, published.grant)
    assert set(seen(cast.bob).values()) == {None}


def test_of_two_grants_the_one_that_gets_furthest_is_shown(published: Acme, cast: Cast) -> None:
    with inside(cast.alice):
        other = create_policy(cast.alice, published.server, "wide", OPEN)
        publish_policy(cast.alice, other)
        issue_grant(cast.alice, published.server, other, "desk")
        rows = rows_of(cast.alice)
    assert (rows["create_access_key"].effect, rows["create_access_key"].rule) == (
        Effect.ALLOWED,
        "(default allow)",
    )
    assert rows["create_access_key"].grants == ("desk", "laptop")
    assert rows["delete_user"].grants == ("desk",) and rows["delete_user"].unruled


def test_what_is_kept_of_policies_is_bounded(
    published: Acme, cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = reach._Known(most=4)
    monkeypatch.setattr(reach, "_known", kept)
    for text in (OPEN, BY_CLASS, OPEN):
        with inside(cast.alice):
            publish_policy(cast.alice, save_draft(cast.alice, published.policy, text))
        assert seen(cast.bob) == seen(cast.bob)
        assert sum(len(found) for found in kept._found.values()) == 1


def test_nobody_sees_what_anothers_agents_can_call(published: Acme, cast: Cast) -> None:
    definitions = [(name, "") for name in seen(cast.bob)]
    with inside(cast.mallory):
        assert shelves(cast.mallory) == []
        assert furthest(cast.mallory, {published.server.pk: definitions}) == {}
