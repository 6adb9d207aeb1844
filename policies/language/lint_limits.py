"""Finds limits that do not limit what their writer thinks they do."""

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import TypeAlias

from .document import Limit, Rule, Scope
from .lint_survey import ALL_TOOLS, Entry, LintFinding, Patience, Survey, warning
from .matching import is_pattern
from .paths import Path
from .phrases import limit_words
from .sentences import span_words

# Counters, as calls of known tools name them, each with the rules that name it, in order.
_Named: TypeAlias = dict[tuple[Scope, str], dict[str, None]]


def limit_findings(
    survey: Survey, approval_seconds: int, other_counters: Collection[tuple[Scope, str]]
) -> Iterator[LintFinding]:
    named = _named_counters(survey)
    for entry in survey.every():
        if not entry.rule.limits:
            continue
        may_wait, beside = _may_wait(entry, survey), _limits_beside(entry, survey)
        for index, limit in enumerate(entry.rule.limits):
            at = f"{entry.at}/limits/{index}"
            if limit.window_seconds < approval_seconds and may_wait:
                wait = span_words(approval_seconds)
                message = (
                    f"A call that waits for a person keeps its place in this limit for up to {wait}, and "
                    f"holds others back meanwhile. Count in a window of {wait} or more."
                )
                yield warning(at, "approval_holds_limit", message)
            yield from _alone(beside, limit, at)
            yield from _shared(survey, entry, limit, at, named, other_counters)
        yield from _unreachable(survey, entry, named)


def _may_wait(entry: Entry, survey: Survey) -> bool:
    rules = [entry.rule]
    if entry is survey.all_tools:
        rules += [other.rule for other in survey.own() if other.rule.action != "deny"]
    elif survey.all_tools is not None:
        rules.append(survey.all_tools.rule)
    return entry.rule.action != "deny" and any(
        rule.action == "require_approval" or rule.approve_if for rule in rules
    )


@dataclass(frozen=True, slots=True)
class _Beside:
    """The kinds of limit found on every call that an entry's limits apply to."""

    counts_calls: bool
    has_no_key: bool


def _alone(beside: _Beside, limit: Limit, at: str) -> Iterator[LintFinding]:
    if limit.increment_from is not None and not beside.counts_calls:
        message = (
            f"This adds up {limit.increment_from.text}, which the agent chooses: with small values it can "
            "call without end. Add a limit on the number of calls."
        )
        yield warning(at, "value_limit_alone", message)
    if limit.key is not None and not beside.has_no_key:
        message = (
            f"The agent chooses {limit.key.text}, and each new value of it starts a new count. "
            "Add a limit that counts all calls together."
        )
        yield warning(at, "keyed_limit_alone", message)


def _limits_beside(entry: Entry, survey: Survey) -> _Beside:
    everywhere = survey.all_tools.rule.limits if survey.all_tools else ()
    if entry is not survey.all_tools:
        kinds = [(*entry.rule.limits, *everywhere)]
    else:
        rules = [other.rule for other in survey.own() if other.rule.action != "deny"]
        if survey.document.default == "allow":
            rules.append(Rule())
        kinds = [rule.limits for rule in rules]
    # The limits of `all_tools` itself apply to each kind of call.
    shared = everywhere if entry is survey.all_tools else ()
    return _Beside(
        counts_calls=_on_each(kinds, shared, lambda limit: limit.increment_from is None),
        has_no_key=_on_each(kinds, shared, lambda limit: limit.key is None),
    )


def _on_each(
    kinds: list[tuple[Limit, ...]], shared: tuple[Limit, ...], wanted: Callable[[Limit], bool]
) -> bool:
    return any(map(wanted, shared)) or all(any(map(wanted, limits)) for limits in kinds)


def named_beyond_a_grant(survey: Survey) -> set[tuple[Scope, str]]:
    return {named for named in _named_counters(survey) if named[0] != "grant"}


def _named_counters(survey: Survey) -> _Named:
    """Return the counters, as calls of known tools name them, each with the rules that name it."""
    named: _Named = {}
    for entry in survey.every():
        for limit in entry.rule.limits:
            for counter in _counters(entry, limit):
                named.setdefault((limit.scope, counter), {})[entry.at] = None
    return named


def _counters(entry: Entry, limit: Limit) -> set[str]:
    if "{tool}" not in limit.counter:
        return {limit.counter}
    names = {tool.name for tool in entry.tools}
    if entry.at.startswith("/tools/") and not is_pattern(entry.name):
        names.add(entry.name)
    return {limit.counter.replace("{tool}", name) for name in names}


def _shared(
    survey: Survey,
    entry: Entry,
    limit: Limit,
    at: str,
    named: _Named,
    other_counters: Collection[tuple[Scope, str]],
) -> Iterator[LintFinding]:
    for counter in sorted(_counters(entry, limit)):
        if not survey.patience.spend(Patience.PAIR):
            return
        others = [at_other for at_other in islice(named[limit.scope, counter], 2) if at_other != entry.at]
        elsewhere = limit.scope != "grant" and (limit.scope, counter) in other_counters
        if others or elsewhere:
            message = (
                f"{_whose(others[0]) if others else 'Another policy'} counts in {counter} too: what is busy "
                "there uses up what is left here. Give this limit a counter of its own, unless one count "
                "for both is meant."
            )
            yield warning(at, "shared_counter", message)
            return


def _whose(at: str) -> str:
    if at == ALL_TOOLS:
        return "The rule for all tools"
    section, _, name = at.removeprefix("/").partition("/")
    name = name.replace("~1", "/").replace("~0", "~")
    return f"The {name} rule" if section == "classes" else f"The rule for {name}"


def _unreachable(survey: Survey, entry: Entry, named: _Named) -> Iterator[LintFinding]:
    """Compare only limits that charge alike and that no other rule charges: they count the same calls."""
    kinds: dict[str, set[tuple[Path | None, Path | None]]] = {}
    for limit in entry.rule.limits:
        kinds.setdefault(limit.counter, set()).add((limit.key, limit.increment_from))
    limits = [
        (index, limit)
        for index, limit in enumerate(entry.rule.limits)
        if limit.scope == "grant"
        and len(kinds[limit.counter]) == 1
        and all(named["grant", counter].keys() == {entry.at} for counter in _counters(entry, limit))
    ]
    for index, limit in limits:
        first = _reached_before(survey, limits, index, limit)
        if first is not None:
            message = (
                f"This limit holds nothing back: limit {first + 1} of this rule "
                f"({limit_words(entry.rule.limits[first])}) is always reached first. "
                "Take it out, or make it tighter."
            )
            yield warning(f"{entry.at}/limits/{index}", "unreachable_limit", message)


def _reached_before(survey: Survey, limits: list[tuple[int, Limit]], index: int, limit: Limit) -> int | None:
    for other_index, other in limits:
        if not survey.patience.spend(Patience.PAIR):
            return None
        if (
            other_index != index
            and _always_first(other, limit)
            and not (_always_first(limit, other) and index < other_index)
        ):
            return other_index
    return None


def _charges_alike(one: Limit, other: Limit) -> bool:
    return (one.key, one.increment_from) == (other.key, other.increment_from)


def _always_first(tight: Limit, loose: Limit) -> bool:
    if not _charges_alike(tight, loose):
        return False
    if ("{tool}" in tight.counter) and "{tool}" not in loose.counter:
        return False
    windows = -(-loose.window_seconds // tight.window_seconds)
    return tight.max * windows <= loose.max
