"""An organization is deleted while its calls begin to wait: all of them end, and nothing is left behind."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.db import connection

from accounts.models import Membership, Organization
from accounts.services.closing import delete_organization
from approvals import claims
from approvals.models import Approval
from common.events import organization_closed
from tests.accounts.test_held_up_by_nobody import Halt, stuck, within_a_moment
from tests.accounts.test_leaving_meanwhile import in_a_thread
from tests.approvals.calls import ask, claimed, waiting
from tests.cast import Acme, Cast, confirm, inside
from tests.meanwhile import somebody_waits_for_us, until
from tests.roles import as_owner

pytestmark = pytest.mark.django_db(transaction=True)

GONE = "Refused: there is no such grant, or it calls no more"
OTHER_RULES = "b" * 64


@pytest.fixture
def closing(monkeypatch: pytest.MonkeyPatch) -> Halt:
    """A deletion stops when it holds its organization and has deleted nothing yet."""
    halt = Halt()
    monkeypatch.setattr(organization_closed, "send", halt.before(organization_closed.send))
    return halt


@pytest.fixture(autouse=True)
def told_by_mail(cast: Cast, acme: Acme) -> None:
    """Alice is, of each call that begins to wait: that stores notices too."""
    confirm(cast.alice)


def _delete(by: Membership) -> None:
    with inside(by):
        delete_organization(Membership.objects.get(pk=by.pk), "Acme")


def _waiters(count: int) -> Callable[[], bool]:
    def so_many() -> bool:
        with connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM pg_locks WHERE NOT granted")
            return bool(cursor.fetchone() == (count,))

    return so_many


def _nothing_is_left() -> bool:
    with as_owner():
        return not Approval.objects.exists() and not Organization.objects.filter(name="Acme").exists()


def test_every_call_that_begins_to_wait_is_told_that_its_grant_is_gone(
    cast: Cast, acme: Acme, closing: Halt
) -> None:
    said: list[str] = []
    with stuck(closing, cast.alice, lambda: _delete(cast.alice)):
        first = in_a_thread(lambda: ask(acme.grant, {"user_name": "bob"}), said)
        until(_waiters(1))
        second = in_a_thread(lambda: ask(acme.grant, {"user_name": "carol"}), said)
        until(_waiters(2))
    first.join()
    second.join()
    assert said == [GONE, GONE] and _nothing_is_left()


def test_so_is_one_whose_earlier_approval_is_made_void(cast: Cast, acme: Acme, closing: Halt) -> None:
    """Neither waits for the other in a circle, which the database would end by refusing one of them."""
    waiting(acme)
    said: list[str] = []
    with stuck(closing, cast.alice, lambda: _delete(cast.alice)):
        thread = in_a_thread(lambda: ask(acme.grant, {"user_name": "bob"}, rules=OTHER_RULES), said)
        until(somebody_waits_for_us)
    thread.join()
    assert said == [GONE] and _nothing_is_left()


def test_a_call_that_has_made_its_earlier_approval_void_still_begins_to_waiters(
    cast: Cast, acme: Acme, monkeypatch: pytest.MonkeyPatch
) -> None:
    waiting(acme)
    beginning = Halt()
    monkeypatch.setattr(claims, "_leave_room", beginning.before(claims._leave_room))
    said: list[str] = []
    asking = in_a_thread(lambda: ask(acme.grant, {"user_name": "bob"}, rules=OTHER_RULES), said)
    assert beginning.reached.wait(60)
    deleting = in_a_thread(lambda: _delete(cast.alice), said)
    until(somebody_waits_for_us)
    beginning.may_go_on.set()
    asking.join()
    deleting.join()
    assert said == ["done", "done"] and _nothing_is_left()


def test_a_claim_that_makes_an_approval_void_waits_for_nobody(cast: Cast, acme: Acme, closing: Halt) -> None:
    waiting(acme)
    with stuck(closing, cast.alice, lambda: _delete(cast.alice)):
        again = claimed(acme.grant, {"user_name": "bob"}, rules=OTHER_RULES)
        assert within_a_moment(claims.claim, again).state == "none"
    assert _nothing_is_left()
