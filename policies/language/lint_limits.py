"""Finds limits that do not limit what their writer thinks they do."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from itertools import chain, islice
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
    everywhere = survey.all_tools.rule.limits if survey.all_tools else ()
    shared, shared_has_no_key = _call_keys(everywhere), _has_no_key(everywhere)
    for entry in survey.every():
        if not entry.rule.limits:
            continue
        may_wait, beside = _may_wait(entry, survey), _limits_beside(entry, survey, shared, shared_has_no_key)
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


# The keys by which limits count calls; None is the key of a limit without one.
_Keys: TypeAlias = frozenset[Path | None]


def _call_keys(limits: tuple[Limit, ...]) -> _Keys:
    return frozenset(limit.key for limit in limits if limit.increment_from is None)


@dataclass(frozen=True, slots=True)
class _Beside:
    """The limits found on every call that an entry's limits apply to.

    `shared`: those for all tools count by these keys. `counted`: each of these calls is counted by each of
    these keys, or without a key.
    """

    shared: _Keys
    counted: _Keys
    has_no_key: bool

    def counts_calls(self, key: Path | None) -> bool:
        """Return whether calls are counted, all together or for each value of this key."""
        wanted = {None, key}
        return not wanted.isdisjoint(self.shared) or not wanted.isdisjoint(self.counted)


def _alone(beside: _Beside, limit: Limit, at: str) -> Iterator[LintFinding]:
    if limit.increment_from is not None and not beside.counts_calls(limit.key):
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


def _limits_beside(entry: Entry, survey: Survey, shared: _Keys, shared_has_no_key: bool) -> _Beside:
    if entry is not survey.all_tools:
        kinds = [entry.rule.limits]
    else:
        rules = [other.rule for other in survey.own() if other.rule.action != "deny"]
        if survey.document.default == "allow":
            rules.append(Rule())
        kinds = [rule.limits for rule in rules]
    by_key_only = [keys for keys in map(_call_keys, kinds) if None not in keys]
    return _Beside(
        shared=shared,
        counted=frozenset.intersection(*by_key_only) if by_key_only else frozenset({None}),
        has_no_key=shared_has_no_key or all(map(_has_no_key, kinds)),
    )


def _has_no_key(limits: tuple[Limit, ...]) -> bool:
    return any(limit.key is None for limit in limits)


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
    if _is_exact(entry):
        names.add(entry.name)
    return {limit.counter.replace("{tool}", name) for name in names}


def _is_exact(entry: Entry) -> bool:
    return entry.at.startswith("/tools/") and not is_pattern(entry.name)


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
    """Find limits whose charges all count in a tighter one too. What else counts there fills it sooner."""
    kinds: dict[str, set[tuple[Path | None, Path | None]]] = {}
    for limit in entry.rule.limits:
        kinds.setdefault(limit.counter, set()).add((limit.key, limit.increment_from))
    for index, limit in enumerate(entry.rule.limits):
        only_here = limit.scope == "grant" and all(
            named["grant", counter].keys() == {entry.at} for counter in _counters(entry, limit)
        )
        if not only_here or len(kinds[limit.counter]) > 1:
            continue
        first = _reached_before(survey, entry, index)
        if first is not None:
            place, tighter = first
            own = place < len(entry.rule.limits)
            which = f"limit {place + 1} of this rule" if own else "a limit for all tools"
            message = (
                f"This limit holds nothing back: {which} ({limit_words(tighter)}) is always reached first. "
                "Take it out, or make it tighter."
            )
            yield warning(f"{entry.at}/limits/{index}", "unreachable_limit", message)


def _reached_before(survey: Survey, entry: Entry, index: int) -> tuple[int, Limit] | None:
    """Return a tighter limit with its place among the entry's limits and, after them, those for all tools."""
    own = entry.rule.limits
    limit = own[index]
    everywhere = survey.all_tools.rule.limits if survey.all_tools and entry is not survey.all_tools else ()
    for place, other in enumerate(chain(own, everywhere)):
        if not survey.patience.spend(Patience.PAIR):
            return None
        if (
            place != index
            and _always_first(entry, other, limit)
            and not (index < place < len(own) and _always_first(entry, limit, other))
        ):
            return place, other
    return None


def _always_first(entry: Entry, tight: Limit, loose: Limit) -> bool:
    if (tight.key, tight.increment_from) != (loose.key, loose.increment_from):
        return False
    if "{tool}" in tight.counter and "{tool}" not in loose.counter and not _is_exact(entry):
        return False
    windows = -(-loose.window_seconds // tight.window_seconds)
    if loose.key is not None and windows > 1:
        # A key is live for as long as the window, and a counter has only so many live keys.
        return False
    return tight.max * windows <= loose.max
