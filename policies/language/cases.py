"""Policy tests: calls with the outcome their writer expects, kept beside a policy."""

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final, Literal

import jiter

from .compile import CompiledPolicy
from .decide import decide
from .decision import MISSING, Decision, Outcome, ToolCall
from .findings import Finding, Pointer, as_problems
from .grammar import Reader
from .json_reader import Members, Node, Number, TextError, read_json
from .parse import LARGEST_TEXT, decode
from .problems import Problem, shown

Expectation = Literal["allow", "deny", "approval", "limited"]

MOST_TESTS: Final = 1000
_EXPECTATIONS: Final[tuple[Expectation, ...]] = ("allow", "deny", "approval", "limited")
_DEEPEST: Final = 200
_WHOLE = re.compile(r"-?[0-9]{1,300}\Z")
_OUTCOMES: Final[dict[Outcome, Expectation]] = {
    Outcome.ALLOW: "allow",
    Outcome.DENY: "deny",
    Outcome.APPROVAL: "approval",
}
_ANSWERED: Final = {
    Outcome.ALLOW: "allowed",
    Outcome.DENY: "denied",
    Outcome.APPROVAL: "left to a person",
}
_WANTED: Final[dict[Expectation, str]] = {
    "allow": "allowed",
    "deny": "denied",
    "approval": "left to a person",
    "limited": "allowed with a limit",
}


@dataclass(frozen=True, slots=True)
class PolicyTest:
    """`limited` expects an allow with at least one limit, `allow` an allow with or without one."""

    name: str
    call: ToolCall
    expect: Expectation
    rule: str | None = None


@dataclass(frozen=True, slots=True)
class TestResult:
    test: PolicyTest
    passed: bool
    decision: Decision
    sentence: str

    __test__ = False  # not a test for pytest

    @property
    def as_it_is(self) -> PolicyTest:
        """The same test, expecting what happens now; if it names a rule, it names the one that decided."""
        expect: Expectation = _OUTCOMES[self.decision.outcome]
        if _meets(self.decision, self.test.expect):
            expect = self.test.expect
        return replace(self.test, expect=expect, rule=self.test.rule and self.decision.rule)

    @property
    def came_to(self) -> str:
        """What `as_it_is` would expect, in words; empty if only the rule differs."""
        return "" if self.as_it_is.expect == self.test.expect else _ANSWERED[self.decision.outcome]


class TestsInvalid(Exception):  # noqa: N818 - the word of the house
    """The text is not a valid list of tests. Carries every problem."""

    __test__ = False

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        super().__init__("; ".join(problem.message for problem in problems[:3]))
        self.problems = problems


def run_tests(compiled: CompiledPolicy | None, tests: tuple[PolicyTest, ...]) -> tuple[TestResult, ...]:
    """Run the tests in order. No clock runs and nothing is counted: each call is judged as if first."""
    return tuple(_run(compiled, test) for test in tests)


def _run(compiled: CompiledPolicy | None, test: PolicyTest) -> TestResult:
    decision = decide(compiled, test.call)
    as_expected = _meets(decision, test.expect)
    passed = as_expected and test.rule in (None, decision.rule)
    if passed:
        return TestResult(test, True, decision, f"{test.call.tool} is {_WANTED[test.expect]}, as expected.")
    got = f"{test.call.tool} is {_ANSWERED[decision.outcome]} by {decision.rule}"
    wanted = f"expected by {test.rule}" if as_expected else f"expected to be {_WANTED[test.expect]}"
    return TestResult(test, False, decision, f"{got}; {wanted}.")


def _meets(decision: Decision, expect: Expectation) -> bool:
    if expect != "limited":
        return decision.outcome == expect
    return decision.outcome is Outcome.ALLOW and bool(decision.quotas)


# Reading


