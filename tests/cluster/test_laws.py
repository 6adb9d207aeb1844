"""Tests the checker with histories that break each law, and some that only seem to.

A checker that never finds anything proves nothing.
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.cluster import soak
from tests.cluster.history import ALLOWED, Call, History, Limit, Published, Receipt, Shown, Verdict
from tests.cluster.laws import LAWS, broken

RECEIPTS, FALLS, OLD, WINDOWS, APPROVALS, RECORDS = (
    "every receipt has exactly one earlier allow",
    "the revision a worker judges by never falls",
    "no verdict under an older revision after its bound",
    "in any window receipts are at most the limit",
    "an approval is for one call, once",
    "no call without its record, none lost, none doubled",
)


def call(digest: str, at: float = 0.0, said: str | None = ALLOWED) -> Call:
    return Call(digest, "pay", "g1", at, at + 0.1, said)


def verdict(digest: str, at: float = 0.0, **changed: object) -> Verdict:
    plain = Verdict(digest, "gw-1", "gw-1.a", 1 + int(at * 1000), at, at, "pay", digest, "allow", None, 1)
    return replace(plain, **changed)  # type: ignore[arg-type]


def healthy(count: int = 3, apart: float = 1.0) -> History:
    """Calls a second apart, each allowed and received once."""
    return History(
        calls=[call(f"d{n}", n * apart) for n in range(count)],
        verdicts=[verdict(f"d{n}", n * apart + 0.01) for n in range(count)],
        receipts=[Receipt(n * apart + 0.02, "pay", f"d{n}") for n in range(count)],
    )


def laws_broken_by(history: History) -> set[str]:
    return {one.law for one in broken(history)}


def test_a_healthy_history_breaks_no_law() -> None:
    history = healthy()
    history.published = [Published(0.5, 2)]
    history.shown = [Shown(0.4, "gw-1", 1, gone=False)]
    history.limits = [Limit("g1", "pay", 3, 60)]
    assert broken(history) == []


# ---- 1
def test_a_receipt_that_nobody_allowed_is_seen() -> None:
    history = healthy()
    history.verdicts = [
        replace(one, outcome="deny") if one.digest == "d1" else one for one in history.verdicts
    ]
    assert RECEIPTS in laws_broken_by(history)


def test_a_receipt_before_its_allow_is_seen() -> None:
    history = healthy()
    history.receipts[2] = Receipt(1.5, "pay", "d2")
    assert laws_broken_by(history) == {RECEIPTS}


def test_one_allow_does_not_serve_two_receipts() -> None:
    history = healthy()
    history.receipts.append(Receipt(9.0, "pay", "d0"))
    assert laws_broken_by(history) == {RECEIPTS}


def test_an_allowed_call_that_never_arrived_is_no_crime() -> None:
    history = healthy()
    history.receipts.clear()
    assert broken(history) == []


# ---- 2
def test_a_worker_that_goes_back_is_seen_and_another_that_lags_is_not() -> None:
    history = healthy()
    history.verdicts = [verdict("d0", 0.01, revision=5), verdict("d1", 1.01, revision=4), verdict("d2", 2.01)]
    assert laws_broken_by(history) == {FALLS}
    history.verdicts = [
        verdict("d0", 0.01, revision=5),
        verdict("d1", 1.01, revision=4, worker="gw-2", spool="gw-2.a"),
        verdict("d2", 2.01, revision=5),
    ]
    assert broken(history) == []


def test_a_call_that_began_before_the_swap_may_be_recorded_after_it() -> None:
    history = healthy()
    history.verdicts = [
        verdict("d0", 0.01, revision=5),
        verdict("d1", 1.01, revision=6),
        verdict("d2", 2.01, revision=5, began=0.9),
    ]
    assert broken(history) == []


# ---- 3
def test_a_worker_that_judges_by_what_it_said_it_had_left_is_seen() -> None:
    history = healthy()
    history.shown = [Shown(0.9, "gw-1", 2, gone=False)]
    assert laws_broken_by(history) == {OLD}


def test_a_verdict_within_the_bound_of_the_ack_is_no_crime() -> None:
    history = healthy(1)
    history.shown = [Shown(-0.03, "gw-1", 2, gone=False)]
    assert broken(history) == []


def test_a_worker_behind_that_nobody_named_is_seen() -> None:
    history = healthy(8)
    history.published = [Published(0.5, 2)]
    assert laws_broken_by(history) == {OLD}


@pytest.mark.parametrize("view", [Shown(4.0, "gw-1", 1, gone=False), Shown(4.0, "gw-1", 0, gone=True)])
def test_a_worker_that_was_named_in_time_may_be_behind(view: Shown) -> None:
    history = healthy(8)
    history.published, history.shown = [Published(0.5, 2)], [view]
    assert broken(history) == []


def test_naming_a_worker_before_the_publish_or_too_late_or_naming_another_does_not_help() -> None:
    for view in (
        Shown(0.4, "gw-1", 1, gone=True),
        Shown(7.5, "gw-1", 1, gone=False),
        Shown(4, "gw-2", 1, True),
    ):
        history = healthy(8)
        history.published, history.shown = [Published(0.5, 2)], [view]
        assert laws_broken_by(history) == {OLD}, view


# ---- 4
def test_one_receipt_too_many_in_a_window_is_seen_wherever_the_window_lies() -> None:
    history = healthy(40, apart=2.0)
    history.limits = [Limit("g1", "pay", 30, 60)]
    assert broken(history) == []
    for late in (1, 20, 38):
        crowded = healthy(40, apart=2.0)
        crowded.limits = history.limits
        crowded.calls.append(call("x", late * 2.0 + 0.3))
        crowded.verdicts = [*crowded.verdicts, verdict("x", late * 2.0 + 0.4)]
        crowded.receipts.append(Receipt(late * 2.0 + 0.5, "pay", "x"))
        assert laws_broken_by(crowded) == {WINDOWS}


def test_a_receipt_that_was_on_its_way_for_long_may_belong_to_the_window_before() -> None:
    history = healthy(2, apart=59.0)
    history.calls[0] = replace(history.calls[0], began=-5.0)
    history.receipts[0] = Receipt(1.0, "pay", "d0")
    history.limits = [Limit("g1", "pay", 1, 60)]
    assert broken(history) == []


def test_other_grants_and_tools_have_limits_of_their_own() -> None:
    history = healthy(4, apart=0.1)
    history.limits = [Limit("g2", "pay", 1, 60), Limit("g1", "other", 1, 60)]
    assert broken(history) == []


# ---- 5
def test_an_approval_that_sent_two_calls_is_seen() -> None:
    history = healthy(2)
    history.verdicts = [verdict("d0", 0.01, approval="a"), verdict("d1", 1.01, approval="a")]
    assert laws_broken_by(history) == {APPROVALS}


def test_an_approval_that_sent_its_call_twice_is_seen_and_two_approvals_are_two_calls() -> None:
    history = healthy(1)
    history.calls = [call("d0"), call("d0", 1.0)]
    history.receipts = [Receipt(0.02, "pay", "d0"), Receipt(1.02, "pay", "d0")]
    first = verdict("d0", 0.01, approval="a")
    second = verdict("d0", 1.01, id="other", approval="a")
    history.verdicts = [first, second]
    assert laws_broken_by(history) == {APPROVALS}
    history.verdicts = [first, replace(second, approval="b")]
    assert broken(history) == []


# ---- 6
def test_a_call_that_was_answered_and_has_no_record_is_seen() -> None:
    history = healthy()
    history.calls.append(call("denied", 5.0, "limit_exceeded"))
    assert laws_broken_by(history) == {RECORDS}


def test_a_call_that_was_answered_as_allowed_and_recorded_as_denied_is_seen() -> None:
    history = healthy()
    history.receipts.clear()
    history.verdicts = [replace(one, outcome="deny") for one in history.verdicts]
    assert laws_broken_by(history) == {RECORDS}


def test_a_call_that_nobody_answered_may_have_a_record_or_none_but_not_two() -> None:
    history = healthy()
    history.calls += [call("cut", 5.0, None), call("kept", 6.0, None)]
    history.verdicts = [*history.verdicts, verdict("kept", 6.01)]
    assert broken(history) == []
    history.verdicts = [*history.verdicts, verdict("kept", 6.02, id="again")]
    assert laws_broken_by(history) == {RECORDS}


def test_a_record_stored_twice_is_seen_by_its_id_and_by_its_place() -> None:
    for changed in ({"sequence": 77}, {"id": "another"}):
        history = healthy()
        history.calls.append(call("d0", 0.2))
        history.verdicts = [*history.verdicts, replace(history.verdicts[0], **changed)]
        assert laws_broken_by(history) == {RECORDS}, changed


def test_the_soak_says_what_it_does_and_what_it_is_held_against(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["soak", "--plan", "--share", "0.1", "--seed", "7"])
    monkeypatch.setenv("DJANGO_SETTINGS_MODULE", "config.settings.test")
    assert soak.main() == 0
    said = capsys.readouterr().out
    assert "seed 7" in said and "records: 50 kills" in said and "bypass: 100,000 " in said
    assert all(f"  {name}: " in said for name in soak.PARTS) and all(law in said for law in LAWS)
