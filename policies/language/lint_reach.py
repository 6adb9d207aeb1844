"""Checks which rules reach which tools, and finds the tools that no rule guards."""

from collections.abc import Iterable, Iterator
from typing import Final

from .document import Condition, Limit, Predicate, Rule
from .identity import identity_text
from .lint_survey import (
    ALL_TOOLS,
    MOST_CONDITIONS,
    RISKY,
    Entry,
    LintFinding,
    Patience,
    Severity,
    Survey,
    error,
    warning,
)
from .matching import MOST_SEARCHED, NameList, is_pattern
from .patterns import LARGEST_PROGRAM, Patterns
from .problems import did_you_mean, shown


def reach_findings(survey: Survey) -> Iterator[LintFinding]:
    yield from _too_many_conditions(survey)
    yield from _costly_patterns(survey)
    yield from _too_many_patterns(survey)
    yield from _names(survey)
    yield from _shadowed(survey)
    yield from _weaker_patterns(survey)
    yield from _unguarded_tools(survey)
    yield from _dropped_approvals(survey)
    document = survey.document
    count = sum(tool.tool_class is None for tool in survey.tools)
    if document.default == "allow" and count:
        message = (
            f"{f'{count} tools have' if count > 1 else 'A tool has'} no class yet and can be called all the "
            "same, and so can whatever the server adds. Deny by default, and allow what agents need."
        )
        yield warning("/default", "open_default", message)
    if document.all_tools is not None and document.all_tools.action == "allow":
        message = (
            "An allow for all tools opens nothing: what applies to all can only be stricter. "
            "Take it out, and allow tools by class or by name."
        )
        yield warning(f"{ALL_TOOLS}/action", "all_tools_allow", message)


def _too_many_conditions(survey: Survey) -> Iterator[LintFinding]:
    everywhere = len(survey.all_tools.conditions) if survey.all_tools else 0
    if everywhere > MOST_CONDITIONS:
        yield _too_many(ALL_TOOLS, everywhere)
    for entry in survey.own():
        total = len(entry.conditions) + everywhere
        if total > MOST_CONDITIONS >= everywhere:
            yield _too_many(entry.at, total)


def _too_many(at: str, total: int) -> LintFinding:
    message = (
        f"{total:,} conditions would be judged for one call, and at most {MOST_CONDITIONS:,} may "
        "be. Put values that are compared alike into one list (in, not_in)."
    )
    return error(at, "too_many_conditions", message)


def _costly_patterns(survey: Survey) -> Iterator[LintFinding]:
    """RE2 takes time proportional to both the text and the pattern's program: seconds if both are large."""
    patterns = Patterns()
    for entry in survey.every():
        for _, at, condition in entry.conditions:
            size = patterns.size_of(condition)
            if size > LARGEST_PROGRAM:
                message = (
                    f"This pattern becomes a program of {size:,} steps, which may take seconds for one text; "
                    f"at most {LARGEST_PROGRAM:,} are allowed. Ask for fewer repetitions."
                )
                yield error(f"{at}/value", "costly_pattern", message)


def _too_many_patterns(survey: Survey) -> Iterator[LintFinding]:
    """With so many patterns no name is compared at all: everything would be refused."""
    document, hidden, named = survey.document, survey.hide.index.searched, survey.patterns.index.searched
    counts = [("/hide" if hidden > named else "/tools", hidden + named)]
    for at, access in (("/resources", document.resources), ("/prompts", document.prompts)):
        if access is not None:
            counts.append(
                (at, sum(NameList.of(names).index.searched for names in (access.allow, access.deny)))
            )
    for at, count in counts:
        if count > MOST_SEARCHED:
            message = (
                "These patterns take too long to compare with a name, and every call would be denied. "
                f"There may be at most {MOST_SEARCHED:,} like *a*, or {MOST_SEARCHED // 10:,} like a*b*; "
                "a*, *a and a*b are free."
            )
            yield error(at, "too_many_patterns", message)


# Names


def _names(survey: Survey) -> Iterator[LintFinding]:
    known = {tool.name for tool in survey.tools}
    named = [(f"/hide/{index}", name) for index, name in enumerate(survey.document.hide)]
    named += [(entry.at, entry.name) for entry in survey.entries]
    candidates = tuple(known)[:2000]
    for at, name in named:
        # A server without known tools has not been scanned yet.
        if is_pattern(name) or name in known or not known:
            continue
        near = survey.suggestions.near(name, candidates)
        hint = did_you_mean(near)
        opened = survey.document.default == "allow"
        severity = Severity.ERROR if opened else Severity.WARNING
        comes_of = "hides nothing" if at.startswith("/hide/") else "decides no call"
        instead = ", and what is meant goes by the default, which allows" if opened else ""
        mend = hint or " Correct the name, or take it out."
        written = name if name.isprintable() else shown(name)
        message = f"The server has no tool {written}, so this {comes_of}{instead}.{mend}"
        yield LintFinding(at, "unknown_tool", severity, message)


def _shadowed(survey: Survey) -> Iterator[LintFinding]:
    for entry in survey.entries:
        if not is_pattern(entry.name):
            if survey.hide.first_match(entry.name) is not None:
                message = (
                    f"{entry.name} is hidden, and nothing overrides that: this rule never decides. "
                    "Take the rule out, or the name in hide."
                )
                yield warning(entry.at, "hide_and_rule", message)
            continue
        if not entry.tools and entry.at in survey.met:
            yield _shadow(entry)
    for entry in survey.classes:
        if not entry.tools and any(tool.tool_class == entry.name for tool in survey.tools):
            yield _shadow(entry)


