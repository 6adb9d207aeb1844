"""The table of an approval's states, row by row, to the very end of each time limit."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import msgspec
import pytest
from django.conf import settings
from django.db import connection

from accounts.models import Membership, Organization
from approvals import arguments, claims
from approvals.api.internal import _look
from approvals.models import Approval
from approvals.services import approve, decline
from common.errors import Conflict
from common.internal_api import Refused
from common.sealing import Keyring, SealingError
from gateway_config.wire.approvals import ApprovalUnused
from policies.services import issue_grant, revoke_grant
from servers.models import Tool
from servers.services import announce, register_server, retire_server
from tests.approvals.calls import approval, ask, asked, claim, claimed, fresh, new_decision, waiting
from tests.approvals.conftest import Clock
from tests.cast import Acme, Cast, inside
from tests.roles import as_owner, as_worker

BOB = {"user_name": "bob"}


def answer(by: Membership, row: Approval, verb: Any = approve) -> Approval:
    with inside(by):
        return verb(by, row)  # type: ignore[no-any-return]


def expire_due() -> int:
    with as_worker():
        return claims.expire_due()


def test_a_call_nobody_was_asked_about_waits_for_nobody(acme: Acme) -> None:
    found = claim(acme.grant, BOB)
    assert (found.state, found.id, found.url) == ("none", "", "")


def test_a_waiting_call_is_waited_for_until_the_very_end(acme: Acme, clock: Clock) -> None:
    row = waiting(acme)
    clock.go_on(899.999)
    found = claim(acme.grant, BOB)
    assert (found.state, found.id, found.seconds_left) == ("pending", str(row.pk), 1)
    assert found.url == f"{settings.PUBLIC_URL}/approvals/{row.public_id}/"
    clock.go_on(0.001)
    assert claim(acme.grant, BOB).state == "expired"


def test_that_it_expired_is_told_once_and_then_it_may_be_asked_anew(acme: Acme, clock: Clock) -> None:
    row = waiting(acme)
    clock.go_on(900)
    assert [claim(acme.grant, BOB).state for _ in range(3)] == ["expired", "none", "none"]
    again = ask(acme.grant, BOB)
    assert (again.state, again.seconds_left) == ("pending", 900) and again.id != str(row.pk)


def test_an_answer_at_the_very_end_does_nothing(cast: Cast, acme: Acme, clock: Clock) -> None:
    row = waiting(acme)
    clock.go_on(900)
    for verb in (approve, decline):
        with pytest.raises(Conflict, match="time to answer is up"):
            answer(cast.carol, row, verb)
    assert claim(acme.grant, BOB).state == "expired"


def test_an_approved_call_is_sent_once_by_the_decision_that_claims_it(cast: Cast, acme: Acme) -> None:
    row = waiting(acme)
    answer(cast.carol, row)
    mine = new_decision()
    first = claim(acme.grant, BOB, decision=mine)
    assert (first.state, first.id, first.reserved_by) == ("approved", str(row.pk), str(row.reserved_by))
    assert claim(acme.grant, BOB, decision=mine).state == "approved", "the answer may have been lost"
    assert claim(acme.grant, BOB).state == "none"
    assert fresh(cast.alice, row).state == "used"


def test_an_approval_lasts_from_the_answer_to_the_very_end(cast: Cast, acme: Acme, clock: Clock) -> None:
    row = waiting(acme)
    clock.go_on(800)
    answer(cast.carol, row)
    clock.go_on(899.999)
    assert claim(acme.grant, BOB).state == "approved"
    row = waiting(acme)
    answer(cast.carol, row)
    clock.go_on(900)
    assert claim(acme.grant, BOB).state == "expired"


def test_a_declined_call_is_told_so_until_the_time_limit_then_forgotten(
    cast: Cast, acme: Acme, clock: Clock
) -> None:
    row = waiting(acme)
    answer(cast.carol, row, decline)
    clock.go_on(899)
    assert [claim(acme.grant, BOB).state for _ in range(3)] == ["declined"] * 3
    assert ask(acme.grant, BOB).state == "declined", "asking again is no way round a no"
    clock.go_on(1)
    assert claim(acme.grant, BOB).state == "none"
    assert ask(acme.grant, BOB).state == "pending"


@pytest.mark.parametrize(
    "changed",
    [{"user_name": "eve"}, {**BOB, "force": True}, {}, {"user_name": ["bob"]}, {"USER_NAME": "bob"}],
)
def test_an_approval_is_for_no_other_arguments(changed: dict[str, Any], cast: Cast, acme: Acme) -> None:
    answer(cast.carol, waiting(acme))
    assert claim(acme.grant, changed).state == "none"
    assert claim(acme.grant, BOB).state == "approved"


def test_an_approval_is_for_no_other_grant_tool_or_organization(cast: Cast, acme: Acme) -> None:
    answer(cast.carol, waiting(acme))
    with inside(cast.alice):
        other, _ = issue_grant(cast.alice, acme.server, acme.policy, "other")
    assert claim(other, BOB).state == "none"
    assert claim(acme.grant, BOB, tool="list_users").state == "none"
    stolen = msgspec.structs.replace(claimed(acme.grant, BOB), organization=str(cast.mallory.organization_id))
    with as_worker():
        assert claims.claim(stolen).state == "none"
    assert claim(acme.grant, BOB).state == "approved"


@pytest.mark.parametrize(("changed", "because"), [("rules", "rules"), ("tool_digest", "tool")])
def test_a_changed_policy_or_tool_makes_void_what_was_agreed(
    changed: str, because: str, cast: Cast, acme: Acme
) -> None:
    row = waiting(acme)
    answer(cast.carol, row)
    assert claim(acme.grant, BOB, **{changed: "f" * 64}).state == "none"
    assert claim(acme.grant, BOB).state == "none", "and it does not come back with the old rules"
    void = fresh(cast.alice, row)
    assert (void.state, void.because, void.standing) == ("superseded", because, False)
    with as_worker():
        (news,) = claims.news_after(0).news
    assert (news.state, news.reserved_by) == ("superseded", str(row.reserved_by))


def test_who_asks_second_is_told_of_the_first_ones_reservation(acme: Acme) -> None:
    row = waiting(acme)
    second = ask(acme.grant, BOB)
    assert (second.id, second.reserved_by) == (str(row.pk), str(row.reserved_by))


def test_asking_after_a_quicker_one_was_approved_uses_nothing(cast: Cast, acme: Acme) -> None:
    answer(cast.carol, waiting(acme))
    assert ask(acme.grant, BOB).state == "pending"
    assert claim(acme.grant, BOB).state == "approved"


def test_who_clicks_twice_changes_nothing_and_who_comes_second_is_told(cast: Cast, acme: Acme) -> None:
    row = waiting(acme)
    first = answer(cast.carol, row)
    assert answer(cast.carol, row).answered_at == first.answered_at
    with pytest.raises(Conflict, match=r"carol@example\.com already approved this call"):
        answer(cast.dave, row, decline)
    with pytest.raises(Conflict, match="already approved this call"):
        answer(cast.carol, row, decline)


# ---- what was not sent
def test_what_was_not_sent_is_approved_as_before(cast: Cast, acme: Acme, clock: Clock) -> None:
    row = waiting(acme)
    answer(cast.carol, row)
    mine = new_decision()
    claim(acme.grant, BOB, decision=mine)
    clock.go_on(100)
    unused(mine, row)
    unused(mine, row)
    again = claim(acme.grant, BOB)
    assert (again.state, again.id, again.seconds_left) == ("approved", str(row.pk), 800)
    assert claim(acme.grant, BOB).state == "none"


def test_what_was_not_sent_in_its_time_is_over(cast: Cast, acme: Acme, clock: Clock) -> None:
    row = waiting(acme)
    answer(cast.carol, row)
    mine = new_decision()
    claim(acme.grant, BOB, decision=mine)
    clock.go_on(900)
    unused(mine, row)
    assert [claim(acme.grant, BOB).state for _ in range(2)] == ["expired", "none"]


def test_every_decision_that_gave_it_back_is_told_with_the_next_use(
    cast: Cast, acme: Acme, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(claims, "MOST_GIVEN_BACK", 3)
    row = waiting(acme)
    answer(cast.carol, row)
    had: list[str] = []
    for _ in range(4):
        mine = new_decision()
        claimed = claim(acme.grant, BOB, decision=mine)
        assert (claimed.state, claimed.given_back) == ("approved", tuple(had))
        assert claim(acme.grant, BOB, decision=mine) == claimed, "the answer was lost on the way"
        unused(mine, row)
        had.append(mine)
    assert claim(acme.grant, BOB).state == "none", "so often could it not be sent that a person is asked anew"


def test_another_decision_gives_back_nothing(cast: Cast, acme: Acme) -> None:
    row = waiting(acme)
    answer(cast.carol, row)
    mine = new_decision()
    claim(acme.grant, BOB, decision=mine)
    for decision, pk in ((new_decision(), row.pk), (mine, uuid4())):
        with as_worker():
            claims.note_unused(ApprovalUnused(decision_id=decision, id=str(pk)))
    assert claim(acme.grant, BOB).state == "none"


def test_what_was_not_sent_does_not_stand_beside_what_was_asked_since(cast: Cast, acme: Acme) -> None:
    row = waiting(acme)
    answer(cast.carol, row)
    mine = new_decision()
    claim(acme.grant, BOB, decision=mine)
    newer = ask(acme.grant, BOB)
    unused(mine, row)
    found = claim(acme.grant, BOB)
    assert (found.state, found.id) == ("pending", newer.id)


def unused(decision: str, row: Approval) -> None:
    with as_worker():
        claims.note_unused(ApprovalUnused(decision_id=decision, id=str(row.pk)))


# ---- the end of what a call stands on
@pytest.mark.parametrize("agreed", [False, True])
def test_a_revoked_grant_closes_what_waits(agreed: bool, cast: Cast, acme: Acme) -> None:
    row = waiting(acme)
    if agreed:
        answer(cast.carol, row)
    with inside(cast.alice):
        revoke_grant(cast.alice, acme.grant)
    assert (fresh(cast.alice, row).state, fresh(cast.alice, row).because) == ("superseded", "grant")
    assert claim(acme.grant, BOB).state == "none"
    with pytest.raises(Conflict, match="the grant was revoked"):
        answer(cast.dave, row)
    with pytest.raises(Refused, match="no such grant"):
        ask(acme.grant, BOB)


def test_a_changed_token_closes_what_waits(cast: Cast, acme: Acme) -> None:
    row = waiting(acme)
    with inside(cast.alice):
        acme.grant.token_hash = "0" * 64
        acme.grant.save()
        announce(acme.grant.organization_id)
    assert fresh(cast.alice, row).because == "token"


def test_a_retired_server_closes_what_waits(cast: Cast, acme: Acme) -> None:
    row = waiting(acme)
    with inside(cast.alice):
        retire_server(cast.alice, acme.server)
    assert fresh(cast.alice, row).because == "server"
    with pytest.raises(Refused):
        ask(acme.grant, BOB)


def test_a_tool_that_a_scan_found_changed_closes_what_waits(cast: Cast, acme: Acme) -> None:
    with inside(cast.alice):
        tool = Tool.objects.get(name="delete_user")
    row = waiting(acme, tool_digest=tool.digest)
    with inside(cast.alice):
        announce(acme.grant.organization_id)
        assert fresh(cast.alice, row).state == "pending", "another change is none of its business"
        Tool.objects.filter(pk=tool.pk).update(digest="9" * 64)
        announce(acme.grant.organization_id)
    assert fresh(cast.alice, row).because == "tool"


# ---- asking for what does not belong together
def test_only_what_belongs_together_is_asked_for(cast: Cast, acme: Acme) -> None:
    with inside(cast.alice):
        other = register_server(cast.alice, "Other", "https://o.example/")
    good = asked(claimed(acme.grant, BOB), BOB)
    wrong: list[dict[str, Any]] = [
        {"server": str(other.pk)},
        {"grant": str(uuid4())},
        {"organization": str(cast.mallory.organization_id)},
        {"tool": "a\x00b"},
        {"tool": "t" * 2049},
    ]
    for change in wrong:
        with as_worker(), pytest.raises(Refused):
            claims.ask(msgspec.structs.replace(good, **change))
    with inside(cast.alice):
        assert not Approval.objects.exists()


def test_one_grant_cannot_bury_what_others_wait_for(
    cast: Cast, acme: Acme, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(claims, "MOST_WAITING_OF_A_GRANT", 3)
    for number in range(3):
        ask(acme.grant, {"n": number})
    with pytest.raises(Refused, match="as many calls wait as may") as refused:
        ask(acme.grant, {"n": 3})
    assert refused.value.status == 429
    with inside(cast.alice):
        other, _ = issue_grant(cast.alice, acme.server, acme.policy, "other")
    assert ask(other, {"n": 3}).state == "pending"


# ---- news
def test_news_tell_each_change_once_and_an_unknown_cursor_everything(
    cast: Cast, acme: Acme, clock: Clock
) -> None:
    one, two, three = (waiting(acme, {"n": number}) for number in range(3))

    def news(after: int) -> tuple[int, list[tuple[str, str, int]]]:
        with as_worker():
            found = claims.news_after(after)
        return found.cursor, [(told.id, told.state, told.seconds_left) for told in found.news]

    cursor, everything = news(0)
    assert everything == [(str(each.pk), "pending", 900) for each in (one, two, three)]
    assert news(cursor) == (cursor, [])
    clock.go_on(100)
    answer(cast.carol, one)
    answer(cast.carol, two, decline)
    cursor, told = news(cursor)
    assert told == [(str(one.pk), "approved", 900), (str(two.pk), "declined", 0)]
    clock.go_on(800)
    assert expire_due() == 1 and expire_due() == 0
    cursor, told = news(cursor)
    assert told == [(str(three.pk), "expired", 0)]
    clock.go_on(3_600)
    expire_due()
    assert [(pk, state) for pk, state, _ in news(0)[1]] == [(str(one.pk), "expired")]
    assert news(2**63 - 1)[1] == news(0)[1], "a cursor from before a restore"


@pytest.mark.parametrize("over", [False, True])
def test_what_was_sent_since_the_backup_that_was_restored_is_not_sent_by_the_same_approval_again(
    cast: Cast, acme: Acme, clock: Clock, over: bool
) -> None:
    waits = waiting(acme, {"user_name": "carl"})
    clock.go_on(100)
    backed_up = waiting(acme)
    answer(cast.carol, backed_up)
    with inside(cast.alice), as_owner():
        before = dict(Approval.objects.filter(pk=backed_up.pk).values().get())
        before.pop("id")
    assert claim(acme.grant, {"user_name": "bob"}).state == "approved"
    with as_worker():
        cursor = claims.news_after(0).cursor
        assert _look(cursor)[0].cursor == cursor, "a gateway that goes on listening voids nothing"
    with inside(cast.alice), as_owner():
        Approval.objects.filter(pk=backed_up.pk).update(**before)
        with connection.cursor() as asking:
            asking.execute("SELECT setval('approvals_position', %s)", [cursor - 1])
    # Where its time ended while the database was away, that is numbered, too.
    clock.go_on(800 if over else 1)
    with as_worker():
        told = {news.id: news.state for news in _look(cursor)[0].news}
    assert told == {str(backed_up.pk): "superseded", str(waits.pk): "expired" if over else "pending"}
    assert claim(acme.grant, {"user_name": "bob"}).state == "none"
    assert "restored from a backup" in fresh(cast.alice, backed_up).get_because_display()


def test_a_gateway_that_heard_of_what_is_deleted_since_voids_nothing(cast: Cast, acme: Acme) -> None:
    stays = waiting(acme)
    answer(cast.carol, stays)
    gone = waiting(acme, {"user_name": "carl"})
    with as_worker():
        cursor = claims.news_after(0).cursor
    with inside(cast.alice), as_owner():
        Approval.objects.filter(pk=gone.pk).delete()
    with as_worker():
        _look(cursor)
    assert fresh(cast.alice, stays).state == "approved"


def test_what_is_over_counts_as_over_before_anybody_noted_it(acme: Acme, clock: Clock) -> None:
    waiting(acme)
    clock.go_on(900)
    with as_worker():
        assert [news.state for news in claims.news_after(0).news] == ["expired"]
        assert not Approval.objects.waiting().exists()


def test_the_time_limit_is_the_organizations(cast: Cast, acme: Acme, clock: Clock) -> None:
    with inside(cast.alice):
        Organization.objects.update(approval_seconds=60)
    row = waiting(acme)
    assert (row.expires_at - clock.now).total_seconds() == 60


# ---- arguments
def test_arguments_are_sealed_for_this_one_approval(cast: Cast, acme: Acme) -> None:
    secret = "canary-of-an-argument"
    row = waiting(acme, {"password": secret})
    other = waiting(acme, {"password": "another"})
    assert secret not in row.sealed and arguments.read(row) == f'{{"password": "{secret}"}}'
    other.sealed = row.sealed
    assert arguments.read(other) is None, "moved to another row it opens nothing"
    with pytest.raises(SealingError):
        Keyring.parse(settings.ARGUMENT_KEYS).open(
            row.sealed, organization=str(row.organization_id), subject=str(row.pk), purpose="upstream-headers"
        )


def test_arguments_are_erased_seven_days_after_the_end_and_the_digest_stays(
    cast: Cast, acme: Acme, clock: Clock
) -> None:
    declined, pending = waiting(acme, {"n": 1}), waiting(acme, {"n": 2})
    answer(cast.carol, declined, decline)
    clock.go_on(899)
    answer(cast.carol, pending)
    clock.go_on(7 * 86_400 - 899)
    with as_worker():
        assert arguments.erase_old() == 0, "to the very end of the seven days"
    clock.go_on(1)
    with as_worker():
        assert arguments.erase_old() == 1
        claims.expire_due()
        assert arguments.erase_old() == 0, "this one ended when its time did, not when somebody noted it"
    clock.go_on(900 + 899)
    with as_worker():
        assert arguments.erase_old() == 1
    kept = approval(declined.pk)
    assert (kept.sealed, kept.call_digest) == ("", declined.call_digest)
    assert arguments.read(kept) is None
