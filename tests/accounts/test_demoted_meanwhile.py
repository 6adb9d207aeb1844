"""Somebody's role ends while what they asked for waits its turn: it is not done any more."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import pytest
from django.db import connection, transaction

from accounts.models import Membership, Organization, Role
from accounts.services import rename_organization
from accounts.services.closing import delete_organization
from accounts.services.invitations import invite
from accounts.services.members import change_role
from accounts.services.settings import change_security
from approvals.changes import lock
from approvals.models import Approval
from approvals.services import approve, decline, set_approval_rules
from common.errors import NotAllowed
from tests.approvals.calls import fresh, waiting
from tests.cast import Acme, Cast, confirm, inside, person

pytestmark = pytest.mark.django_db(transaction=True)


def demoted_meanwhile(
    cast: Cast, who: Membership, act: Callable[[Membership], object], held: Callable[[], object]
) -> bool:
    """Whether the act, begun before and done after, was refused."""
    refused: list[str] = []

    def go() -> None:
        try:
            with inside(who):
                act(who)
        except NotAllowed as sentence:
            refused.append(sentence.message)
        finally:
            connection.close()

    with transaction.atomic(), inside(cast.alice):
        held()
        change_role(cast.alice, Membership.objects.get(pk=who.pk), Role.VIEWER)
        thread = threading.Thread(target=go)
        thread.start()
        until = time.monotonic() + 60
        with connection.cursor() as cursor:
            while time.monotonic() < until:
                cursor.execute("SELECT count(*) FROM pg_locks WHERE NOT granted")
                if cursor.fetchone() != (0,):
                    break
                time.sleep(0.01)
            else:
                raise AssertionError("it did not wait")
    thread.join()
    return bool(refused)


ACTS: dict[str, Callable[[Membership], object]] = {
    "delete": lambda by: delete_organization(by, "Acme"),
    "invite": lambda by: invite(by, "erin@example.com", Role.OWNER),
    "rename": lambda by: rename_organization(by, "Taken over"),
    "rules": lambda by: set_approval_rules(by, seconds=60, self_approval=True),
    "security": lambda by: change_security(by, explain_denials=True),
}


@pytest.mark.parametrize("act", ACTS)
def test_an_owner(cast: Cast, act: str) -> None:
    with inside(cast.alice):
        olga = Membership.objects.create(
            organization=cast.alice.organization, user=person("olga"), role=Role.OWNER
        )
        confirm(olga)
        before = Organization.objects.values().get()
    assert demoted_meanwhile(cast, olga, ACTS[act], lambda: None)
    with inside(cast.alice):
        assert Organization.objects.values().get() == before


@pytest.mark.parametrize("verb", [approve, decline])
def test_who_answers_a_waiting_call(
    cast: Cast, acme: Acme, verb: Callable[[Membership, Approval], Approval]
) -> None:
    row = waiting(acme)
    assert demoted_meanwhile(cast, cast.carol, lambda by: verb(by, row), lambda: lock([row.pk]))
    assert fresh(cast.alice, row).state == "pending"
