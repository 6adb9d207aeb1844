"""Checks conditions and limits against the arguments that the tools have."""

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Final

from .compile import ToolFacts
from .document import Condition, Predicate
from .lint_constant import predicate_by_schema
from .lint_empty import empty_values, says_nothing
from .lint_schema import below, first_unlisted, follow, is_closed, is_optional, properties, types
from .lint_survey import (
    ALL_TOOLS,
    COMES_OF,
    MOST_CONDITIONS,
    RISKY,
    Entry,
    LintFinding,
    Patience,
    Severity,
    Survey,
    warning,
)
from .lint_types import NUMBER, judged_types, other_types, unjudged_types
from .paths import EACH, Each, Path, member_path, path_text
from .problems import did_you_mean, shown
from .sentences import listed

_MOST_NAMED: Final = 7
_MOST_COMPARED: Final = 200
_OWN_RULE: Final = "Give that tool a rule of its own."
_OF_THOSE: Final = "Put it in the rules of the tools that have it."
_MISSING_HOLDS: Final = ("neq", "not_in", "not_contains")
_LIST: Final = frozenset({"array"})
_KEYS: Final = frozenset({"string", "number", "integer", "boolean"})


def argument_findings(survey: Survey) -> Iterator[LintFinding]:
    for entry in survey.every():
        if len(entry.conditions) > MOST_CONDITIONS:
            # Already refused for that, and too many to look at one by one.
            continue
        guarded, beside = _guarded(entry, survey), _tested_beside(entry)
        for section, at, condition in entry.conditions:
            if section == "deny_if" and condition.op == "under_path":
                message = (
                    "A link, or another spelling of the path, gets past this. "
                    "Require the paths that are right, instead of denying those that are not."
                )
                yield warning(at, "path_in_deny", message)
            yield from empty_values(entry, section, at, condition)
            yield from _impossible(survey, entry, at, condition)
            yield from other_types(survey, entry, section, at, condition)
            yield from unjudged_types(survey, entry, section, at, condition)
            if section != "require":
                here = beside.get(at.rpartition("/conditions/")[0], frozenset())
                yield from _unguarded(survey, entry, section, at, condition, guarded | here)
        yield from _uncountable(survey, entry)
        for at, path, comes_of in _paths_read(entry):
            yield from _unknown(survey, entry, at, path, comes_of)
            yield from _unknown_inside(survey, entry, at, path)
        for section, at, predicate in entry.asked:
            yield from _paired(at, predicate)
            yield from _constant(survey, entry, section, at, predicate)
        if entry.rule.action != "deny":
            for at, path in _needed(entry):
                yield from _lacking(survey, entry, at, path)


def _first(path: Path) -> str | None:
    """Return the argument that a path begins with."""
    step = path.steps[0] if path.steps else None
    return step if isinstance(step, str) else None


def _paths_read(entry: Entry) -> Iterator[tuple[str, Path, str]]:
    """Yield each path with its place, and the effect if calls never have the argument."""
    for section, at, condition in entry.conditions:
        holds = _holds_without(condition)
        yield f"{at}/path", condition.path, "this always holds" if holds else COMES_OF[section, False]
    for index, limit in enumerate(entry.rule.limits):
        for key, path in (("key", limit.key), ("increment_from", limit.increment_from)):
            if path is not None:
                yield f"{entry.at}/limits/{index}/{key}", path, "every call is denied"


def _holds_without(condition: Condition) -> bool:
    """Return whether the condition is true for a call without the argument."""
    return condition.op in _MISSING_HOLDS or (condition.op == "exists" and condition.value is False)


def _guarded(entry: Entry, survey: Survey) -> frozenset[str | None]:
    """Return the arguments whose absence some rule for the same calls decides by itself (`exists`)."""
    rules = {entry.at: entry, **({ALL_TOOLS: survey.all_tools} if survey.all_tools else {})}
    return frozenset(
        _first(condition.path)
        for rule in rules.values()
        for section, _, predicate in rule.asked
        for condition in predicate.conditions
        if condition.op == "exists" and _decides_by_itself(section, predicate, condition)
    )


