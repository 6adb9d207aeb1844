"""Calls that wait for a person, their rounds and their tasks, as scripts."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from gateway.counters.base import Full, NotHeld, Reserved, Unavailable
from gateway.effects import (
    Answer,
    Approval,
    Ask,
    AwaitAnswer,
    Claim,
    Forward,
    Forwarded,
    GiveBack,
    NoApprovals,
    NotAnswered,
    NotRecorded,
    Record,
    Recorded,
    Reserve,
    Ruling,
    Settle,
    Spend,
    Unused,
)
from gateway.pipeline import Round, access, tools_call
from gateway_config.wire.approvals import ClaimAnswer
from policies.language.decision import ToolCall
from policies.language.rules_digest import rules_digest
from tests.gateway.play import play
from tests.gateway.test_pipeline import ALICE, KEYS, PAY, compiled

PAYS = ToolCall("pay", {"to": "Bob"})
RULE, REASON = "/tools/pay/action", "Carol looks at payments."
assert ALICE.compiled is not None
RULES = rules_digest(ALICE.compiled, "pay")
AGREED = f"{RULES}:"
URL = "https://policylayer.example/approvals/apr_1/"
NOBODY = ClaimAnswer(state="none")
PENDING = ClaimAnswer(state="pending", id="a1", url=URL, seconds_left=900, reserved_by="d1")
ANOTHERS = ClaimAnswer(state="pending", id="a1", url=URL, seconds_left=800, reserved_by="d0")
APPROVED = ClaimAnswer(state="approved", id="a1", url=URL, seconds_left=700, reserved_by="d0")
DECLINED = ClaimAnswer(state="declined", id="a1", url=URL, reserved_by="d0")
EXPIRED = ClaimAnswer(state="expired", id="a1", url=URL, reserved_by="d0")

WAITS = Ruling(False, "approval_required", RULE, REASON, REASON, approval=Approval("a1", URL))
SENT = Record(Ruling(True, None, "/tools/pay", approval=Approval("a1", URL)))
UNAVAILABLE = Ruling(
    False,
    "approval_unavailable",
    RULE,
    "This call needs a person's approval, and nobody can be asked now.",
)


def test_the_first_call_is_paid_for_before_a_person_is_asked_and_is_not_sent() -> None:
    play(
        tools_call(ALICE, PAYS, "d1"),
        (Claim(RULES), NOBODY),
        (Reserve(PAY, hold_seconds=900), Reserved()),
        (Ask(RULES, RULE, REASON), PENDING),
        (Record(WAITS), Recorded()),
        ends=WAITS,
    )


def test_nobody_is_asked_about_a_call_that_a_limit_has_no_room_for() -> None:
    pipeline = tools_call(ALICE, PAYS, "d1")
    assert pipeline.send(None) == Claim(RULES)
    assert pipeline.send(NOBODY) == Reserve(PAY, hold_seconds=900)
    refused = pipeline.send(Full(0, 12))
    assert isinstance(refused, Record)
    assert (refused.ruling.code, refused.ruling.retry_after_seconds) == ("limit_exceeded", 12)


def test_a_repeat_while_it_waits_is_not_charged_again() -> None:
    play(
        tools_call(ALICE, PAYS, "d1"),
        (Claim(RULES), ANOTHERS),
        (Record(WAITS), Recorded()),
        ends=WAITS,
    )


def test_of_two_that_ask_at_once_the_second_gives_its_reservation_back() -> None:
    play(
        tools_call(ALICE, PAYS, "d1"),
        (Claim(RULES), NOBODY),
        (Reserve(PAY, hold_seconds=900), Reserved()),
        (Ask(RULES, RULE, REASON), ANOTHERS),
        (GiveBack("d1"), None),
        (Record(WAITS), Recorded()),
        ends=WAITS,
    )


def test_an_approved_call_is_charged_when_it_is_sent_by_what_was_held() -> None:
    play(
        tools_call(ALICE, PAYS, "d1"),
        (Claim(RULES), APPROVED),
        (Settle("d0"), Reserved()),
        (SENT, Recorded()),
        (Forward(AGREED), Forwarded(200)),
        ends=Forwarded(200),
    )


def test_where_nothing_is_held_any_more_an_approved_call_needs_room_like_any_other() -> None:
    play(
        tools_call(ALICE, PAYS, "d1"),
        (Claim(RULES), APPROVED),
        (Settle("d0"), NotHeld()),
        (Settle("d1"), NotHeld()),
        (Reserve(PAY), Reserved()),
        (SENT, Recorded()),
        (Forward(AGREED), Forwarded(200)),
        ends=Forwarded(200),
    )


def test_what_a_call_gave_back_unheard_is_charged_and_lets_nobody_in_for_nothing() -> None:
    play(
        tools_call(ALICE, PAYS, "d1"),
        (Claim(RULES), APPROVED),
        (Settle("d0"), NotHeld()),
        (Settle("d1"), Reserved()),
        (SENT, Recorded()),
        (Forward(AGREED), Forwarded(200)),
        ends=Forwarded(200),
    )


@pytest.mark.parametrize(
    ("answers", "code"),
    [
        ([NotHeld(), NotHeld(), Full(0, 5)], "limit_exceeded"),
        ([NotHeld(), NotHeld(), Unavailable()], "limiter_unavailable"),
        ([Unavailable()], "limiter_unavailable"),
    ],
)
def test_an_approval_whose_call_found_no_room_is_not_used_up(answers: list[Answer], code: str) -> None:
    pipeline = tools_call(ALICE, PAYS, "d1")
    pipeline.send(None)
    asked = pipeline.send(APPROVED)
    for answer in answers:
        asked = pipeline.send(answer)
    assert asked == Unused("a1")
    refused = pipeline.send(None)
    assert isinstance(refused, Record)
    assert refused.ruling.code == code


def test_an_approved_call_that_cannot_be_recorded_is_not_sent_and_its_approval_not_used_up() -> None:
    told = "The gateway cannot write its log now, so it sends no calls; try again later."
    ruling = Ruling(False, "record_unavailable", "/tools/pay", told)
    play(
        tools_call(ALICE, PAYS, "d1"),
        (Claim(RULES), APPROVED),
        (Settle("d0"), Reserved()),
        (SENT, NotRecorded()),
        (GiveBack("d0"), None),
        (Unused("a1"), None),
        (Record(ruling), NotRecorded()),
        ends=ruling,
    )


def test_an_approved_call_of_which_no_byte_was_sent_may_be_sent_again() -> None:
    failure = NotAnswered("upstream_unreachable", "The gateway could not connect to the server.", sent=False)
    play(
        tools_call(ALICE, PAYS, "d1"),
        (Claim(RULES), APPROVED),
        (Settle("d0"), Reserved()),
        (SENT, Recorded()),
        (Forward(AGREED), failure),
        (GiveBack("d0"), None),
        (Unused("a1"), None),
        ends=failure,
    )


def test_an_approved_call_that_was_sent_is_used_up_whatever_became_of_it() -> None:
    failure = NotAnswered("upstream_timeout", "The server did not answer in time.", sent=True)
    play(
        tools_call(ALICE, PAYS, "d1"),
        (Claim(RULES), APPROVED),
        (Settle("d0"), Reserved()),
        (SENT, Recorded()),
        (Forward(AGREED), failure),
        ends=failure,
    )


@pytest.mark.parametrize(
    ("claimed", "code"), [(DECLINED, "approval_declined"), (EXPIRED, "approval_expired")]
)
def test_a_declined_or_expired_call_is_denied_and_not_charged(claimed: ClaimAnswer, code: str) -> None:
    pipeline = tools_call(ALICE, PAYS, "d1")
    pipeline.send(None)
    refused = pipeline.send(claimed)
    assert isinstance(refused, Record)
    assert (refused.ruling.code, refused.ruling.rule) == (code, RULE)
    assert refused.ruling.approval == Approval("a1", URL)
    with pytest.raises(StopIteration):
        pipeline.send(Recorded())


def test_with_the_control_plane_away_nothing_is_charged_at_all() -> None:
    play(
        tools_call(ALICE, PAYS, "d1"),
        (Claim(RULES), NoApprovals()),
        (Record(UNAVAILABLE), Recorded()),
        ends=UNAVAILABLE,
    )


def test_what_was_reserved_is_given_back_where_nobody_can_be_asked_after_all() -> None:
    play(
        tools_call(ALICE, PAYS, "d1"),
        (Claim(RULES), NOBODY),
        (Reserve(PAY, hold_seconds=900), Reserved()),
        (Ask(RULES, RULE, REASON), NoApprovals()),
        (GiveBack("d1"), None),
        (Record(UNAVAILABLE), Recorded()),
        ends=UNAVAILABLE,
    )


def test_a_call_that_steps_1_to_7_deny_asks_nobody_even_when_it_was_approved() -> None:
    denying = compiled(
        '{"version": "1", "default": "deny", "tools": {"pay": {"action": "require_approval",'
        ' "deny_if": [{"conditions": [{"path": "args.to", "op": "eq", "value": "Bob"}]}]}}}'
    )
    asked = next(tools_call(replace(ALICE, compiled=denying), PAYS, "d1"))
    assert isinstance(asked, Record)
    assert asked.ruling.code == "denied"


def test_a_patient_client_gets_the_answer_of_the_person_itself() -> None:
    play(
        tools_call(replace(ALICE, patient=True), PAYS, "d1"),
        (Claim(RULES), NOBODY),
        (Reserve(PAY, hold_seconds=900), Reserved()),
        (Ask(RULES, RULE, REASON), PENDING),
        (AwaitAnswer(RULES, PENDING), replace_state(PENDING, "approved")),
        (Settle("d1"), Reserved()),
        (SENT, Recorded()),
        (Forward(AGREED), Forwarded(200)),
        ends=Forwarded(200),
    )


def test_a_later_round_of_a_call_is_judged_again_but_not_charged_again() -> None:
    play(
        tools_call(ALICE, ToolCall("keys", {}), "d1", Round("d0:1")),
        (Spend("d0:1"), True),
        (Record(Ruling(True, None, "/tools/keys")), Recorded()),
        (Forward(), Forwarded(200)),
        ends=Forwarded(200),
    )
    refused = next(tools_call(ALICE, ToolCall("delete", {}), "d1", Round("d0:1")))
    assert isinstance(refused, Record)
    assert refused.ruling.code == "denied"


def test_a_round_whose_ticket_was_spent_is_an_ordinary_call() -> None:
    pipeline = tools_call(ALICE, ToolCall("keys", {}), "d1", Round("d0:1"))
    assert pipeline.send(None) == Spend("d0:1")
    assert pipeline.send(False) == Reserve(KEYS)


def test_a_call_without_limits_spends_no_ticket() -> None:
    asked = next(tools_call(ALICE, ToolCall("read", {}), "d1", Round("d0:1")))
    assert isinstance(asked, Record)
    assert asked.ruling.allowed


def test_a_later_round_of_an_approved_call_needs_no_second_approval() -> None:
    play(
        tools_call(ALICE, PAYS, "d1", Round("d0:1", AGREED)),
        (Spend("d0:1"), True),
        (Record(Ruling(True, None, "/tools/pay")), Recorded()),
        (Forward(AGREED), Forwarded(200)),
        ends=Forwarded(200),
    )


@pytest.mark.parametrize("agreed", ["", "another digest:", f"{RULES}:of another definition"])
def test_a_round_that_nobody_agreed_to_as_it_is_now_waits_like_a_first_one(agreed: str) -> None:
    assert next(tools_call(ALICE, PAYS, "d1", Round("d0:1", agreed))) == Claim(RULES)


def test_a_task_is_reached_as_long_as_its_tool_may_be_called_at_all() -> None:
    play(
        access(ALICE, [], ["pay"]),
        (Record(Ruling(True, None, "(nothing named)")), Recorded()),
        (Forward(), Forwarded(200)),
        ends=Forwarded(200),
    )


@pytest.mark.parametrize(
    ("tool", "code"),
    [("delete", "denied"), ("secret", "hidden"), ("unknown", "default_deny"), ("wild_two", "not_listed")],
)
def test_a_task_of_a_tool_that_is_denied_by_now_is_out_of_reach(tool: str, code: str) -> None:
    asked = next(access(ALICE, [], ["read", tool]))
    assert isinstance(asked, Record)
    assert asked.ruling.code == code


def replace_state(claimed: ClaimAnswer, state: str) -> ClaimAnswer:
    return ClaimAnswer(
        state=state,  # type: ignore[arg-type]
        id=claimed.id,
        url=claimed.url,
        seconds_left=claimed.seconds_left,
        reserved_by=claimed.reserved_by,
    )
