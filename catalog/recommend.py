"""The rule we recommend for a tool, and the policy for a whole server. Pure.

A tool that we are not sure about waits for a person; it is never allowed without limit.
"""

from collections.abc import Iterable
from typing import Any, Final, TypeAlias, assert_never

from catalog.classifier.vocabulary import ToolClass
from catalog.classify import Classification
from policies.language.matching import NameList, is_pattern
from policies.language.words import shorthand_counter

Rule: TypeAlias = dict[str, Any]

CALLS_A_MINUTE: Final = {ToolClass.WRITE: 30, ToolClass.EXECUTE: 10}
_PER_TOOL: Final = "{tool}_rate"


def recommended_rule(tool: str, classification: Classification) -> Rule:
    """The entry for this one tool."""
    if is_pattern(tool):
        return _closed()
    if waits_for_a_person(classification):
        return _approval()
    return rule_of_class(classification.tool_class, shorthand_counter(tool))


def recommended_policy(tools: Iterable[tuple[str, Classification]]) -> dict[str, Any]:
    """A rule for each class, and an entry for every tool that its class would treat too lightly.

    A class whose tools all have an entry gets no rule: it would apply to nothing.

    An entry whose name has a `*` would be a pattern for other tools, too: it always denies.
    """
    known = list(tools)
    entries = {
        name: _closed() if is_pattern(name) else _approval()
        for name, classification in known
        if waits_for_a_person(classification) and not _class_asks(classification.tool_class)
    }
    there = {found.tool_class for _, found in known}
    named = NameList.of(entries)
    ruled = {found.tool_class for name, found in known if named.first_match(name) is None}
    classes = {
        str(tool_class): rule_of_class(tool_class, _PER_TOOL)
        for tool_class in ToolClass
        if tool_class in ruled or tool_class not in there
    }
    return {"version": "1", "default": "deny", **({"tools": entries} if entries else {}), "classes": classes}


def rule_of_class(tool_class: ToolClass, counter: str) -> Rule:
    match tool_class:
        case ToolClass.READ:
            return {}
        case ToolClass.WRITE | ToolClass.EXECUTE:
            most = CALLS_A_MINUTE[tool_class]
            return {"limits": [{"counter": counter, "window": "minute", "max": most, "scope": "grant"}]}
        case ToolClass.DESTRUCTIVE | ToolClass.FINANCIAL:
            return _approval()
        case _:
            assert_never(tool_class)


def short_form(tool: str, classification: Classification) -> tuple[str, str]:
    """`(effect, words)` of the rule for one tool, for a pill."""
    if is_pattern(tool):
        return "denied", "Deny"
    if waits_for_a_person(classification):
        return "needs_approval", "Approval"
    if classification.tool_class is ToolClass.READ:
        return "allowed", "Allow"
    return "limited", f"{CALLS_A_MINUTE[classification.tool_class]}/min"


def waits_for_a_person(classification: Classification) -> bool:
    bears_secrets = "secret_result" in classification.signals
    return classification.needs_review or bears_secrets or _class_asks(classification.tool_class)


def _class_asks(tool_class: ToolClass) -> bool:
    return tool_class in (ToolClass.DESTRUCTIVE, ToolClass.FINANCIAL)


def _approval() -> Rule:
    return {"action": "require_approval"}


def _closed() -> Rule:
    return {"action": "deny", "reason": "No rule can cover this tool alone: its name is a pattern."}
