"""Decides recorded calls again under a draft: what would have become of them, and what cannot be known.

The log keeps the names of arguments, and values only if the organization asked for that. A call whose rules
read a value that was not kept counts as unknown; it is never guessed.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal, TypeAlias
from uuid import UUID

from policies.language.compile import CompiledPolicy, Plan
from policies.language.decide import decide
from policies.language.decision import MISSING, CounterKey, Decision, Outcome, TakeQuota, ToolCall
from policies.language.paths import Path, Step
from policies.language.quota import MICROS
from policies.traffic import RecordedCall, Traffic

Would: TypeAlias = Literal["pass", "ask", "refuse", "unknown"]
Change: TypeAlias = Literal["refused", "asked", "passed", "unknown"]
_CHANGES: Final[Mapping[tuple[str, Would], Change]] = {
    ("passed", "refuse"): "refused",
    ("asked", "refuse"): "refused",
    ("passed", "ask"): "asked",
    ("refused", "ask"): "asked",
    ("asked", "pass"): "passed",
    ("refused", "pass"): "passed",
}
_MOST_NAMED: Final = 3
BUDGET_SECONDS: Final = 5.0
_LOOK_AT_THE_CLOCK: Final = 64


@dataclass(slots=True)
class Moved:
    """Calls that would, or might, have ended differently, and the grants they came with."""

    calls: int = 0
    grants: set[UUID] = field(default_factory=set)

    def add(self, grant: UUID) -> None:
        self.calls += 1
        self.grants.add(grant)

    @property
    def by(self) -> int:
        return len(self.grants)


@dataclass(slots=True)
class ToolTraffic:
    """`unread`: the arguments whose values are needed but were not kept."""

    calls: int = 0
    refused: Moved = field(default_factory=Moved)
    asked: Moved = field(default_factory=Moved)
    passed: Moved = field(default_factory=Moved)
    unknown: Moved = field(default_factory=Moved)
    unread: dict[str, None] = field(default_factory=dict)

    @property
    def changed(self) -> int:
        return self.refused.calls + self.asked.calls + self.passed.calls

    @property
    def unread_named(self) -> list[str]:
        return [*self.unread][:_MOST_NAMED]

    @property
    def unread_more(self) -> int:
        return max(0, len(self.unread) - _MOST_NAMED)


@dataclass(frozen=True, slots=True)
class Standing:
    """One limit, as the calls of the last days would have left it under the draft."""

    quota: TakeQuota
    used_micros: int

    @property
    def used(self) -> str:
        whole, rest = divmod(self.used_micros, MICROS)
        return f"{whole:,}" if not rest else f"{self.used_micros / MICROS:,.2f}"

    @property
    def is_full(self) -> bool:
        return self.used_micros + self.quota.cost_micros > self.quota.max * MICROS


@dataclass(frozen=True, slots=True)
class Replay:
    tools: Mapping[str, ToolTraffic]
    whole: bool
    windows: _Windows

    def standing(self, decision: Decision, grant: UUID, now_ms: int) -> tuple[Standing, ...]:
        """Returns the state of each limit that a call with this decision would take from; takes nothing."""
        return tuple(Standing(each, self.windows.used(each, grant, now_ms)) for each in decision.quotas)

    @property
    def calls(self) -> int:
        return sum(each.calls for each in self.tools.values())

    @property
    def changed(self) -> int:
        return sum(each.changed for each in self.tools.values())

    @property
    def unknown(self) -> int:
        return sum(each.unknown.calls for each in self.tools.values())

    @property
    def same(self) -> int:
        return self.calls - self.changed - self.unknown


def replay(draft: CompiledPolicy, traffic: Traffic, budget_seconds: float = BUDGET_SECONDS) -> Replay:
    """Decides the calls in order of time. Deciding may be slow: when the budget is spent, the calls that are
    left are skipped and `whole` is False.
    """
    tools: dict[str, ToolTraffic] = {}
    reading = _Reading(draft)
    windows = _Windows()
    over = time.monotonic() + budget_seconds
    for number, call in enumerate(traffic.calls):
        if number % _LOOK_AT_THE_CLOCK == 0 and time.monotonic() > over:
            return Replay(tools, False, windows)
        told = tools.setdefault(call.tool, ToolTraffic())
        told.calls += 1
        if call.became == "other":
            continue
        would = _would(draft, call, reading.unread(call), windows)
        if would == "unknown":
            told.unknown.add(call.grant)
            told.unread.update(dict.fromkeys(path.text for path in reading.unread(call)))
        elif change := _CHANGES.get((call.became, would)):
            moved: Moved = getattr(told, change)
            moved.add(call.grant)
    return Replay(tools, traffic.whole, windows)


def _would(draft: CompiledPolicy, call: RecordedCall, unread: Sequence[Path], windows: _Windows) -> Would:
    if unread:
        return "unknown"
    decision = decide(draft, ToolCall(call.tool, _arguments(call)))
    if decision.outcome is Outcome.DENY:
        return "refuse"
    if not windows.take(decision.quotas, call.grant, call.at_ms):
        return "refuse"
    return "ask" if decision.outcome is Outcome.APPROVAL else "pass"


def _arguments(call: RecordedCall) -> dict[str, object]:
    """Rebuilds the arguments as far as they are known; those that no rule reads do not matter."""
    found: dict[str, object] = {}
    for steps, value in call.kept.items():
        at = found
        for step in steps[:-1]:
            below = at.setdefault(str(step), {})
            if not isinstance(below, dict):
                break
            at = below
        else:
            if value is not MISSING:
                at[str(steps[-1])] = value
    return found


class _Reading:
    """The arguments that the draft's rules for each tool read, looked up once per tool."""

    def __init__(self, draft: CompiledPolicy) -> None:
        self._draft = draft
        self._known: dict[str, tuple[Path, ...]] = {}

    def unread(self, call: RecordedCall) -> list[Path]:
        paths = self._known.get(call.tool)
        if paths is None:
            paths = self._known[call.tool] = tuple(_paths(self._draft, call.tool))
        return [path for path in paths if not _is_known(path.steps, call)]


