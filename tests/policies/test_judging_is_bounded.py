"""What a text may cost the process that judges it, whatever was typed."""

from __future__ import annotations

import json

import pytest

from policies.language import problems
from policies.language.compile import ToolFacts
from policies.language.place import Places, nearest_place
from policies.services import MOST_FINDINGS, judge
from tests.steps import grows_no_faster_than_its_size

TOOLS = [ToolFacts(f"x{number}", None, {"type": "object", "properties": {}}) for number in range(100)]


def policy(rules: int) -> str:
    limit = {"counter": "c", "window": "minute", "max": 1, "scope": "grant"}
    return json.dumps(
        {
            "version": "1",
            "default": "deny",
            "tools": {f"t{number}": {"limits": [limit]} for number in range(rules)},
        },
        indent=1,
    )


def test_four_times_the_findings_cost_about_four_times_the_work() -> None:
    assert grows_no_faster_than_its_size(lambda rules: judge(policy(rules), TOOLS), 100)


def test_no_more_is_told_than_somebody_reads_and_errors_come_first() -> None:
    judged = judge(policy(2_000), TOOLS)
    assert len(judged.findings) == MOST_FINDINGS
    broken = judge(json.dumps({f"key{number}": 1 for number in range(5_000)}), TOOLS)
    assert 0 < len(broken.problems) <= MOST_FINDINGS


def test_a_thousand_slips_do_not_cost_a_thousand_comparisons_with_every_argument(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    compared = []
    distance = problems._distance

    def counting(left: str, right: str) -> int:
        compared.append(len(left) * len(right))
        return distance(left, right)

    monkeypatch.setattr(problems, "_distance", counting)
    names = {f"argument_number_{number:05}_abcdef": {"type": "string"} for number in range(200)}
    tool = ToolFacts("t", None, {"type": "object", "properties": names})
    slips = [
        {"path": f"args.argumant_numbar_{number:05}_abcdef", "op": "exists", "value": True}
        for number in range(900)
    ]
    text = json.dumps(
        {"version": "1", "default": "deny", "tools": {"t": {"require": [{"conditions": slips}]}}}
    )
    judged = judge(text, [tool])
    assert len(compared) < 100 * len(names) < len(slips) * len(names)
    assert sum(compared) <= problems._MOST_COMPARED
    assert any("Did you mean" in finding.message for finding in judged.findings)


def test_many_places_of_one_text_are_those_of_one_at_a_time() -> None:
    text = policy(20)
    places = Places(text)
    for pointer in ("", "/tools", *(f"/tools/t{number}/limits/0/max" for number in range(20)), "/nothing"):
        assert places.nearest(pointer) == nearest_place(text, pointer)
    assert Places("{").nearest("/tools") == (1, 1)