def _shadow(entry: Entry) -> LintFinding:
    message = (
        "No tool of the server reaches this rule: for each tool it matches, another rule, or hide, comes "
        "first. Take it out, or the rules in front of it."
    )
    return warning(entry.at, "shadowed_rule", message)


# Patterns


def _weaker_patterns(survey: Survey) -> Iterator[LintFinding]:
    patterns = {entry.at: entry for entry in survey.entries if is_pattern(entry.name)}
    for entry in patterns.values():
        if entry.rule.action == "deny":
            continue
        for tool in entry.tools:
            rivals = (patterns[at] for at in survey.matched.get(tool.name, ()) if at != entry.at)
            other = _unrestated(survey, entry, rivals)
            if other is not None:
                message = (
                    f"{tool.name} also matches {other.name}, but its calls come here and get past what that "
                    f"rule asks. Repeat that here, or give {tool.name} a rule of its own."
                )
                yield error(entry.at, "weaker_pattern", message)
                break


def _unrestated(survey: Survey, entry: Entry, rivals: Iterable[Entry]) -> Entry | None:
    """Return another pattern of the tool that asks for something that the entry does not."""
    for rival in rivals:
        if not survey.patience.spend(Patience.LOOK * (1 + len(rival.conditions) + len(rival.rule.limits))):
            return None
        if not _restates(entry, rival.rule):
            return rival
    return None


def _restates(entry: Entry, other: Rule) -> bool:
    rule = entry.rule
    if any(not predicate.conditions for predicate in rule.deny_if):
        return True
    asks = rule.action == "require_approval" or any(not predicate.conditions for predicate in rule.approve_if)
    other_asks = other.action == "require_approval" or any(not each.conditions for each in other.approve_if)
    return (
        (asks or not other_asks)
        and _covers(rule.require, tuple(each for each in other.require if each.conditions))
        and _covers(rule.deny_if, other.deny_if)
        # A rule that always asks a person need not say when.
        and (asks or _covers(rule.approve_if, other.approve_if))
        and all(
            any(_as_tight(mine, limit, len(entry.tools)) for mine in rule.limits) for limit in other.limits
        )
    )


def _covers(mine: tuple[Predicate, ...], others: tuple[Predicate, ...]) -> bool:
    said = {_identity(predicate) for predicate in mine}
    return all(_identity(predicate) in said for predicate in others)


def _identity(predicate: Predicate) -> frozenset[tuple[str, str, str]]:
    def condition_identity(condition: Condition) -> tuple[str, str, str]:
        return condition.path.text, condition.op, identity_text(condition.value)

    return frozenset(map(condition_identity, predicate.conditions))


def _as_tight(mine: Limit, other: Limit, tools: int) -> bool:
    """Return whether `mine` admits no more for its tools, even under a counter of its own."""
    same = (mine.scope, mine.key, mine.increment_from) == (other.scope, other.key, other.increment_from)
    counts = tools if "{tool}" in mine.counter and "{tool}" not in other.counter else 1
    return same and mine.max * counts <= other.max and mine.window_seconds >= other.window_seconds


# Risk

_CAN: Final = {
    "Destructive": "delete as much as it likes",
    "Financial": "move money as often as it likes",
    "Execute": "run what it likes, as often as it likes",
}


def _unguarded_tools(survey: Survey) -> Iterator[LintFinding]:
    everywhere = survey.all_tools is not None and _guards(survey.all_tools.rule)
    guarded = {tool.name for entry in survey.own() if _guards(entry.rule) for tool in entry.tools}
    places = {tool.name: entry.at for entry in survey.own() for tool in entry.tools}
    for tool in survey.reachable:
        if tool.tool_class in RISKY and not everywhere and tool.name not in guarded:
            message = (
                f"{tool.name} ({tool.tool_class}) may be called without limit, approval or condition: "
                f"an agent gone wrong can {_CAN[tool.tool_class]}. "
                "Limit it, ask a person, or say which arguments are right."
            )
            yield warning(places.get(tool.name, "/default"), "unguarded_tool", message)


def _guards(rule: Rule) -> bool:
    """Return whether anything can keep a call from the server; a requirement without conditions cannot."""
    return bool(
        rule.limits
        or rule.deny_if
        or rule.approve_if
        or rule.action in ("deny", "require_approval")
        or any(predicate.conditions for predicate in rule.require)
    )


def _dropped_approvals(survey: Survey) -> Iterator[LintFinding]:
    """Find entries that do not say whether a person is asked, for a tool whose class asks one."""
    if survey.all_tools is not None and survey.all_tools.rule.action == "require_approval":
        return
    asking = {
        of
        for of, rule in survey.document.classes.items()
        if rule.action == "require_approval" or rule.approve_if
    }
    for entry in survey.entries:
        if entry.rule.action is not None or entry.rule.approve_if:
            continue
        tool = next((tool for tool in entry.tools if tool.tool_class in asking), None)
        if tool is not None:
            message = (
                f"This replaces the rule for {tool.tool_class} tools, so nobody is asked before {tool.name}. "
                'Write "action": "require_approval" if a person is to be asked, or "action": "allow" if not.'
            )
            yield warning(entry.at, "approval_dropped", message)
