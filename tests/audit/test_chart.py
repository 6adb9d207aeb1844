"""The chart and the trace are worked out from the records alone."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit.chart import HEIGHT, Publication, calls_data, draw, draw_latency, levels_for
from audit.figures import Bucket, Latency
from audit.models import DecisionRecord
from audit.outcomes import OUTCOMES
from audit.trace import trace
from policies.language.glance import rule_words

NOW = datetime(2026, 11, 21, 14, 30, tzinfo=UTC)
DAY = timedelta(days=1)
_RULE = {
    "require": [{"conditions": [{"path": "args.files[*].path", "op": "under_path", "value": "/src"}]}],
    "deny_if": [{"conditions": [{"path": "args.branch", "op": "in", "value": ["main", "release"]}]}],
    "approve_if": [
        {
            "conditions": [
                {"path": "args.amount", "op": "gt", "value": 5},
                {"path": "args.to", "op": "exists", "value": True},
            ]
        }
    ],
    "rate_limit": {"max": 30, "window": "minute"},
}
REVISION = json.dumps({"version": "1", "default": "deny", "tools": {"push": _RULE}})


@given(st.integers(0, 10**12))
def test_the_axis_has_few_round_steps_and_holds_the_highest_bar(most: int) -> None:
    levels = levels_for(most)
    assert levels[0] == 0 and levels[-1] >= most
    assert 2 <= len(levels) <= 5
    assert str(levels[1]).rstrip("0") in {"1", "2", "5"}


@given(st.lists(st.lists(st.integers(0, 5_000), min_size=5, max_size=5), min_size=1, max_size=60))
def test_bars_stand_on_each_other_and_stay_inside(counts: list[list[int]]) -> None:
    step = DAY / len(counts)
    buckets = [Bucket(NOW + step * x, dict(zip(OUTCOMES, row, strict=True))) for x, row in enumerate(counts)]
    chart = draw(buckets, NOW, NOW + DAY, [])
    assert [column.x for column in chart.columns] == [x for x, row in enumerate(counts) if sum(row)]
    for column in chart.columns:
        floor = HEIGHT
        for bar in column.bars:
            assert bar.y + bar.height == pytest.approx(floor, abs=0.03)
            assert bar.y >= 0
            floor = bar.y
        assert HEIGHT - floor == pytest.approx(
            HEIGHT * sum(counts[column.x]) / chart.levels[-1], abs=0.03 * len(column.bars)
        )


def test_a_column_says_its_time_and_only_the_outcomes_it_has() -> None:
    bucket = Bucket(NOW, {**dict.fromkeys(OUTCOMES, 0), "allow": 3, "deny": 1})
    chart = draw([bucket], NOW, NOW + timedelta(minutes=30), [])
    assert chart.columns[0].words == "21 Nov 14:30 to 15:00 UTC: 3 allowed, 1 denied"
    assert chart.each == "30 min"


def test_a_script_is_given_the_same_figures_the_picture_was_drawn_from() -> None:
    step = timedelta(minutes=30)
    counts = [{**dict.fromkeys(OUTCOMES, 0), "allow": x, "limit": 1} for x in range(4)]
    buckets = [Bucket(NOW + step * x, each) for x, each in enumerate(counts)]
    published = Publication("keys\u202e", 3, NOW + step)
    until = NOW + step * 4
    data = calls_data(draw(buckets, NOW, until, [published]), buckets, until)
    assert data["starts"] == [round((NOW + step * x).timestamp()) for x in range(4)]
    assert data["counts"] == {name: [each[name] for each in counts] for name in OUTCOMES}
    assert data["published"] == [{"at": round((NOW + step).timestamp()), "words": "keysU+202E, revision 3"}]
    assert json.loads(json.dumps(data))["end"] == round(until.timestamp())


# ---- the trace
def record(**fields: object) -> DecisionRecord:
    given_fields = {"method": "tools/call", "tool": "delete_user", "outcome": "deny", "code": "denied"}
    return DecisionRecord(**{**given_fields, "rule": "/tools/delete_user/action", **fields})


@pytest.mark.parametrize(
    ("code", "rule", "passed", "stop"),
    [
        ("no_policy", "(no policy)", 0, "The grant has no published policy"),
        ("hidden", "(hidden)", 1, "The policy hides it"),
        ("default_deny", "(default deny)", 2, "No rule names it"),
        ("denied", "/tools/delete_user/action", 3, "The rule denies every call"),
        ("requirement_failed", "/classes/Write/require/0", 4, "A requirement is not met"),
        ("denied", "/tools/delete_*/deny_if/1", 5, "A reason to deny it holds"),
        ("undecidable", "/tools/deny_if/require/1", 4, "A requirement cannot be judged"),
        ("undecidable", "/tools/delete_user/deny_if/1", 5, "A reason to deny it cannot be judged"),
        ("undecidable", "/tools/delete_user/limits/1", 6, "A limit cannot be judged"),
        ("limit_exceeded", "/all_tools/limits/0", 6, "A limit is used up"),
        ("approval_required", "/tools/delete_user/action", 7, "A person has to be asked"),
    ],
)
def test_a_denied_call_went_as_far_as_the_step_that_stopped_it(
    code: str, rule: str, passed: int, stop: str
) -> None:
    steps = trace(record(code=code, rule=rule))
    assert [step.state for step in steps[: passed + 1]] == ["passed"] * passed + ["stop"]
    assert steps[passed].words == stop
    assert [step.state for step in steps[passed + 1 :]] == (["ahead"] if passed < 7 else [])


@pytest.mark.parametrize(
    ("code", "part", "stop"),
    [
        ("denied", "deny_if/0", "A reason to deny it holds: branch is one of “main”, “release”"),
        (
            "requirement_failed",
            "require/0",
            "A requirement is not met: every files[*].path is a path that is or lies below “/src”",
        ),
        (
            "undecidable",
            "require/0/conditions/0",
            "A requirement cannot be judged: every files[*].path is a path that is or lies below “/src”",
        ),
        ("limit_exceeded", "limits/0", "A limit is used up: at most 30 calls per minute for each grant"),
        (
            "approval_required",
            "approve_if/0",
            "A person has to be asked: amount is more than 5 and to is present",
        ),
        ("approval_required", "action", "A person has to be asked"),
        ("denied", "deny_if/7", "A reason to deny it holds"),
    ],
)
def test_the_step_that_stopped_it_says_what_the_rule_says(code: str, part: str, stop: str) -> None:
    steps = trace(record(code=code, rule=f"/tools/push/{part}"), REVISION)
    assert [step.words for step in steps if step.state == "stop"] == [stop]


def test_an_allowed_call_went_all_the_way() -> None:
    steps = trace(record(outcome="allow", code=None, rule="/tools/delete_*"))
    assert {step.state for step in steps} == {"passed"}
    assert "The rule for delete_* covers it" in [step.words for step in steps]


def test_what_is_no_tool_or_no_word_of_the_language_has_no_trace() -> None:
    assert trace(record(method="resources/read")) == []
    assert trace(record(code="from_tomorrow", rule="(from tomorrow)")) == []


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        ("/tools/delete_user/limits/0", "own rule"),
        ("/tools/delete_*", "rule for delete_*"),
        ("/tools/a~1b~0c", "rule for a/b~c"),
        ("/classes/Read", "Read rule"),
        ("/all_tools/require/0", "rule for all tools"),
        ("(default allow)", "no rule; the default allows"),
        ("(hidden)", "hidden"),
        ("/resources/allow/0", "resources: allow 0"),
    ],
)
def test_a_rule_in_words(rule: str, words: str) -> None:
    assert rule_words(rule, "delete_user") == words


def test_two_lines_are_drawn_on_a_round_scale_and_broken_where_nothing_was_called() -> None:
    some, more = Latency(0.1, 0.4, 9), Latency(0.2, 0.46, 9)
    lines = draw_latency([some, more, None, some])
    assert lines is not None and lines.top == 0.5
    assert lines.median == ("0.1,80.0 0.5,80.0 1.5,60.0 1.9,60.0", "3.1,80.0 3.5,80.0 3.9,80.0")
    assert lines.slowest[0] == "0.1,20.0 0.5,20.0 1.5,8.0 1.9,8.0"
    assert draw_latency([None, None]) is None


@pytest.mark.parametrize("most", [0.000001, 0.1, 0.51, 3, 99.5, 40_000])
def test_the_scale_holds_whatever_was_slow(most: float) -> None:
    lines = draw_latency([Latency(most / 2, most, 1)])
    assert lines is not None and lines.top >= most