def _paths(draft: CompiledPolicy, tool: str) -> Iterable[Path]:
    applies = draft.applies_to(tool)
    if not isinstance(applies, Plan) or applies.denied is not None:
        return ()
    read = [
        condition.source.path
        for rule in applies.rules
        for predicate in rule.predicates()
        for condition in predicate.conditions
    ]
    charged = [path for limit in applies.limits for path in (limit.source.key, limit.source.increment_from)]
    return dict.fromkeys([*read, *(path for path in charged if path is not None)])


def _is_known(steps: tuple[Step, ...], call: RecordedCall) -> bool:
    first = steps[0] if steps else None
    # A name that cannot be printed may be spelt differently in the log, so its absence proves nothing.
    if call.names is not None and isinstance(first, str) and first.isprintable() and first not in call.names:
        return True
    # A value missing further down may mean that its parent was not an object, which is another matter.
    return any(
        steps[: len(kept)] == kept and (value is not MISSING or len(kept) == 1)
        for kept, value in call.kept.items()
    )


class _Windows:
    """The charges to limits, in sliding windows. Times must never decrease from one call to the next."""

    def __init__(self) -> None:
        self._charges: dict[tuple[str, str, str], dict[int, _Window]] = {}

    def take(self, quotas: Sequence[TakeQuota], grant: UUID, now: int) -> bool:
        """Charges all the quotas; if any has no room, charges none and returns False."""
        owed: dict[tuple[str, str, str], int] = {}
        for quota in quotas:
            name = _ledger(quota, grant)
            owed[name] = max(owed.get(name, 0), quota.cost_micros)
            window = self._window(name, quota.window_seconds * 1000)
            if window.total(now) + owed[name] > quota.max * MICROS:
                return False
        for name, cost in owed.items():
            for window in self._charges[name].values():
                window.add(now, cost)
        return True

    def used(self, quota: TakeQuota, grant: UUID, now: int) -> int:
        return self._window(_ledger(quota, grant), quota.window_seconds * 1000).total(now)

    def _window(self, name: tuple[str, str, str], length: int) -> _Window:
        known = self._charges.setdefault(name, {})
        if length not in known:
            # Begins with what the longest other window of this counter has seen.
            longest = max(known.values(), key=lambda each: each.length, default=None)
            known[length] = _Window(length, longest)
        return known[length]


class _Window:
    def __init__(self, length: int, like: _Window | None) -> None:
        self.length = length
        self._charges: deque[tuple[int, int]] = deque(like._charges if like else ())
        self._total = sum(cost for _, cost in self._charges)

    def total(self, now: int) -> int:
        while self._charges and self._charges[0][0] + self.length <= now:
            self._total -= self._charges.popleft()[1]
        return self._total

    def add(self, now: int, cost: int) -> None:
        self._charges.append((now, cost))
        self._total += cost


def _ledger(quota: TakeQuota, grant: UUID) -> tuple[str, str, str]:
    """A policy belongs to one server of one organization, so any wider scope is all its grants together."""
    holder = str(grant) if quota.scope == "grant" else ""
    return quota.counter, f"{quota.scope} {holder}", _key(quota.key)


def _key(key: CounterKey) -> str:
    return f"{type(key).__name__ if isinstance(key, bool | str) else ''} {key}"
