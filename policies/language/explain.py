"""A policy in plain sentences: what happens to the calls of one tool."""

import json
from collections.abc import Iterable
from typing import Final

from .compile import HIDDEN, CompiledPolicy, CompiledRule, Plan, Refusal
from .document import Limit, Predicate, Rule
from .matching import is_pattern
from .phrases import condition_words, limit_words
from .sentences import no_policy_sentence

_ALL_TOOLS: Final = "/all_tools"


def explain(compiled: CompiledPolicy | None, tool: str) -> list[str]:
    if compiled is None:
        return [no_policy_sentence()]
    applies = compiled.applies_to(tool)
    if isinstance(applies, Refusal):
        return [_refusal(applies, tool)]
    said = [_origin(applies, tool)]
    if applies.denied is not None:
        return [
            *said,
            f"Every call is denied{_where(applies.denied)}.{_saying(applies.denied.source.reason)}",
        ]
    for rule in applies.rules:
        said += _rule_sentences(rule.source, rule.at)
    return said if len(said) > 1 else [*said, "Every call is allowed."]


def _refusal(refusal: Refusal, tool: str) -> str:
    if refusal is HIDDEN:
        return f"{tool} is hidden: agents do not see it, and every call is denied."
    return f"No rule names {tool}, so the default applies: agents do not see it, and every call is denied."


def _origin(plan: Plan, tool: str) -> str:
    rule = next((rule for rule in plan.rules if rule.at == plan.allowed_by), None)
    if rule is None:
        return f"No rule names {tool}, so the default applies: calls are allowed."
    _, section, name = rule.at.split("/")
    name = name.replace("~1", "/").replace("~0", "~")
    if section == "classes":
        return f"{tool} is of the class {name}, and the rule of that class applies."
    if is_pattern(name):
        return f"The rule for {name} applies, the strongest pattern that matches {tool}."
    return f"{tool} has a rule of its own."


def _where(rule: CompiledRule) -> str:
    return " by the rule for all tools" if rule.at == _ALL_TOOLS else ""


def _saying(reason: str | None) -> str:
    return f" The agent reads: {json.dumps(reason, ensure_ascii=False)}" if reason else ""


def explain_rule(rule: Rule, at: str) -> list[str]:
    """What one rule says by itself. `at`: its pointer."""
    if rule.action == "deny":
        return [f"Every call is denied.{_saying(rule.reason)}"]
    prefix = "For all tools: " if at == _ALL_TOOLS else ""
    said = [sentence.removeprefix(prefix) for sentence in _rule_sentences(rule, at)]
    return said or ["Every call is allowed."]


def _rule_sentences(source: Rule, at: str) -> list[str]:
    prefix = "For all tools: " if at == _ALL_TOOLS else ""
    said = [
        *_predicates(source.require, "every", source.reason, "Calls are denied unless {}"),
        *_predicates(source.deny_if, "any", source.reason, "Calls are denied if {}"),
        *_approvals(source),
        *(_limit(limit, at) for limit in source.limits),
    ]
    return [prefix + sentence for sentence in said]


def _approvals(rule: Rule) -> list[str]:
    if rule.action == "require_approval":
        return ["Every call waits for a person's approval."]
    return _predicates(rule.approve_if, "any", None, "Calls wait for a person's approval if {}")


def _predicates(predicates: Iterable[Predicate], each: str, reason: str | None, sentence: str) -> list[str]:
    said = []
    for predicate in predicates:
        conditions = [condition_words(condition, each=each) for condition in predicate.conditions]
        saying = _saying(predicate.on_deny or reason)
        if conditions:
            said.append(f"{sentence.format(' and '.join(conditions))}.{saying}")
        elif each == "any":
            always = sentence.partition(" if ")[0].replace("Calls are", "Every call is")
            said.append(f"{always.replace('Calls wait', 'Every call waits')}.{saying}")
    return said


def _limit(limit: Limit, at: str) -> str:
    words = limit_words(limit)
    together = "" if "{tool}" in limit.counter else _together(at)
    return f"{'A' if words.startswith('at most') else words[0]}{words[1:]}{together}."


def _together(at: str) -> str:
    if at == _ALL_TOOLS:
        return ", all tools together"
    if at.startswith("/classes/"):
        return ", all tools of the class together"
    return ", all tools that the pattern matches together" if is_pattern(at) else ""
