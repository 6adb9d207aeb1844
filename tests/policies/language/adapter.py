"""The language as the case files ask it: five functions over plain values."""

from decimal import Decimal
from typing import Any

import jiter

from policies.language import convert as convert_module
from policies.language import effects as effects_module
from policies.language.canonical import canonical_text
from policies.language.compile import CompiledPolicy, ToolFacts, compile_policy
from policies.language.decision import Call, PromptGet, ResourceRead, ToolCall
from policies.language.parse import find_problems, parse_policy
from policies.language.simulate import Simulation, Verdict
from policies.language.virtual_counters import Holder


def read_arguments(text: str) -> object:
    return jiter.from_json(text.encode(), float_mode="lossless-float", allow_inf_nan=False)


def facts(tools: list[dict[str, Any]]) -> list[ToolFacts]:
    return [ToolFacts(tool["name"], tool.get("class"), tool.get("inputSchema")) for tool in tools]


def compiled(policy_text: str | None, tools: list[dict[str, Any]]) -> CompiledPolicy | None:
    return None if policy_text is None else compile_policy(parse_policy(policy_text), facts(tools))


def problems(text: str | bytes) -> list[dict[str, str]]:
    return [{"pointer": problem.pointer, "code": problem.code} for problem in find_problems(text)]


def canonical(text: str) -> str:
    return canonical_text(parse_policy(text))


def effects(policy_text: str, tools: list[dict[str, Any]]) -> dict[str, str]:
    names = [tool["name"] for tool in tools]
    return {
        name: str(effect)
        for name, effect in effects_module.effects(compiled(policy_text, tools), names).items()
    }


class World:
    def __init__(self, simulation: Simulation) -> None:
        self._simulation = simulation

    def call(self, call: dict[str, str], at: Decimal) -> dict[str, object]:
        verdict: Verdict = self._simulation.call(_call(call), at, _holder(call))
        return {
            "outcome": str(verdict.outcome),
            "code": verdict.code,
            "rule": verdict.rule,
            "reason": verdict.reason,
            "retry_after_seconds": verdict.retry_after_seconds,
        }

    def answer(self, call: dict[str, str], answer: Any, at: Decimal) -> None:
        made = _call(call)
        assert isinstance(made, ToolCall)
        self._simulation.answer(made, answer, at, _holder(call))


def start(policy_text: str | None, tools: list[dict[str, Any]]) -> World:
    return World(Simulation(compiled(policy_text, tools)))


def _holder(call: dict[str, str]) -> Holder:
    return Holder(call["organization"], call["server"], call["grant"])


def _call(call: dict[str, str]) -> Call:
    if "resource" in call:
        return ResourceRead(call["resource"])
    if "prompt" in call:
        return PromptGet(call["prompt"])
    return ToolCall(call["tool"], read_arguments(call["arguments"]))


def convert(text: str, tools: list[dict[str, Any]]) -> dict[str, object]:
    made = convert_module.convert(text, facts(tools))
    return {
        "dialect": made.dialect,
        "canonical": made.policy_text,
        "changed": [{"pointer": note.pointer, "code": note.code} for note in made.changed],
        "not_kept": [{"pointer": note.pointer, "code": note.code} for note in made.not_kept],
        "problems": [{"pointer": problem.pointer, "code": problem.code} for problem in made.problems],
    }
