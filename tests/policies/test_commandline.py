"""The policy language from the shell, as its users start it: another process, no settings, no database."""

import json
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from policies.commandline import main
from tests.policies.language.cases import Case, every_case

ROOT = Path(__file__).parents[2]
GOOD = """{
  "version": "1",
  "default": "deny",
  "tools": {
    "list_users": {},
    "refund": {
      "require": [{"conditions": [{"path": "args.amount", "op": "lte", "value": 100}]}],
      "limits": [{"counter": "refund_rate", "window": "minute", "max": 1, "scope": "grant"}]
    }
  }
}
"""
REFUND = {"tool": "refund", "arguments": {"amount": 5}, "at": 0}


def shell(*arguments: str, stdin: str = "") -> "subprocess.CompletedProcess[str]":
    """Without a single variable of the environment."""
    return subprocess.run(
        [sys.executable, str(ROOT / "manage.py"), "policy", *arguments],
        env={},
        input=stdin,
        capture_output=True,
        encoding="utf-8",
        timeout=180,
        check=False,
    )


@pytest.fixture
def policy(tmp_path: Path) -> Path:
    file = tmp_path / "policy.json"
    file.write_text(GOOD)
    return file


def written(folder: Path, name: str, content: str) -> str:
    (folder / name).write_text(content, encoding="utf-8")
    return str(folder / name)


def lines(values: Iterable[object]) -> str:
    return "".join(json.dumps(value) + "\n" for value in values)


def test_every_case_of_the_language_passes_through_batch(tmp_path: Path) -> None:
    cases = [param.values[0] for param in every_case()]
    questions = written(tmp_path, "q.jsonl", lines(map(question, cases)))
    done = shell("batch", questions)
    assert (done.returncode, done.stderr) == (0, "")
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    wrong = [c["name"] for c, got in zip(cases, answers, strict=True) if not answers_as_expected(c, got)]
    assert wrong == []


def question(case: Case) -> dict[str, Any]:
    if "dialect" in case:
        return {"do": "convert", "text": case["text"], "tools": case.get("tools", [])}
    if "problems" in case:
        return {"do": "problems", **{key: case[key] for key in case if key.startswith("text")}}
    if "canonical" in case:
        return {"do": "canonical", "text": case["text"]}
    if "effects" in case:
        return {"do": "effects", "policy": case["policy"], "tools": case["tools"]}
    return {"do": "decide", **{key: case[key] for key in ("policy", "tools", "calls") if key in case}}


def answers_as_expected(case: Case, got: dict[str, Any]) -> bool:
    if "dialect" in case:
        lists = {key: bare(got[key]) for key in ("changed", "not_kept", "problems")}
        return {**got, **lists} == {key: case[key] for key in got}
    if "problems" in case:
        return bool(bare(got["problems"]) == case["problems"])
    if "canonical" in case or "effects" in case:
        return got == {key: case[key] for key in got}
    expected = [step["expect"] for step in case["calls"] if "expect" in step]
    pairs = zip(got["decisions"], expected, strict=True)
    return all({key: decision.get(key) for key in wanted} == wanted for decision, wanted in pairs)


def bare(notes: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{"pointer": note["pointer"], "code": note["code"]} for note in notes]


def test_a_thousand_questions_are_answered_by_one_process(tmp_path: Path) -> None:
    asked = {"do": "decide", "policy": json.loads(GOOD), "calls": [REFUND, REFUND]}
    questions = written(tmp_path, "q.jsonl", lines([asked] * 1000))
    done = shell("batch", questions)
    assert done.stdout.count("limit_exceeded") == 1000


@pytest.mark.parametrize(
    "line",
    [
        "nonsense",
        "[]",
        "{}",
        '{"do": "fly"}',
        '{"do": "decide", "calls": []}',
        '{"do": "decide", "policy": null, "calls": [5]}',
        '{"do": "decide", "policy": null, "calls": [{"tool": "a", "at": 2}, {"tool": "a", "at": 1}]}',
        '{"do": "decide", "policy": null, "calls": [{"event": "approved", "call": 0}]}',
        '{"do": "decide", "policy": null, "calls": [{"tool": "a", "arguments": {"x": 1, "x": 2}}]}',
        '{"do": "decide", "policy": null, "calls": [{"tool": "a", "arguments_text": "{"}]}',
        '{"do": "problems"}',
        '{"do": "problems", "text_base64": "%"}',
        '{"do": "problems", "text_gen": {"prefix": "", "repeat": "x", "times": 99999999, "suffix": ""}}',
        '{"do": "effects", "policy": {}, "tools": [1]}',
        '{"do": "problems", "text": NaN}',
        "[" * 100_000,
    ],
)
def test_a_line_that_is_no_question_is_told_so_and_the_next_is_answered(tmp_path: Path, line: str) -> None:
    good = json.dumps({"do": "problems", "text": GOOD})
    done = shell("batch", written(tmp_path, "q.jsonl", f"{line}\n{good}\n"))
    first, second = done.stdout.splitlines()
    assert done.returncode == 2
    assert list(json.loads(first)) == ["error"]
    assert json.loads(second) == {"problems": []}