def read_tests(text: str | bytes) -> tuple[PolicyTest, ...]:
    """Read a JSON list of `{"name", "call": {"tool", "arguments"?}, "expect", "rule"?}`; or TestsInvalid."""
    decoded = decode(text, LARGEST_TEXT)
    if isinstance(decoded, Problem):
        raise TestsInvalid((decoded,))
    try:
        tree = read_json(decoded, _DEEPEST)
    except TextError as stop:
        problems = as_problems(decoded, [Finding(stop.at, stop.code, None, stop.message)])
        raise TestsInvalid(problems) from None
    reader = _TestReader(decoded)
    tests = reader.tests(tree)
    if reader.findings:
        raise TestsInvalid(as_problems(decoded, reader.findings))
    return tests


class _TestReader(Reader):
    """The grammar's reader, so that a mistake in a test is reported in the same words."""

    def tests(self, node: Node) -> tuple[PolicyTest, ...]:
        if not isinstance(node.value, list):
            self.wrong_type(node, None, "the tests of a policy are a list, written in [ ]")
            return ()
        if len(node.value) > MOST_TESTS:
            message = f"A policy has at most {MOST_TESTS:,} tests; these are {len(node.value):,}."
            self.found(node.at, "too_many_tests", None, message)
            return ()
        tests = [self.test(element, (None, index)) for index, element in enumerate(node.value)]
        return tuple(test for test in tests if test is not None)

    def test(self, node: Node, at: Pointer) -> PolicyTest | None:
        fields = self.fields(
            node, at, ("name", "call", "expect", "rule"), ("name", "call", "expect"), "a test"
        )
        name, rule = self.text(fields, "name", at), fields.get("rule")
        expect = self.word(fields, "expect", at, _EXPECTATIONS)
        call = self.call(fields["call"], (at, "call")) if "call" in fields else None
        pointer = (
            self.string(rule, (at, "rule"), '"rule" is a text like /tools/a/deny_if/0') if rule else None
        )
        return PolicyTest(name, call, expect, pointer) if name and call and expect else None

    def call(self, node: Node, at: Pointer) -> ToolCall | None:
        fields = self.fields(node, at, ("tool", "arguments"), ("tool",), "a call")
        tool = (
            self.string(fields["tool"], (at, "tool"), '"tool" is the name of a tool')
            if "tool" in fields
            else None
        )
        given = fields.get("arguments")
        arguments = MISSING if given is None else self.argument(given, (at, "arguments"))
        return None if tool is None else ToolCall(tool, arguments)

    def argument(self, node: Node, at: Pointer) -> object:
        value = node.value
        if isinstance(value, Number):
            return int(value.text) if _WHOLE.match(value.text) else jiter.LosslessFloat(value.text.encode())
        if isinstance(value, list):
            return [self.argument(element, (at, index)) for index, element in enumerate(value)]
        if not isinstance(value, Members):
            return value
        members: dict[str, object] = {}
        for key, key_at, inner in value.all:
            if key in members:
                self.repeated(key, key_at, at)
            else:
                members[key] = self.argument(inner, (at, key))
        return members


def tests_text(tests: Iterable[PolicyTest]) -> str:
    """Write the tests as text: `read_tests` gives them back from it, every number as it was written."""
    return _written([_test_value(test) for test in tests])


def _test_value(test: PolicyTest) -> dict[str, object]:
    arguments = {} if test.call.arguments is MISSING else {"arguments": test.call.arguments}
    rule = {} if test.rule is None else {"rule": test.rule}
    return {
        "name": test.name,
        "call": {"tool": test.call.tool, **arguments},
        "expect": test.expect,
        **rule,
    }


def _written(value: object) -> str:
    if isinstance(value, dict):
        return f"{{{', '.join(f'{_written(key)}: {_written(inner)}' for key, inner in value.items())}}}"
    if isinstance(value, list):
        return f"[{', '.join(map(_written, value))}]"
    if isinstance(value, jiter.LosslessFloat):
        return str(value)
    return json.dumps(value, ensure_ascii=False)


def name_of(test: PolicyTest) -> str:
    """Return the test's name, safe to print on one line."""
    return shown(test.name)
