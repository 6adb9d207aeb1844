"""A policy in plain sentences: what happens to the calls of one tool."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from .compile import HIDDEN, CompiledPolicy, CompiledRule, Plan, Refusal
from .document import Limit, Predicate, Rule
from .matching import is_pattern
from .phrases import condition_words, in_prose, limit_words
from .sentences import no_policy_sentence

EVERY_CALL_IS_ALLOWED: Final = "Every call is allowed."
EVERY_CALL_WAITS: Final = "Every call waits for a person’s approval."
_ALL_TOOLS: Final = "/all_tools"


class Applies(StrEnum):
    """Why a policy treats a tool as it does, each with the sentence for it."""

    NO_POLICY = no_policy_sentence()
    HIDDEN = "{begins} is hidden: agents do not see it, and every call is denied."
    DENIED_BY_DEFAULT = (
        "No rule names {named}, so the default applies: agents do not see it, and every call is denied."
    )
    ALLOWED_BY_DEFAULT = "No rule names {named}, so the default applies: calls are allowed."
    ALLOWED_IN_PART = "No rule names {named}, so the default applies, and the rule for all tools."
    CLASS = "{begins} is of the class {rule}, and the rule of that class applies."
    PATTERN = "The rule for {rule} applies, the strongest pattern that matches {matched}."
    OWN = "{begins} has a rule of its own."


@dataclass(frozen=True, slots=True)
class Explanation:
    """What happens to the calls of a tool, without its name: tools treated alike have equal explanations."""

    applies: Applies
    details: tuple[str, ...] = ()
    # The class or the pattern whose rule applies.
    rule: str = ""

    def of(self, tool: str) -> tuple[str, ...]:
        return self._sentences(begins=tool, named=tool, matched=tool)

    def of_each(self) -> tuple[str, ...]:
        """Return the sentences for several tools at once."""
        return self._sentences(begins="Each", named="any of these", matched="each")

    def _sentences(self, **who: str) -> tuple[str, ...]:
        return (self.applies.format(rule=self.rule, **who), *self.details)


def explain(compiled: CompiledPolicy | None, tool: str) -> list[str]:
    return list(explanation(compiled, tool).of(tool))


def explanation(compiled: CompiledPolicy | None, tool: str) -> Explanation:
    if compiled is None:
        return Explanation(Applies.NO_POLICY)
    applies = compiled.applies_to(tool)
    if isinstance(applies, Refusal):
        return Explanation(Applies.HIDDEN if applies is HIDDEN else Applies.DENIED_BY_DEFAULT)
    return _of_plan(applies)


def _of_plan(plan: Plan) -> Explanation:
    why, name = _why(plan)
    said = [sentence for rule in plan.rules for sentence in _rule_sentences(rule.source, rule.at)]
    if plan.denied is not None:
        said = [f"Every call is denied{_where(plan.denied)}.{_saying(plan.denied.source.reason)}"]
    if said and why is Applies.ALLOWED_BY_DEFAULT:
        why = Applies.ALLOWED_IN_PART
    return Explanation(why, tuple(said) or (EVERY_CALL_IS_ALLOWED,), name)


def _why(plan: Plan) -> tuple[Applies, str]:
    rule = next((rule for rule in plan.rules if rule.at == plan.allowed_by), None)
    if rule is None:
        return Applies.ALLOWED_BY_DEFAULT, ""
    _, section, name = rule.at.split("/")
    name = name.replace("~1", "/").replace("~0", "~")
    if section == "classes":
        return Applies.CLASS, name
    return (Applies.PATTERN, name) if is_pattern(name) else (Applies.OWN, "")


def _where(rule: CompiledRule) -> str:
    return " by the rule for all tools" if rule.at == _ALL_TOOLS else ""


def _saying(reason: str | None) -> str:
    return f" The agent reads: {in_prose(reason)}" if reason else ""


def explain_rule(rule: Rule, at: str) -> list[str]:
    """Return what one rule says on its own. `at`: its pointer."""
    if rule.action == "deny":
        return [f"Every call is denied.{_saying(rule.reason)}"]
    prefix = "For all tools: " if at == _ALL_TOOLS else ""
    said = [sentence.removeprefix(prefix) for sentence in _rule_sentences(rule, at)]
    return said or [EVERY_CALL_IS_ALLOWED]


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
        return [EVERY_CALL_WAITS]
    return _predicates(rule.approve_if, "any", None, "Calls wait for a person’s approval if {}")


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
    return f"{'A' if words.startswith('at most') else words[0]}{words[1:]}{_together(limit, at)}."


def _together(limit: Limit, at: str) -> str:
    """Say which tools count together, unless the rule is for one tool."""
    if not at.startswith((_ALL_TOOLS, "/classes/")) and not is_pattern(at):
        return ""
    if "{tool}" in limit.counter:
        return ", each tool by itself"
    if at == _ALL_TOOLS:
        return ", all tools together"
    if at.startswith("/classes/"):
        return ", all tools of the class together"
    return ", all tools that the pattern matches together"