def _decides_by_itself(section: str, predicate: Predicate, condition: Condition) -> bool:
    """A person who is asked where the argument is there is not asked where it is not."""
    if section == "require":
        return True
    return len(predicate.conditions) == 1 and (section == "deny_if" or condition.value is False)


def _tested_beside(entry: Entry) -> dict[str, frozenset[str | None]]:
    """Return, by the pointer of a predicate, the arguments whose presence its own conditions test."""
    return {
        at: frozenset(_first(condition.path) for condition in tests)
        for _, at, predicate in entry.asked
        if (tests := [condition for condition in predicate.conditions if condition.op == "exists"])
    }


def _unguarded(
    survey: Survey, entry: Entry, section: str, at: str, condition: Condition, guarded: frozenset[str | None]
) -> Iterator[LintFinding]:
    name = _first(condition.path)
    if name is None or name in guarded or condition.op == "exists" or condition.op in _MISSING_HOLDS:
        return
    optional = [tool for tool in survey.look_at(entry.tools) if is_optional(tool.input_schema, name)]
    if not optional:
        return
    worst = next((tool for tool in optional if tool.tool_class in RISKY), optional[0])
    severity = Severity.ERROR if worst.tool_class in RISKY else Severity.WARNING
    gets_past = "is not denied by this" if section == "deny_if" else "goes through without asking anyone"
    message = (
        f"{worst.name} can be called without {member_path(name)}, and such a call {gets_past}. "
        "Require that it is there (exists), or deny calls without it."
    )
    yield LintFinding(at, "unguarded_optional", severity, message)


def _impossible(survey: Survey, entry: Entry, at: str, condition: Condition) -> Iterator[LintFinding]:
    """One odd tool among many is only worth a warning: its calls are denied, and the others are judged."""
    wrong: tuple[ToolFacts, object] | None = None
    judges = False
    for tool in survey.look_at(entry.tools):
        reached = follow(tool.input_schema, condition.path.steps)
        if reached is None:
            continue
        if _may_judge(condition, reached):
            judges = True
        elif wrong is None:
            wrong = tool, reached[0]
        if wrong and judges:
            break
    if wrong is None:
        return
    odd, allowed = wrong[0], types(wrong[1])
    said = f"of the type {' or '.join(sorted(allowed))}" if allowed else "of another kind than the path needs"
    message = (
        f"In {odd.name}, {condition.path.text} is {said}, which {condition.op} cannot judge, "
        "and what cannot be judged is denied. "
        f"{_of_others(survey, entry) if judges else _mend(odd, condition, allowed)}"
    )
    yield LintFinding(at, "impossible_operator", Severity.WARNING if judges else Severity.ERROR, message)


def _of_others(survey: Survey, entry: Entry) -> str:
    """What to do about a tool that a rule does not fit. One for all tools applies beside any other."""
    return _OF_THOSE if entry is survey.all_tools else _OWN_RULE


def _mend(tool: ToolFacts, condition: Condition, allowed: frozenset[str] | None) -> str:
    each = _each_element(tool, condition)
    if each is not None:
        return f"Write {each} for each element of the list."
    return "Choose an operator for that type." if allowed else "Choose a path that leads to a value."


def _each_element(tool: ToolFacts, condition: Condition) -> str | None:
    """Return the path with `[*]` after the list that it takes for a single value, if that is the mistake."""
    schema: object = tool.input_schema
    steps = condition.path.steps
    for place, step in enumerate((*steps, None)):
        # An index picks an element; where that is a list in turn, the next step or the end is the mistake.
        if types(schema) == _LIST and not isinstance(step, Each | int):
            mended = (*steps[:place], EACH, *steps[place:])
            leads = follow(tool.input_schema, mended)
            return path_text(mended) if leads and _may_judge(condition, leads) else None
        reached = None if step is None else follow(schema, (step,))
        if reached is None or not reached[1]:
            return None
        schema = reached[0]
    return None


