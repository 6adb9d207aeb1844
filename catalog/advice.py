"""The policy we recommend for a tool or a server, judged by the very code that gateways run. Pure."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from catalog.classifier.vocabulary import ToolClass
from catalog.classify import Classification, Param
from catalog.recommend import recommended_policy, recommended_rule, waits_for_a_person
from policies.language.cases import PolicyTest, run_tests
from policies.language.compile import CompiledPolicy, ToolFacts, compile_policy
from policies.language.decision import ToolCall
from policies.language.effects import Effect, effects
from policies.language.explain import explanation
from policies.language.lint import lint
from policies.language.matching import is_pattern
from policies.language.parse import parse_policy

VERBS: Final = {
    ToolClass.READ: "Restrict this tool",
    ToolClass.WRITE: "Limit this tool",
    ToolClass.EXECUTE: "Rate-limit this tool",
    ToolClass.DESTRUCTIVE: "Gate this tool",
    ToolClass.FINANCIAL: "Cap this tool",
}
_OUTSIDER: Final = "a_tool_the_server_has_not_listed"


@dataclass(frozen=True, slots=True)
class Listed:
    name: str
    params: tuple[Param, ...]
    found: Classification


@dataclass(frozen=True, slots=True)
class Advice:
    """`sentences` say what the policy does to the tool, `elsewhere` to the others; both are computed."""

    text: str
    effect: Effect
    sentences: tuple[str, ...]
    elsewhere: str
    verb: str
    checks: tuple[str, ...]
    flaws: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ServerAdvice:
    """`classes`: by effect, the classes of the tools that it applies to."""

    text: str
    effects: Mapping[str, Effect]
    counts: Mapping[str, int]
    classes: Mapping[str, frozenset[str]]
    flaws: tuple[str, ...]


def policy_for_tool(name: str, found: Classification) -> dict[str, Any]:
    return {"version": "1", "default": "deny", "tools": {name: recommended_rule(name, found)}}


def as_text(policy: Mapping[str, Any]) -> str:
    return json.dumps(policy, indent=2, ensure_ascii=False)


def advise(tool: Listed, others: Sequence[str]) -> Advice:
    """`others`: the names of all other tools of the server."""
    text = as_text(policy_for_tool(tool.name, tool.found))
    compiled, flaws = _compiled(text, (_facts(tool),))
    tests = tests_for(tool)
    results = run_tests(compiled, tests)
    failed = tuple(result.sentence for result in results if not result.passed)
    found = effects(compiled, [tool.name, *others])
    return Advice(
        text=text,
        effect=found[tool.name],
        sentences=explanation(compiled, tool.name).details,
        elsewhere=_elsewhere([found[name] for name in others]),
        verb=VERBS[ToolClass.DESTRUCTIVE if tool.found.needs_review else tool.found.tool_class],
        checks=tuple(result.sentence for result in results if result.passed),
        flaws=(*flaws, *failed),
    )


def tests_for(tool: Listed) -> tuple[PolicyTest, ...]:
    """What the page promises, as test calls: one to the tool, one to anything else."""
    expect = _expectation(tool)
    return (
        PolicyTest("the tool itself", ToolCall(tool.name, {}), expect),
        PolicyTest("anything else", ToolCall(_OUTSIDER, {}), "deny"),
    )


def _expectation(tool: Listed) -> Any:
    if is_pattern(tool.name):
        return "deny"
    if waits_for_a_person(tool.found):
        return "approval"
    return "allow" if tool.found.tool_class is ToolClass.READ else "limited"


def advise_server(tools: Iterable[Listed]) -> ServerAdvice:
    known = list(tools)
    text = as_text(recommended_policy((tool.name, tool.found) for tool in known))
    compiled, flaws = _compiled(text, tuple(_facts(tool) for tool in known))
    found = effects(compiled, [tool.name for tool in known])
    classes: dict[str, set[str]] = defaultdict(set)
    for tool in known:
        classes[str(found[tool.name])].add(str(tool.found.tool_class))
    return ServerAdvice(
        text=text,
        effects=found,
        counts=Counter(str(effect) for effect in found.values()),
        classes={effect: frozenset(of) for effect, of in classes.items()},
        flaws=flaws,
    )


def _compiled(text: str, facts: tuple[ToolFacts, ...]) -> tuple[CompiledPolicy, tuple[str, ...]]:
    document = parse_policy(text)
    flaws = tuple(finding.message for finding in lint(document, facts) if finding.severity == "error")
    return compile_policy(document, facts), flaws


def _facts(tool: Listed) -> ToolFacts:
    return ToolFacts(tool.name, str(tool.found.tool_class), schema_of(tool.params))


def schema_of(params: Iterable[Param]) -> dict[str, object]:
    """What is known about the arguments, as a schema; what is not known is left open."""
    known = list(params)
    properties: dict[str, object] = {}
    for name, kind, _ in known:
        kinds = kind.split("|")
        properties[name] = {} if kinds == ["any"] else {"type": kinds if len(kinds) > 1 else kinds[0]}
    return {"type": "object", "properties": properties, "required": [n for n, _, must in known if must]}


def _elsewhere(found: Sequence[Effect]) -> str:
    """The other tools of the server under this policy, in one sentence."""
    if not found:
        return "The server lists no other tool."
    parts = [f"{count} {_WORDS[effect]}" for effect, count in Counter(found).items()]
    if len(parts) == 1:
        (effect,) = set(found)
        if len(found) == 1:
            return f"The server’s other tool is {_WORDS[effect]}."
        return f"The other {len(found)} tools of this server are {_WORDS[effect]}."
    return f"Of the other {len(found)} tools of this server, {', '.join(parts)}."


_WORDS: Final = {
    Effect.ALLOWED: "allowed",
    Effect.LIMITED: "limited",
    Effect.CONDITIONAL: "allowed under conditions",
    Effect.NEEDS_APPROVAL: "held for a person",
    Effect.DENIED: "denied",
    Effect.HIDDEN: "hidden",
}
