"""Finds what would keep a policy's file from being published, here and with the language itself.

Everything is known before the first change, so that no plan is carried out by half.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

import msgspec

from policies.commandline import findings
from policies.language.cases import TestsInvalid, name_of, read_tests, run_tests
from policies.language.compile import ToolFacts, compile_policy
from policies.language.parse import parse_policy
from policies.language.steps import read_tools
from policylayer.shapes import Problem, Tool

TEST_FAILED: Final = "test_failed"


def facts(tools: Iterable[Tool]) -> list[ToolFacts]:
    return read_tools([tool_value(tool) for tool in tools])


def tool_value(tool: Tool) -> dict[str, Any]:
    return {"name": tool.name, "class": tool.tool_class or None, "inputSchema": tool.input_schema}


def what_blocks(text: str, tests: str | None, tools: list[ToolFacts]) -> tuple[Problem, ...]:
    """Returns what is wrong with the text, or else with the tests beside it, or else the tests that fail."""
    found = [msgspec.convert(row, Problem) for row in findings(text.encode(), tools)]
    if wrong := tuple(each for each in found if each.severity == "error"):
        return wrong
    if tests is None:
        return ()
    try:
        results = run_tests(compile_policy(parse_policy(text), tools), read_tests(tests))
    except TestsInvalid as invalid:
        return tuple(
            Problem(each.pointer, f"Line {each.line} of its tests: {each.message}", each.code)
            for each in invalid.problems
        )
    return tuple(
        Problem("", f"The test {name_of(result.test)} fails: {result.sentence}", TEST_FAILED)
        for result in results
        if not result.passed
    )