def _may_judge(condition: Condition, reached: tuple[object, bool]) -> bool:
    schema, right_kind = reached
    allowed, judges = types(schema), judged_types(condition)
    return right_kind and (allowed is None or judges is None or bool(allowed & judges))


def _uncountable(survey: Survey, entry: Entry) -> Iterator[LintFinding]:
    """Find limits that by the schema deny every call: what they read can be neither counted nor a key."""
    if entry.rule.action == "deny":
        return
    for index, limit in enumerate(entry.rule.limits):
        for key, path, countable, mend in (
            ("key", limit.key, _KEYS, "Count for each value of a text, a number or a yes/no."),
            ("increment_from", limit.increment_from, NUMBER, "Add up an argument that is a number."),
        ):
            if path is not None:
                yield from _of_wrong_type(
                    survey, entry, f"{entry.at}/limits/{index}/{key}", path, countable, mend
                )


def _of_wrong_type(
    survey: Survey, entry: Entry, at: str, path: Path, countable: frozenset[str], mend: str
) -> Iterator[LintFinding]:
    """One odd tool among many is only worth a warning: the limit does its work for the others."""
    wrong: tuple[str, str] | None = None
    may_count = False
    for tool in survey.look_at(entry.tools):
        said = _why_uncountable(tool, path, countable, mend)
        if said is None:
            may_count = True
        elif wrong is None:
            wrong = said
        if wrong and may_count:
            break
    if wrong is None:
        return
    whose = "every call of it" if may_count else "every call"
    message = f"{wrong[0]}, so {whose} is denied. {wrong[1]}"
    yield LintFinding(at, "impossible_operator", Severity.WARNING if may_count else Severity.ERROR, message)


def _why_uncountable(
    tool: ToolFacts, path: Path, countable: frozenset[str], mend: str
) -> tuple[str, str] | None:
    """Return what is wrong and what to do instead; None if the path may lead to something countable."""
    # What is missing cannot be counted either.
    reached = follow(tool.input_schema, path.steps, past_null=False)
    if reached is not None and not reached[1]:
        return f"In {tool.name}, {path.text} leads nowhere", "Choose a single value, outside of any list."
    allowed = types(reached[0]) if reached else None
    if not allowed or allowed & countable:
        return None
    return f"In {tool.name}, {path.text} is of the type {' or '.join(sorted(allowed))}", mend


def _unknown(survey: Survey, entry: Entry, at: str, path: Path, comes_of: str) -> Iterator[LintFinding]:
    name = _first(path)
    if name is None or not entry.tools:
        return
    listings = []
    for tool in survey.look_at(entry.tools):
        listed = properties(tool.input_schema)
        if listed is None or name in listed:
            return
        listings.append(listed)
    if survey.patience.is_over:
        return
    known = tuple(key for listed in listings for key in listed or ())
    near = survey.suggestions.near(name, known[:_MOST_COMPARED])
    right = member_path(near) if near else None
    if right is None and len(entry.tools) == 1 and survey.patience.spend(Patience.PAIR * len(known)):
        right = below(entry.tools[0].input_schema, name)
    lacks = (
        f"{entry.tools[0].name} has no argument"
        if len(entry.tools) == 1
        else "None of the tools this applies to has an argument"
    )
    message = (
        f"{lacks} {member_path(name)}, so {comes_of}.{did_you_mean(right) or _choose(entry.tools, known)}"
    )
    closed = all(is_closed(tool.input_schema) for tool in entry.tools)
    yield LintFinding(at, "unknown_argument", Severity.ERROR if closed else Severity.WARNING, message)


