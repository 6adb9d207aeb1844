"""Who belongs, and as what: the rules of owners, at once and one after another."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest
from django.db import connection
from django.test import Client
from django.utils import timezone

from accounts.models import ApiKey, AuditEvent, Membership, Role
from accounts.services import create_api_key, memberships_of
from accounts.services.members import change_role, leave, remove_member
from accounts.views.people import _members
from common.errors import Conflict, InvalidInput, NotAllowed, NotFound
from policies.models import Grant
from tests.cast import Acme, Cast, inside, person


def roles(cast: Cast) -> dict[str, str]:
    with inside(cast.alice):
        found = Membership.objects.select_related("user")
        return {one.user.email.partition("@")[0]: one.role for one in found}


def test_the_last_owner_neither_leaves_nor_steps_down_nor_is_removed(cast: Cast) -> None:
    before = roles(cast)
    with inside(cast.alice):
        for act in (
            lambda: leave(cast.alice),
            lambda: remove_member(cast.alice, cast.alice),
            lambda: change_role(cast.alice, cast.alice, "viewer"),
        ):
            with pytest.raises(Conflict, match="at least one owner"):
                act()
    assert roles(cast) == before


def test_an_owner_leaves_once_there_is_another(cast: Cast) -> None:
    with inside(cast.alice):
        change_role(cast.alice, cast.dave, "owner")
        leave(cast.alice)
    assert memberships_of(cast.alice.user) == []
    with inside(cast.dave):
        assert AuditEvent.objects.filter(verb="member.left", actor_email="alice@example.com").exists()


@pytest.mark.parametrize("name", ["bob", "carol", "dave"])
def test_everybody_else_may_leave(name: str, cast: Cast) -> None:
    member: Membership = getattr(cast, name)
    with inside(member):
        leave(member)
    assert name not in roles(cast)


def test_an_admin_touches_no_owner_and_makes_none(cast: Cast) -> None:
    with inside(cast.dave):
        for member, role in ((cast.alice, "viewer"), (cast.bob, "owner"), (cast.dave, "owner")):
            with pytest.raises(NotAllowed, match="Changing owners needs the owner role"):
                change_role(cast.dave, member, role)
        with pytest.raises(NotAllowed):
            remove_member(cast.dave, cast.alice)
        change_role(cast.dave, cast.bob, "admin")
    assert roles(cast) == {"alice": "owner", "bob": "admin", "carol": "policy_manager", "dave": "admin"}


def test_a_role_that_is_none_is_refused(cast: Cast) -> None:
    with inside(cast.alice), pytest.raises(InvalidInput):
        change_role(cast.alice, cast.bob, "emperor")


def test_who_was_demoted_a_moment_ago_may_no_more(cast: Cast) -> None:
    stale = Membership(pk=cast.dave.pk, organization_id=cast.dave.organization_id, role=Role.ADMIN)
    stale.user = cast.dave.user
    with inside(cast.alice):
        change_role(cast.alice, cast.dave, "viewer")
        with pytest.raises(NotAllowed):
            remove_member(stale, cast.bob)


def test_a_member_of_another_organization_is_not_found(cast: Cast) -> None:
    with inside(cast.mallory), pytest.raises(NotFound):
        remove_member(cast.mallory, cast.bob)
    assert "bob" in roles(cast)


def test_keys_die_with_the_membership_and_grants_held_go_on(cast: Cast, acme: Acme) -> None:
    with inside(cast.dave):
        _, token = create_api_key(cast.dave, "ci", ["servers:read"])
        Grant.objects.filter(pk=acme.grant.pk).update(holder=cast.dave)
    headers = {"Authorization": f"Bearer {token}"}
    assert Client().get("/api/v1/me/", headers=headers).status_code == 200
    with inside(cast.alice):
        remove_member(cast.alice, cast.dave)
        assert not ApiKey.objects.exists()
        grant = Grant.objects.get(pk=acme.grant.pk)
        assert (grant.holder_id, grant.state) == (None, "active")
    assert Client().get("/api/v1/me/", headers=headers).status_code == 401


def test_only_keys_that_still_work_are_counted(cast: Cast) -> None:
    with inside(cast.dave):
        for over in (None, "revoked_at", "expires_at"):
            key, _ = create_api_key(cast.dave, "ci", ["servers:read"])
            if over:
                ApiKey.objects.filter(pk=key.pk).update(**{over: timezone.now()})
    with inside(cast.alice):
        counted = {row.pk: getattr(row, "keys") for row in _members(cast.alice)}  # noqa: B009
    assert (counted[cast.dave.pk], counted[cast.bob.pk]) == (1, 0)


def test_a_key_leaves_nothing_without_its_scope(cast: Cast) -> None:
    with inside(cast.dave):
        cast.dave.acting_key, _ = create_api_key(cast.dave, "ci", ["servers:write"])
        with pytest.raises(NotAllowed, match="members:write"):
            leave(cast.dave)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("act", [leave, lambda member: change_role(member, member, "viewer")])
def test_of_two_owners_who_go_at_once_one_stays(act: Callable[[Membership], object], cast: Cast) -> None:
    with inside(cast.alice):
        other = Membership.objects.create(
            organization=cast.alice.organization, user=person("olga"), role=Role.OWNER
        )
    refused: list[str] = []
    start = threading.Barrier(2)

    def go(member: Membership) -> None:
        try:
            start.wait()
            with inside(member):
                act(member)
        except Conflict as stays:
            refused.append(stays.message)
        finally:
            connection.close()

    threads = [threading.Thread(target=go, args=(member,)) for member in (cast.alice, other)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(refused) == 1
    with inside(cast.dave):
        assert Membership.objects.filter(role=Role.OWNER).count() == 1
