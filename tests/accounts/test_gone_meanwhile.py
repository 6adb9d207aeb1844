"""The organization, or the person, is deleted while what was asked for waits its turn: whoever asked is told
that there is nothing, and nothing is left behind."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.db import transaction

from accounts.models import Membership, Organization, User
from accounts.services import memberships_of
from accounts.services.closing import delete_organization
from accounts.services.invitations import accept, invite
from accounts.services.members import change_role
from accounts.services.organizations import found_another
from accounts.services.people import delete_account
from approvals.notices import remind
from approvals.services import approve, decline
from tests.accounts.test_demoted_meanwhile import ACTS, VERBS
from tests.accounts.test_invitations import sent_token
from tests.accounts.test_leaving_meanwhile import in_a_thread
from tests.approvals.calls import waiting
from tests.cast import Acme, Cast, confirm, inside, person
from tests.meanwhile import somebody_waits_for_us, until

pytestmark = pytest.mark.django_db(transaction=True)


def meanwhile(act: Callable[[], object], gone: Callable[[], object]) -> list[str]:
    """What the act came to, begun before and done after."""
    said: list[str] = []
    with transaction.atomic():
        gone()
        thread = in_a_thread(act, said)
        until(somebody_waits_for_us)
    thread.join()
    return said


def inside_of(by: Membership, act: Callable[[], object]) -> Callable[[], object]:
    def run() -> None:
        with inside(by):
            act()

    return run


def closes(cast: Cast) -> None:
    with inside(cast.alice):
        delete_organization(Membership.objects.get(pk=cast.alice.pk), "Acme")


MORE: dict[str, Callable[[Cast, Acme], object]] = {
    "change a role": lambda cast, _: change_role(cast.alice, cast.bob, "admin"),
    **{name: lambda cast, _, act=act: act(cast.alice) for name, act in ACTS.items()},  # type: ignore[misc]
    **{name: lambda cast, acme, act=act: act(cast.alice, acme) for name, (_, act) in VERBS.items()},  # type: ignore[misc]
}


@pytest.mark.parametrize("verb", MORE)
def test_an_organization(cast: Cast, acme: Acme, verb: str) -> None:
    confirm(cast.alice)
    said = meanwhile(inside_of(cast.alice, lambda: MORE[verb](cast, acme)), lambda: closes(cast))
    assert said == ["NotFound"]
    with inside(cast.alice):
        assert not Organization.objects.exists()


@pytest.mark.parametrize("verb", [approve, decline, remind])
def test_an_organization_whose_call_is_answered(cast: Cast, acme: Acme, verb: Callable[..., object]) -> None:
    row = waiting(acme)
    act = inside_of(cast.carol, lambda: verb(cast.carol, row))
    assert meanwhile(act, lambda: closes(cast)) == ["NotFound"]


def test_an_organization_that_is_joined(cast: Cast) -> None:
    erin = person("erin")
    with inside(cast.alice):
        confirm(cast.alice)
        invite(cast.alice, "erin@example.com", "viewer")
    token = sent_token()
    assert meanwhile(lambda: accept(erin, token), lambda: closes(cast)) == ["NotFound"]
    assert memberships_of(erin) == []


@pytest.mark.parametrize("act", [lambda user: found_another(user, "Another"), delete_account])
def test_a_person(db: None, act: Callable[[User], object]) -> None:
    erin = person("erin")
    said = meanwhile(lambda: act(erin), lambda: delete_account(User.objects.get(pk=erin.pk)))
    assert said == ["NotFound"]
    assert memberships_of(erin) == []