def _unknown_inside(survey: Survey, entry: Entry, at: str, path: Path) -> Iterator[LintFinding]:
    """Find a member of an argument that no tool lists: a slip there would go unnoticed."""
    found = []
    for tool in survey.look_at(entry.tools):
        unlisted = first_unlisted(tool.input_schema, path.steps)
        if unlisted is None:
            return
        found.append((tool, *unlisted))
    if not found or not survey.patience.spend(Patience.PAIR * _MOST_COMPARED):
        return
    tool, place, listed = found[0]
    near = survey.suggestions.near(str(path.steps[place]), tuple(islice(listed, _MOST_COMPARED)))
    right = path_text((*path.steps[:place], near)) if near else None
    lacks, mend = path_text(path.steps[: place + 1]), did_you_mean(right) or " Look at the tool's arguments."
    yield warning(at, "unknown_argument", f"{tool.name} lists no {lacks}, so this reads nothing there.{mend}")


def _choose(tools: Sequence[ToolFacts], known: Sequence[str]) -> str:
    if len(tools) > 1:
        return " Choose one that they have."
    more = [f"{len(known) - _MOST_NAMED} more"] if len(known) > _MOST_NAMED else []
    named = listed([*map(shown, known[:_MOST_NAMED]), *more])
    return f" It has {named}." if known else " It has none at all."


def _paired(at: str, predicate: Predicate) -> Iterator[LintFinding]:
    seen = set()
    for condition in predicate.conditions:
        if condition.path.quantified:
            steps = condition.path.steps
            prefix = steps[: steps.index(EACH) + 1]
            if prefix in seen:
                message = (
                    "Each of these conditions goes through the list by itself: one element may meet the "
                    "first and another the second. Keep one of them where one element has to meet both."
                )
                yield warning(at, "paired_elements", message)
                return
            seen.add(prefix)


def _constant(
    survey: Survey, entry: Entry, section: str, at: str, predicate: Predicate
) -> Iterator[LintFinding]:
    results: set[bool | None] = set()
    if any(says_nothing(each.op, each.value) for each in predicate.conditions):
        return  # Said where the value is missing.
    for tool in survey.look_at(entry.tools if predicate.conditions else ()):
        survey.patience.spend(Patience.LOOK * len(predicate.conditions))
        results.add(predicate_by_schema(tool, section, predicate))
        if results != {True} and results != {False}:
            return
    if results:
        message = (
            f"By the schema this {'always' if True in results else 'never'} holds, "
            f"so {COMES_OF[section, True in results]}. Compare the value with what the argument may be."
        )
        yield warning(at, "constant_predicate", message)


def _needed(entry: Entry) -> Iterator[tuple[str, Path]]:
    """Yield each path without which every call is denied, with its place."""
    for section, at, predicate in entry.asked:
        for index, condition in enumerate(predicate.conditions):
            alone = section == "deny_if" and len(predicate.conditions) == 1
            if alone if _holds_without(condition) else section == "require":
                yield f"{at}/conditions/{index}", condition.path
    for index, limit in enumerate(entry.rule.limits):
        for path in (limit.key, limit.increment_from):
            if path is not None:
                yield f"{entry.at}/limits/{index}", path


def _lacking(survey: Survey, entry: Entry, at: str, path: Path) -> Iterator[LintFinding]:
    name = _first(path)
    if name is None:
        return
    lacks: ToolFacts | None = None
    # What no tool of a rule has is told as an unknown argument of the rule itself.
    worth_a_word = entry is survey.all_tools
    for tool in survey.look_at(entry.tools):
        listed = properties(tool.input_schema) if tool.input_schema is not None else None
        if listed is None or name in listed:
            worth_a_word = True
        elif lacks is None:
            lacks = tool
        if lacks and worth_a_word:
            break
    if lacks is None or not worth_a_word:
        return
    said = f"{lacks.name} has no argument {member_path(name)}, so every call of it is denied by this."
    if entry is survey.all_tools:
        yield warning(at, "all_tools_argument", f"{said} {_OF_THOSE}")
    else:
        yield warning(at, "unknown_argument", f"{said} {_OWN_RULE}")
