"""A grant is revoked or rotated, or its server is retired, while a call of it begins to wait or is given back
unused: both are done, and nothing is left waiting or approved that can no longer be called."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from accounts.models import Membership
from approvals import claims
from approvals.changes import keep
from approvals.models import Approval
from approvals.services import approve
from gateway_config.wire.approvals import ApprovalUnused
from policies.services import revoke_grant, rotate_grant
from servers.services import retire_server
from tests.accounts.test_gone_meanwhile import inside_of
from tests.accounts.test_held_up_by_nobody import Halt
from tests.accounts.test_leaving_meanwhile import in_a_thread
from tests.approvals.calls import approval, ask, claim, new_decision, waiting
from tests.audit.records import in_worker
from tests.cast import Acme, Cast, inside
from tests.meanwhile import somebody_waits_for_us, until

pytestmark = pytest.mark.django_db(transaction=True)

OTHER_RULES = "b" * 64
ACTS: dict[str, Callable[[Membership, Acme], object]] = {
    "revoke": lambda by, of: revoke_grant(by, of.grant),
    "rotate": lambda by, of: rotate_grant(by, of.grant),
    "retire": lambda by, of: retire_server(by, of.server),
}


@pytest.mark.parametrize("act", ACTS)
@pytest.mark.parametrize("user", ["bob", "carol"])
def test_both_are_done_and_nothing_waits(
    cast: Cast, acme: Acme, monkeypatch: pytest.MonkeyPatch, act: str, user: str
) -> None:
    """The call about Bob was asked before, under other rules, so its approval is made void first."""
    waiting(acme, {"user_name": "bob"})
    beginning = Halt()
    monkeypatch.setattr(claims, "_leave_room", beginning.before(claims._leave_room))
    said: list[str] = []
    asking = in_a_thread(lambda: ask(acme.grant, {"user_name": user}, rules=OTHER_RULES), said)
    assert beginning.reached.wait(60)
    acting = in_a_thread(inside_of(cast.alice, lambda: ACTS[act](cast.alice, acme)), said)
    until(lambda: somebody_waits_for_us() or not acting.is_alive())
    beginning.may_go_on.set()
    asking.join()
    acting.join()
    assert said == ["done", "done"]
    with inside(cast.alice):
        assert not Approval.objects.filter(standing=True).exists()


@pytest.mark.parametrize("act", ACTS)
def test_nor_is_an_approval_that_was_not_used_good_again(
    cast: Cast, acme: Acme, monkeypatch: pytest.MonkeyPatch, act: str
) -> None:
    row, decision = waiting(acme), new_decision()
    with inside(cast.carol):
        approve(cast.carol, row)
    assert claim(acme.grant, {"user_name": "bob"}, decision=decision).state == "approved"
    restoring = Halt()
    monkeypatch.setattr(claims, "keep", restoring.before(keep))
    said: list[str] = []
    unused = ApprovalUnused(id=str(row.pk), decision_id=decision)
    giving_back = in_a_thread(lambda: in_worker(claims.note_unused, unused), said)
    assert restoring.reached.wait(60)
    acting = in_a_thread(inside_of(cast.alice, lambda: ACTS[act](cast.alice, acme)), said)
    until(lambda: somebody_waits_for_us() or not acting.is_alive())
    restoring.may_go_on.set()
    giving_back.join()
    acting.join()
    assert said == ["done", "done"]
    assert approval(row.pk).state == "superseded"
