"""Somebody deletes their account while an invitation is accepted in their name."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest
from django.db import connection

from accounts.models import Invitation, Membership, User
from accounts.services import memberships_of
from accounts.services import people as people_services
from accounts.services.invitations import accept, invite
from accounts.services.people import delete_account
from common.errors import DomainError
from tests.accounts.test_invitations import sent_token
from tests.cast import Cast, confirm, inside, person

pytestmark = pytest.mark.django_db(transaction=True)


def in_a_thread(act: Callable[[], object], said: list[str]) -> threading.Thread:
    def run() -> None:
        try:
            act()
            said.append("done")
        except DomainError as refused:
            said.append(type(refused).__name__)
        except Exception as broken:
            said.append(f"{type(broken).__name__}: {broken}")
        finally:
            connection.close()

    thread = threading.Thread(target=run)
    thread.start()
    return thread


def test_who_joins_while_their_account_is_deleted_leaves_nothing_behind(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    erin = person("erin")
    with inside(cast.alice):
        confirm(cast.alice)
        invite(cast.alice, "erin@example.com", "viewer")
    token = sent_token()
    joined: list[str] = []

    def then_joins(user: User) -> object:
        found = memberships_of(user)
        thread = in_a_thread(lambda: accept(User.objects.get(pk=erin.pk), token), joined)
        thread.join(2)
        threads.append(thread)
        return found

    threads: list[threading.Thread] = []
    monkeypatch.setattr(people_services, "memberships_of", then_joins)
    delete_account(erin)
    threads[0].join()
    assert joined == ["NotFound"]
    assert not User.objects.filter(email="erin@example.com").exists()
    with inside(cast.alice):
        assert not Membership.objects.filter(user__email="erin@example.com").exists()
        assert Invitation.objects.get().state == "open"
