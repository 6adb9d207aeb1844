from pathlib import Path
from uuid import uuid4

import pytest

from gateway import used_approvals
from gateway.used_approvals import UsedApprovals
from gateway_config.wire.approvals import ClaimAnswer

ONE, OTHER = str(uuid4()), str(uuid4())


def approved(approval: str = ONE, given_back: tuple[str, ...] = ()) -> ClaimAnswer:
    return ClaimAnswer(state="approved", id=approval, given_back=given_back)


def test_what_one_decision_used_no_other_uses() -> None:
    used = UsedApprovals()
    assert used.may_use(approved(), "first")
    used.note(ONE, "first")
    assert used.may_use(approved(), "first"), "the answer was lost on the way"
    assert not used.may_use(approved(), "second")
    assert used.may_use(approved(OTHER), "second")


def test_what_was_given_back_is_used_by_the_next() -> None:
    used = UsedApprovals()
    used.note(ONE, "first")
    assert used.may_use(approved(given_back=("first",)), "second"), "another gateway gave it back"
    used.note(ONE, "second")
    assert not used.may_use(approved(given_back=("first",)), "third"), "by a database of before the second"
    assert used.may_use(approved(given_back=("first", "second")), "third")
    used.forget(ONE, "first")
    assert not used.may_use(approved(), "third")
    used.forget(ONE, "second")
    assert used.may_use(approved(), "third")


def test_news_of_a_second_use_by_a_restored_database_does_not_hide_the_first() -> None:
    used = UsedApprovals()
    used.note(ONE, "first")
    used.note(ONE, "second")  # the news are quicker than the answer to the claim
    assert not used.may_use(approved(), "second")
    assert not used.may_use(approved(given_back=("second",)), "third"), "elsewhere nothing was sent"


def test_what_was_given_back_and_the_news_of_its_use_come_late_is_used_by_the_next() -> None:
    used = UsedApprovals()
    for decision, given_back in (("first", ()), ("second", ("first",)), ("third", ("first", "second"))):
        assert used.may_use(approved(given_back=given_back), decision)
        used.note(ONE, decision)
        used.forget(ONE, decision)
        used.note(ONE, decision)


def test_it_is_known_after_a_start_and_the_oldest_is_forgotten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(used_approvals, "_MOST", 3)
    kept = tmp_path / "used"
    used = UsedApprovals(kept)
    for number in range(5):
        used.note(f"a{number}", "first")
    used.forget("a4", "first")
    with kept.open("ab") as file:
        file.write(b"\na9 fi\xff")  # a line cut off when the machine went down
    again = UsedApprovals(kept)
    assert [again.may_use(approved(f"a{number}"), "second") for number in range(5)] == [
        True,
        True,
        True,
        False,
        True,
    ]
    again.note("a9", "first")
    assert not UsedApprovals(kept).may_use(approved("a9"), "second")


def test_a_line_cut_short_by_a_full_disk_spoils_no_other(tmp_path: Path) -> None:
    kept = tmp_path / "used"
    used = UsedApprovals(kept)
    used.note("a1", "first")
    with kept.open("a") as file:
        file.write("\na2 fir")  # there was no more room
    used.note("a3", "first")
    again = UsedApprovals(kept)
    assert not any(again.may_use(approved(approval), "second") for approval in ("a1", "a2", "a3"))


@pytest.mark.parametrize("cut", ["\na1", "\na1 ", "\na1 -", "\na1 -fir"])
def test_a_use_taken_back_by_a_line_cut_short_is_not_taken_back(tmp_path: Path, cut: str) -> None:
    kept = tmp_path / "used"
    UsedApprovals(kept).note("a1", "first")
    with kept.open("a") as file:
        file.write(cut)
    assert not UsedApprovals(kept).may_use(approved("a1"), "second")


def test_of_several_uses_those_taken_back_are_known_after_a_start(tmp_path: Path) -> None:
    kept = tmp_path / "used"
    used = UsedApprovals(kept)
    for decision in ("first", "second"):
        used.note(ONE, decision)
    used.forget(ONE, "second")
    for _ in range(2):  # as it was appended, and as it was written anew
        again = UsedApprovals(kept)
        assert again.may_use(approved(given_back=("first",)), "third")
        assert not again.may_use(approved(given_back=("second",)), "third")


def test_its_file_does_not_grow_with_what_it_forgot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(used_approvals, "_MOST", 3)
    kept = tmp_path / "used"
    used = UsedApprovals(kept)
    for number in range(50):
        used.note(f"a{number}", "first")
        assert len(kept.read_text().split()) <= 2 * 7
    again = UsedApprovals(kept)
    known = [again.may_use(approved(f"a{number}"), "second") for number in (46, 47, 48, 49)]
    assert known == [True, False, False, False]