def test_a_question_about_a_policy_with_problems_is_answered_with_them(tmp_path: Path) -> None:
    twice = '{"do": "decide", "policy": {"version": "1", "version": "1", "default": "deny"}, "calls": []}'
    half = '{"do": "canonical", "text": "\\ud800"}'
    done = shell("batch", "-", stdin=f"{twice}\n{half}\n")
    codes = [[found["code"] for found in json.loads(line)["problems"]] for line in done.stdout.splitlines()]
    assert (done.returncode, codes) == (0, [["duplicate_key"], ["bad_encoding"]])


def test_decide_prints_one_decision_a_line_on_a_virtual_clock(tmp_path: Path, policy: Path) -> None:
    steps = [
        REFUND,
        {**REFUND, "at": 30},
        {**REFUND, "at": 60},
        {"tool": "refund", "arguments": {}, "at": 60},
    ]
    done = shell("decide", "--policy", str(policy), "--calls", written(tmp_path, "c.jsonl", lines(steps)))
    decisions = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == 0
    assert [(d["outcome"], d["code"]) for d in decisions] == [
        ("allow", None),
        ("deny", "limit_exceeded"),
        ("allow", None),
        ("deny", "requirement_failed"),
    ]
    assert decisions[0] == {"outcome": "allow", "code": None, "rule": "/tools/refund", "reason": None}
    assert decisions[1]["retry_after_seconds"] == 30
    assert decisions[3]["reason"] == "These arguments of refund are not allowed: args.amount."


def test_decide_knows_the_classes_of_the_tools_it_is_given(tmp_path: Path) -> None:
    written(tmp_path, "p.json", '{"version": "1", "default": "deny", "classes": {"Read": {}}}')
    written(tmp_path, "t.json", '{"tools": [{"name": "look", "class": "Read"}]}')
    written(tmp_path, "c.jsonl", '{"tool": "look"}\n\n{"tool": "touch"}\n')
    at = str(tmp_path)
    done = shell("decide", "--policy", f"{at}/p.json", "--calls", f"{at}/c.jsonl", "--tools", f"{at}/t.json")
    assert [json.loads(line)["rule"] for line in done.stdout.splitlines()] == [
        "/classes/Read",
        "(default deny)",
    ]


@pytest.mark.parametrize("verb", ["decide", "canonical", "test", "diff"])
def test_a_policy_with_problems_prints_all_of_them_and_ends_with_three(tmp_path: Path, verb: str) -> None:
    bad = written(tmp_path, "bad.json", '{"version": 1,\n "defualt": "deny"}')
    good = written(tmp_path, "good.json", GOOD)
    empty = written(tmp_path, "empty.json", "[]")
    given = {
        "decide": ["--policy", bad, "--calls", empty],
        "canonical": [bad],
        "test": [bad, empty],
        "diff": [good, bad],
    }
    done = shell(verb, *given[verb])
    problems = json.loads(done.stdout)["problems"]
    assert done.returncode == 3
    assert [(p["code"], p["pointer"], p["line"], p["column"]) for p in problems] == [
        ("missing_key", "", 1, 1),
        ("wrong_type", "/version", 1, 13),
        ("unknown_key", "/defualt", 2, 2),
    ]
    assert '"default"' in problems[2]["message"]


