"""`manage.py catalog classify`, as a shell starts it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from catalog.classify import ToolInput, classify

MANAGE = Path(__file__).parents[2] / "manage.py"
TOOLS: list[dict[str, Any]] = [
    {"server": "s", "tool": "list_users"},
    {"server": "s", "tool": "delete_user", "params": [["id", "string", True]], "siblings": ["list_users"]},
    {"server": "s", "tool": "pay_invoice", "description": "Pays it.", "annotations": {"readOnlyHint": True}},
    {"server": "s", "tool": "frobnicate", "description": None, "params": None, "annotations": None},
]


def classified(*arguments: str, piped: str = "") -> tuple[int, list[dict[str, Any]], str]:
    done = subprocess.run(
        [sys.executable, str(MANAGE), "catalog", "classify", *arguments],
        input=piped,
        capture_output=True,
        text=True,
        env={"PATH": ""},
        timeout=300,
    )
    return done.returncode, [json.loads(line) for line in done.stdout.splitlines()], done.stderr


def test_each_line_is_answered_with_one_without_database_or_settings(tmp_path: Path) -> None:
    file = tmp_path / "tools.jsonl"
    file.write_text("\n".join(map(json.dumps, TOOLS)) + "\n\n")
    code, said, _ = classified(str(file))
    assert code == 0
    assert [one["class"] for one in said] == ["Read", "Destructive", "Financial", "Write"]
    assert all(
        set(one) == {"class", "severity", "confidence", "needs_review", "evidence", "signals"} for one in said
    )
    assert [one["needs_review"] for one in said] == [False, False, False, True]
    expected = classify(ToolInput("delete_user", "", (("id", "string", True),), siblings=("list_users",)))
    assert said[1]["severity"] == expected.severity.label
    assert [one["sentence"] for one in said[1]["evidence"]] == [one.sentence for one in expected.evidence]


@pytest.mark.parametrize("bad", ["{", "[]", "{}", '{"tool": 7}', '{"tool": " "}', "[" * 100_000])
def test_a_line_that_cannot_be_read_is_said_to_be_and_the_rest_goes_on(bad: str) -> None:
    code, said, _ = classified("-", piped=f'{bad}\n{{"tool": "list_users"}}\n')
    assert code == 3
    assert said[0]["problems"][0]["message"].endswith(".")
    assert said[1]["class"] == "Read"


def test_a_file_that_is_not_there_is_named() -> None:
    code, said, told = classified("nowhere.jsonl")
    assert (code, said) == (2, [])
    assert "nowhere.jsonl cannot be read" in told
