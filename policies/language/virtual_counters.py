"""Counters on a virtual clock: the meaning of limits, in the simplest possible form.

Times are whole milliseconds. A charge counts until just before it is a window old; a held unit, of a call
that waits for a person, counts in every window until it is sent, given back or expired.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from .decision import CounterKey, TakeQuota
from .document import Scope
from .quota import MICROS

MOST_KEYS: Final = 10_000
CounterName: TypeAlias = tuple[str, Scope, str, str]
LedgerName: TypeAlias = tuple[CounterName, str, CounterKey]


@dataclass(frozen=True, slots=True)
class Holder:
    organization: str
    server: str
    grant: str


@dataclass(frozen=True, slots=True)
class Full:
    """The first limit that is full, and how long until the whole call would pass (None: never)."""

    limit: TakeQuota
    retry_after_seconds: int | None


@dataclass(slots=True)
class Unit:
    micros: int
    charged_at: int | None  # None while held
    held_until: int

    def counts_until(self, window: int) -> int:
        return self.held_until if self.charged_at is None else self.charged_at + window


@dataclass(slots=True)
class Reservation:
    """What one call took, so that it can be sent, extended or given back."""

    units: list[Unit] = field(default_factory=list)

    def send(self, now: int) -> None:
        for unit in self.units:
            unit.charged_at = now

    def hold_until(self, end: int) -> None:
        for unit in self.units:
            unit.held_until = end


@dataclass(slots=True)
class _Ledger:
    longest_window: int = 0
    units: list[Unit] = field(default_factory=list)

    def is_live(self, now: int) -> bool:
        return any(unit.counts_until(self.longest_window) > now for unit in self.units)

    def forget(self, now: int, window: int) -> None:
        self.units = [unit for unit in self.units if unit.counts_until(window) > now]

    def empty_at(self) -> int:
        return max(unit.counts_until(self.longest_window) for unit in self.units)

    def free_at(self, now: int, window: int, room: int) -> int:
        """Return the first moment, from `now` on, at which the units that count add up to at most `room`."""
        ends = sorted((unit.counts_until(window), unit.micros) for unit in self.units)
        counting = sum(micros for end, micros in ends if end > now)
        free_at = now
        for end, micros in ends:
            if counting <= room:
                break
            if end > now:
                counting -= micros
                free_at = end
        return free_at


class VirtualCounters:
    """`longest_window`: of all limits to come. What has left a short window may still count in a long one."""

    def __init__(self, longest_window: int) -> None:
        self._longest_window = longest_window
        self._ledgers: dict[LedgerName, _Ledger] = {}
        self._keys: dict[CounterName, set[LedgerName]] = {}

    def reserve(
        self, holder: Holder, limits: Sequence[TakeQuota], now: int, held_until: int | None
    ) -> Reservation | Full:
        """Reserve all of the limits or none: held until a person has answered, or charged at once."""
        costs: dict[LedgerName, int] = {}
        for limit in limits:
            name = _ledger_name(holder, limit)
            costs[name] = max(costs.get(name, 0), limit.cost_micros)
        full = self._first_full(holder, limits, costs, now)
        if full is not None:
            return full
        reservation = Reservation()
        for limit in limits:
            ledger = self._ledger(_ledger_name(holder, limit))
            ledger.longest_window = max(ledger.longest_window, limit.window_seconds * 1000)
            ledger.forget(now, self._longest_window)
        for name, cost in costs.items():
            if cost:
                charged_at = now if held_until is None else None
                unit = Unit(cost, charged_at, held_until or now)
                self._ledger(name).units.append(unit)
                reservation.units.append(unit)
        return reservation

    def give_back(self, reservation: Reservation) -> None:
        given = {id(unit) for unit in reservation.units}
        for ledger in self._ledgers.values():
            ledger.units = [unit for unit in ledger.units if id(unit) not in given]

    def _ledger(self, name: LedgerName) -> _Ledger:
        ledger = self._ledgers.get(name)
        if ledger is None:
            ledger = self._ledgers[name] = _Ledger()
            if name[2] is not None:
                self._keys.setdefault(name[0], set()).add(name)
        return ledger

    def _first_full(
        self, holder: Holder, limits: Sequence[TakeQuota], costs: dict[LedgerName, int], now: int
    ) -> Full | None:
        first: TakeQuota | None = None
        free_at, never = now, False
        for limit in limits:
            name = _ledger_name(holder, limit)
            passes_at = self._passes_at(name, limit, costs[name], now)
            if passes_at != now:
                first = first or limit
                never = never or passes_at is None
                free_at = max(free_at, passes_at or now)
        if first is None:
            return None
        return Full(first, None if never else max(1, -(-(free_at - now) // 1000)))

    def _passes_at(self, name: LedgerName, limit: TakeQuota, cost: int, now: int) -> int | None:
        if cost == 0:
            return now
        room = limit.max * MICROS - cost
        if room < 0:
            return None
        ledger = self._ledgers.get(name)
        if ledger is not None and ledger.units:
            return max(self._room_for_key(name, now), ledger.free_at(now, limit.window_seconds * 1000, room))
        return self._room_for_key(name, now)

    def _room_for_key(self, name: LedgerName, now: int) -> int:
        """Return when this key may be among the counter's live keys."""
        names = self._keys.get(name[0], set())
        if len(names) < MOST_KEYS or name[2] is None:
            return now
        live = [other for other in names if self._ledgers[other].is_live(now)]
        if name in live or len(live) < MOST_KEYS:
            return now
        return min(self._ledgers[other].empty_at() for other in live)


def _ledger_name(holder: Holder, limit: TakeQuota) -> LedgerName:
    identities = {"grant": holder.grant, "server": holder.server, "organization": holder.organization}
    counter: CounterName = (holder.organization, limit.scope, identities[limit.scope], limit.counter)
    # True, 1 and "1" are three keys, but Python would take the first two for one.
    return counter, type(limit.key).__name__ if isinstance(limit.key, bool | str) else "", limit.key
