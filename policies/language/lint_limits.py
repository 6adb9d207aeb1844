"""Limits that do not limit what their writer thinks."""

from collections.abc import Collection, Iterator

from .document import Limit, Rule, Scope
from .lint_survey import Entry, LintFinding, Survey, warning
from .matching import is_pattern


def limit_findings(
    survey: Survey, approval_seconds: int, other_counters: Collection[tuple[Scope, str]]
) -> Iterator[LintFinding]:
    named = _named_counters(survey)
    for entry in survey.every():
        for index, limit in enumerate(entry.rule.limits):
            at = f"{entry.at}/limits/{index}"
            if limit.window_seconds < approval_seconds and _may_wait(entry, survey):
                message = f"A call that waits for a person holds its unit for up to {approval_seconds:,} s."
                yield warning(at, "approval_holds_limit", message)
            yield from _alone(entry, survey, limit, at)
            yield from _shared(entry, limit, at, named, other_counters)
        yield from _unreachable(entry, named)


def _may_wait(entry: Entry, survey: Survey) -> bool:
    rules = [entry.rule]
    if entry is survey.all_tools:
        rules += [other.rule for other in survey.own() if other.rule.action != "deny"]
    elif survey.all_tools is not None:
        rules.append(survey.all_tools.rule)
    return entry.rule.action != "deny" and any(
        rule.action == "require_approval" or rule.approve_if for rule in rules
    )


def _alone(entry: Entry, survey: Survey, limit: Limit, at: str) -> Iterator[LintFinding]:
    sets = _limits_beside(entry, survey)
    if limit.increment_from is not None and not all(
        any(one.increment_from is None for one in some) for some in sets
    ):
        message = "This counts a value, which the agent chooses. Add a limit on the number of calls."
        yield warning(at, "value_limit_alone", message)
    if limit.key is not None and not all(any(one.key is None for one in some) for some in sets):
        message = "An agent that chooses the key chooses a fresh limit. Add a limit without a key."
        yield warning(at, "keyed_limit_alone", message)


def _limits_beside(entry: Entry, survey: Survey) -> list[tuple[Limit, ...]]:
    """For each kind of call that the entry's limits apply to: all limits that apply to it."""
    if entry is not survey.all_tools:
        return [entry.rule.limits + (survey.all_tools.rule.limits if survey.all_tools else ())]
    rules = [other.rule for other in survey.own() if other.rule.action != "deny"]
    if survey.document.default == "allow":
        rules.append(Rule())
    return [rule.limits + entry.rule.limits for rule in rules]


def _named_counters(survey: Survey) -> dict[tuple[Scope, str], set[str]]:
    """Counters, as calls of known tools name them, with the rules that do."""
    named: dict[tuple[Scope, str], set[str]] = {}
    for entry in survey.every():
        for limit in entry.rule.limits:
            for counter in _counters(entry, limit):
                named.setdefault((limit.scope, counter), set()).add(entry.at)
    return named


def _counters(entry: Entry, limit: Limit) -> set[str]:
    if "{tool}" not in limit.counter:
        return {limit.counter}
    names = {tool.name for tool in entry.tools}
    if entry.at.startswith("/tools/") and not is_pattern(entry.name):
        names.add(entry.name)
    return {limit.counter.replace("{tool}", name) for name in names}


def _shared(
    entry: Entry,
    limit: Limit,
    at: str,
    named: dict[tuple[Scope, str], set[str]],
    other_counters: Collection[tuple[Scope, str]],
) -> Iterator[LintFinding]:
    for counter in sorted(_counters(entry, limit)):
        others = sorted(named[limit.scope, counter] - {entry.at})
        elsewhere = limit.scope != "grant" and (limit.scope, counter) in other_counters
        if others or elsewhere:
            where = others[0] if others else "another policy"
            yield warning(at, "shared_counter", f"The counter {counter} is also charged by {where}.")
            return


def _unreachable(entry: Entry, named: dict[tuple[Scope, str], set[str]]) -> Iterator[LintFinding]:
    """Only among limits that charge alike and that no other rule charges: they count the same calls."""
    limits = [
        (index, limit)
        for index, limit in enumerate(entry.rule.limits)
        if limit.scope == "grant"
        and all(named["grant", counter] == {entry.at} for counter in _counters(entry, limit))
        and all(_charges_alike(other, limit) for other in entry.rule.limits if other.counter == limit.counter)
    ]
    for index, limit in limits:
        for other_index, other in limits:
            if (
                other_index != index
                and _always_first(other, limit)
                and not (_always_first(limit, other) and index < other_index)
            ):
                message = f"The limit {other_index + 1} of this rule is always reached first."
                yield warning(f"{entry.at}/limits/{index}", "unreachable_limit", message)
                break


def _charges_alike(one: Limit, other: Limit) -> bool:
    return (one.key, one.increment_from) == (other.key, other.increment_from)


def _always_first(tight: Limit, loose: Limit) -> bool:
    if not _charges_alike(tight, loose):
        return False
    if ("{tool}" in tight.counter) and "{tool}" not in loose.counter:
        return False
    windows = -(-loose.window_seconds // tight.window_seconds)
    return tight.max * windows <= loose.max
