"""Plays recorded calls and people's answers in order against one policy, on a virtual clock."""

import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Final

import jiter

from .compile import CompiledPolicy, ToolFacts
from .decision import MISSING, Call, PromptGet, ResourceRead, ToolCall
from .json_reader import Number
from .loose_json import Loose, RequestInvalid, call_value, plain_value
from .simulate import Answer, Simulation, Verdict
from .virtual_counters import Holder

_WAYS: Final = ("tool", "resource", "prompt")
_ANSWERS: Final[Mapping[str, Answer]] = {"approved": "approved", "declined": "declined"}
_LONGEST_FILL: Final = 10_000_000
_LATEST: Final = Decimal("1e15")


class World:
    """One simulated world: its counters, its approvals, its clock. Raises RequestInvalid."""

    def __init__(self, compiled: CompiledPolicy | None) -> None:
        self._simulation = Simulation(compiled)
        self._made: list[tuple[Call, Holder] | None] = []
        self._now = Decimal(0)

    def step(self, given: Loose) -> dict[str, object] | None:
        """Play one step. Return what became of the call; None for a person's answer."""
        if not isinstance(given, dict):
            raise RequestInvalid('A call is an object, like {"tool": "a", "arguments": {}, "at": 0}.')
        self._now = self._time(given)
        if "event" in given:
            self._answer(given)
            self._made.append(None)
            return None
        call, holder = _call(given), _holder(given)
        self._made.append((call, holder))
        return verdict_value(self._simulation.call(call, self._now, holder))

    def _time(self, given: dict[str, Loose]) -> Decimal:
        at = given.get("at", Number(str(self._now)))
        time = Decimal(at.text) if isinstance(at, Number) and len(at.text) < 40 else None
        if time is None or not 0 <= time <= _LATEST:
            raise RequestInvalid('"at" is a number of seconds from 0.')
        if time < self._now:
            raise RequestInvalid(f'"at" never falls; {time} comes after {self._now}.')
        return time

    def _answer(self, given: dict[str, Loose]) -> None:
        event, index = given["event"], given.get("call")
        answer = _ANSWERS.get(event) if isinstance(event, str) else None
        if answer is None:
            raise RequestInvalid('"event" is "approved" or "declined".')
        place = int(index.text) if isinstance(index, Number) and index.text.isdecimal() else len(self._made)
        made = self._made[place] if place < len(self._made) else None
        if made is None or not isinstance(made[0], ToolCall):
            raise RequestInvalid('"call" is the index of an earlier call of a tool, events counted.')
        self._simulation.answer(made[0], answer, self._now, made[1])


def verdict_value(verdict: Verdict) -> dict[str, object]:
    value: dict[str, object] = {
        "outcome": str(verdict.outcome),
        "code": verdict.code,
        "rule": verdict.rule,
        "reason": verdict.reason,
    }
    if verdict.code == "limit_exceeded":
        value["retry_after_seconds"] = verdict.retry_after_seconds
    return value


def _holder(given: dict[str, Loose]) -> Holder:
    return Holder(*(_text(given, key, key) for key in ("organization", "server", "grant")))


def _text(given: dict[str, Loose], key: str, otherwise: str | None = None) -> str:
    value = given.get(key, otherwise)
    if not isinstance(value, str):
        raise RequestInvalid(f'"{key}" is a text.')
    return value


def _call(given: dict[str, Loose]) -> Call:
    named = [way for way in _WAYS if way in given]
    if len(named) != 1:
        raise RequestInvalid('A call has one of "tool", "resource" and "prompt".')
    name = _text(given, named[0])
    match named[0]:
        case "tool":
            return ToolCall(name, _arguments(given))
        case "resource":
            return ResourceRead(name)
        case _:
            return PromptGet(name)


def _arguments(given: dict[str, Loose]) -> object:
    """Read `arguments` as JSON, `arguments_text` if the spelling matters, `arguments_fill` for long texts."""
    if "arguments_text" in given:
        return read_arguments(_text(given, "arguments_text"))
    if "arguments_fill" in given:
        return _filled(given["arguments_fill"])
    return call_value(given["arguments"]) if "arguments" in given else MISSING


def read_arguments(text: str) -> object:
    try:
        return jiter.from_json(
            text.encode("utf-8", "surrogatepass"),
            float_mode="lossless-float",
            allow_inf_nan=False,
            catch_duplicate_keys=True,
        )
    except ValueError as error:
        raise RequestInvalid(f"The arguments are not JSON: {error}.") from None


def _filled(fills: Loose) -> dict[str, str]:
    should = '"arguments_fill" is {member: {"char": a text, "count": how often}}.'
    if not isinstance(fills, dict):
        raise RequestInvalid(should)
    filled = {}
    for member, fill in fills.items():
        char, count = (fill.get("char"), fill.get("count")) if isinstance(fill, dict) else (None, None)
        if not isinstance(char, str) or not isinstance(count, Number) or not count.text.isdecimal():
            raise RequestInvalid(should)
        if len(count.text) > len(str(_LONGEST_FILL)) or int(count.text) * len(char) > _LONGEST_FILL:
            raise RequestInvalid(f'"arguments_fill" makes at most {_LONGEST_FILL:,} characters.')
        filled[member] = char * int(count.text)
    return filled


def read_tools(given: Loose) -> list[ToolFacts]:
    """Read a list of tools, or a response that holds one: of `tools/list`, or of this product's API."""
    if isinstance(given, dict):
        given = given.get("tools", given.get("results"))
    if not isinstance(given, list):
        raise RequestInvalid('Tools are a list of {"name", "class"?, "inputSchema"?}.')
    return [_facts(tool) for tool in given]


def _facts(tool: Loose) -> ToolFacts:
    name = tool.get("name") if isinstance(tool, dict) else None
    if not isinstance(tool, dict) or not isinstance(name, str):
        raise RequestInvalid('A tool is {"name", "class"?, "inputSchema"?}.')
    tool_class = tool.get("class")
    schema = plain_value(tool.get("inputSchema", tool.get("input_schema")))
    return ToolFacts(
        name,
        tool_class if isinstance(tool_class, str) else None,
        schema if isinstance(schema, dict) else None,
    )


def as_json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(", ", ": "))