def test_lint_says_each_finding_with_its_place(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bad = written(tmp_path, "bad.json", GOOD.replace("refund_rate", "refund rate"))
    doubtful = written(tmp_path, "doubtful.json", GOOD.replace("list_users", "lst_users"))
    tools = written(tmp_path, "tools.json", '[{"name": "list_users"}, {"name": "refund"}]')
    assert main(["lint", bad, "--json"]) == 3
    (problem,) = json.loads(capsys.readouterr().out)["problems"]
    assert (problem["code"], problem["line"], problem["severity"]) == ("bad_id", 8, "error")
    assert main(["lint", doubtful, "--tools", tools]) == 0
    assert "doubtful.json:5:5: warning unknown_tool /tools/lst_users" in capsys.readouterr().out
    allowing = written(tmp_path, "open.json", Path(doubtful).read_text().replace('"deny"', '"allow"'))
    assert main(["lint", allowing, "--tools", tools]) == 3


def test_tests_kept_beside_a_policy_are_found_and_a_failing_one_ends_with_four(
    tmp_path: Path, policy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    call = {"tool": "refund", "arguments": {"amount": 5}}
    tests = [
        {"name": "a small refund counts", "call": call, "expect": "limited"},
        {"name": "listing is free", "call": {"tool": "list_users"}, "expect": "allow"},
    ]
    written(tmp_path, "policy.tests.json", json.dumps(tests))
    assert main(["test", str(policy)]) == 0
    assert "2 of 2 tests pass." in capsys.readouterr().out
    wrong = [*tests, {"name": "refunds are closed", "call": call, "expect": "deny"}]
    assert main(["test", str(policy), written(tmp_path, "wrong.json", json.dumps(wrong)), "--json"]) == 4
    results = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [result["passed"] for result in results] == [True, True, False]
    bad = written(tmp_path, "bad.json", '[{"name": "x", "expct": "deny"}]')
    assert main(["test", str(policy), bad]) == 3


def test_convert_and_canonical_print_the_policy_and_nothing_else(tmp_path: Path, policy: Path) -> None:
    canonical = shell("canonical", str(policy))
    assert canonical.returncode == 0
    assert shell("canonical", "-", stdin=canonical.stdout).stdout == canonical.stdout
    source = written(tmp_path, "faq.json", '{"tools": {"a": {"action": "deny"}}}')
    plain, told = shell("convert", source), shell("convert", source, "--json")
    report = json.loads(told.stdout)
    assert list(report) == ["dialect", "policy", "changed", "not_kept", "problems"]
    assert (report["dialect"], report["policy"]) == ("faq", plain.stdout)
    assert "default was missing" in plain.stderr
    broken = shell("convert", "-", "--json", stdin="{")
    assert (broken.returncode, json.loads(broken.stdout)["policy"]) == (3, None)


def test_diff_reads_looser_before_tighter(tmp_path: Path, policy: Path) -> None:
    newer = GOOD.replace('"max": 1,', '"max": 5,').replace(
        '"list_users": {}', '"list_users": {"action": "deny"}'
    )
    new = written(tmp_path, "new.json", newer)
    said = shell("diff", str(policy), new)
    assert said.returncode == 0
    assert said.stdout.splitlines() == [
        "Looser, 1",
        "  refund: At most 5 calls per minute for each grant; "
        "before: at most 1 call per minute for each grant.",
        "Tighter, 1",
        "  list_users: No longer callable: every call is denied.",
    ]
    value = json.loads(shell("diff", str(policy), new, "--json").stdout)
    assert (value["no_longer_callable"], value["unchanged"]) == (["list_users"], [])
    assert shell("diff", str(policy), str(policy)).stdout == "Nothing changes for any call.\n"


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["fly"],
        ["lint"],
        ["canonical", "nowhere.json"],
        ["batch", "nowhere.jsonl"],
        ["decide", "--policy", "nowhere.json"],
        ["lint", "-", "--tools", "nowhere.json"],
    ],
)
def test_a_wrong_command_ends_with_two_and_one_sentence(arguments: list[str]) -> None:
    done = shell(*arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert "Traceback" not in done.stderr
    assert done.stderr


def test_a_call_that_is_none_is_told_with_its_line(tmp_path: Path, policy: Path) -> None:
    done = shell("decide", "--policy", str(policy), "--calls", written(tmp_path, "c.jsonl", '{"tool": 5}\n'))
    assert (done.returncode, done.stdout) == (2, "")
    assert 'line 1: "tool" is a text.' in done.stderr


def test_django_offers_the_command_too(policy: Path) -> None:
    from io import StringIO

    from django.core.management import call_command

    out = StringIO()
    call_command("policy", "lint", str(policy), stdout=out)
    assert "no problems" in out.getvalue()
