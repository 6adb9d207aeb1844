"""What the policy guide teaches is true, all its examples are run, and the reference is up to date."""

import ast
import io
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from policies.commandline import main
from policies.language.cases import read_tests, run_tests
from policies.language.compile import ToolFacts, compile_policy
from policies.language.lint import Severity, lint
from policies.language.loose_json import read_loose
from policies.language.parse import find_problems, parse_policy
from policies.language.reference import reference_text
from policies.language.reference_codes import DECISIONS, FINDINGS, PROBLEMS, TEXT_PROBLEMS
from policies.language.schema import schema
from policies.language.steps import World, read_tools

ROOT = Path(__file__).parents[2]
GUIDE = ROOT / "docs" / "user" / "policy-language.md"
RECIPES = ROOT / "docs" / "user" / "recipes.md"
REFERENCE = ROOT / "docs" / "user" / "policy-reference.md"
LANGUAGE = ROOT / "policies" / "language"
FENCE = re.compile(r"^```(\S+)(?: (\S+))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
CALL = re.compile(r"(?:@(\d+)\s+)?(?:(\w+): )?(.+?) -> (allow|deny|approval)(?: ([a-z_]+))? (\S.*)")


@dataclass
class Lesson:
    """The state of the guide so far: the last policy, its tools and tests."""

    policy: str = ""
    tools: tuple[ToolFacts, ...] = ()
    tests: str = "[]"
    calls: str = ""


def lessons(page: Path) -> list[Any]:
    """Each example of the page with the lesson it belongs to."""
    found: list[Any] = []
    lesson, wrong = Lesson(), ""
    for kind, name, body in FENCE.findall(page.read_text(encoding="utf-8")):
        match kind, name:
            case "json", "policy":
                lesson = Lesson(body, lesson.tools if not lesson.policy else ())
            case "json", "tools":
                lesson = Lesson(tools=tuple(read_tools(read_loose(body))))
            case "json", "tests":
                lesson.tests = body
            case "json", "calls.jsonl":
                lesson.calls = body
                continue
            case "json", "wrong":
                wrong = body
                continue
            case "text", _:
                continue
        found.append(
            pytest.param(
                kind, name, body, lesson, wrong, id=f"{page.stem} {len(found)} {kind} {name}".strip()
            )
        )
    return found


@pytest.mark.parametrize(("kind", "name", "body", "lesson", "wrong"), lessons(GUIDE) + lessons(RECIPES))
def test_every_example_of_the_guide_and_of_the_recipes_is_so(
    kind: str,
    name: str,
    body: str,
    lesson: Lesson,
    wrong: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    match kind, name:
        case "json", "policy":
            findings = lint(parse_policy(body), lesson.tools)
            assert [finding for finding in findings if finding.severity is Severity.ERROR] == []
        case "json", "tools":
            assert lesson.tools
        case "json", "tests":
            results = run_tests(compile_policy(parse_policy(lesson.policy), lesson.tools), read_tests(body))
            assert [result.sentence for result in results if not result.passed] == []
        case "calls", "":
            _play(body, lesson)
        case "problems", "":
            problems = [f"{p.line}:{p.column} {p.code}" for p in find_problems(wrong)]
            assert problems == body.splitlines()
        case "console", "":
            monkeypatch.chdir(tmp_path)
            Path("policy.json").write_text(lesson.policy)
            Path("policy.tests.json").write_text(lesson.tests)
            Path("calls.jsonl").write_text(lesson.calls)
            assert _shown(body) == body
        case _:
            pytest.fail(f"nobody runs a block of {kind} {name}")


def _play(body: str, lesson: Lesson) -> None:
    world = World(compile_policy(parse_policy(lesson.policy), lesson.tools))
    steps, reads = 0, ""
    for line in body.splitlines():
        if line.startswith("  reads: "):
            assert reads == line.removeprefix("  reads: ")
            continue
        if line.endswith(" approved"):
            world.step(
                read_loose(
                    json.dumps({"event": "approved", "call": steps - 1, "at": int(line[1:].split()[0])})
                )
            )
            steps += 1
            continue
        found = CALL.fullmatch(line)
        assert found, line
        at, grant, call, outcome, code, rule = found.groups()
        asked = {**_asked(call), "at": int(at or 0), "grant": grant or "grant"}
        answer = world.step(read_loose(json.dumps(asked)))
        assert answer is not None
        said = {
            "outcome": outcome,
            "code": code or ("approval_required" if outcome == "approval" else None),
            "rule": rule,
        }
        assert {key: answer[key] for key in said} == said, line
        steps, reads = steps + 1, str(answer["reason"])


def _asked(call: str) -> dict[str, Any]:
    first, _, rest = call.partition(" ")
    if first in ("resource", "prompt"):
        return {first: rest}
    return {"tool": first, "arguments_text": rest} if rest else {"tool": first}


def _shown(console: str) -> str:
    out = io.StringIO()
    for line in console.splitlines():
        if line.startswith("$ manage.py policy "):
            out.write(line + "\n")
            assert main(line.removeprefix("$ manage.py policy ").split(), out) == 0
    return out.getvalue()


def test_the_guide_has_examples_of_every_kind() -> None:
    kinds = {(param.values[0], param.values[1]) for param in lessons(GUIDE)}
    assert len(kinds) == 6
    assert len(lessons(GUIDE)) > 25


def test_the_reference_is_what_the_schema_and_the_codes_make() -> None:
    """If this fails, run: python -m policies.language.reference > docs/user/policy-reference.md"""
    assert REFERENCE.read_text(encoding="utf-8") == reference_text()


def test_the_schema_says_what_it_is_and_every_key_says_what_it_means() -> None:
    root: Any = schema()
    assert root["$id"] == "urn:policylayer:policy:1"
    for title, part in {"policy": root, **root["$defs"]}.items():
        for key, member in part.get("properties", {}).items():
            assert member.get("description"), f"{title}.{key}"


def test_every_code_there_is_stands_in_the_reference_and_no_other() -> None:
    problems = {code for name in ("grammar", "shapes", "operand") for code in _codes(name, "found", 1)}
    assert problems == PROBLEMS.keys()
    texts = _codes("json_reader", "TextError", 0) | _codes("parse", "Problem", 1)
    assert texts == TEXT_PROBLEMS.keys()
    findings: set[str] = set()
    for file in LANGUAGE.glob("lint*.py"):
        findings |= _codes(file.stem, "error", 1) | _codes(file.stem, "warning", 1)
        findings |= _codes(file.stem, "LintFinding", 1)
    assert findings == FINDINGS.keys()


def _codes(module: str, function: str, place: int) -> set[str]:
    """The literal codes that are passed to calls of a function."""
    tree = ast.parse((LANGUAGE / f"{module}.py").read_text(encoding="utf-8"))
    codes = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and len(node.args) > place:
            called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            code = node.args[place]
            if called == function and isinstance(code, ast.Constant) and isinstance(code.value, str):
                codes.add(code.value)
    return codes


def test_every_code_of_a_decision_in_the_cases_stands_in_the_reference() -> None:
    cases = ROOT / "tests" / "cases" / "policy"
    codes = set(
        re.findall(r'"code": "([a-z_]+)"', "".join(file.read_text() for file in cases.glob("*.json")))
    )
    known = {*DECISIONS, *PROBLEMS, *TEXT_PROBLEMS}
    dialects = set(re.findall(r'"code": "([a-z_]+)"', (cases / "dialects.json").read_text()))
    assert codes - dialects <= known
