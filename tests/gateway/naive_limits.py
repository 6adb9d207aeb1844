"""Limits in any window, written as naively as the sentences that promise them: an oracle, not a design."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from gateway.counters.base import (
    HOLD_GRACE_SECONDS,
    MICROS,
    Charge,
    Full,
    NotHeld,
    Reservation,
    Reserved,
    Settlement,
)

LIVE_KEYS = 10_000
GRACE_MS = 1000 * HOLD_GRACE_SECONDS


@dataclass
class Hold:
    counter: tuple[object, ...]
    until: int
    micros: int
    decision: str


@dataclass
class NaiveLimits:
    charged: list[tuple[tuple[object, ...], int, int, str]] = field(default_factory=list)
    held: list[Hold] = field(default_factory=list)

    def reserve(
        self, now: int, decision: str, charges: Sequence[Charge], hold_seconds: int | None = None
    ) -> Reservation:
        if any(entry[3] == decision for entry in self.charged) or self._holds_of(now, decision):
            return Reserved()
        costs = self._costs(charges)
        for index, charge in enumerate(charges):
            if not self._passes(now, charge, costs, GRACE_MS):
                left = charge.max * MICROS - self._counted(now, charge, GRACE_MS)
                left = left if 0 < left < costs[_counter(charge)] else 0
                return Full(index, self._retry_after(now, charges, costs), left)
        for counter, cost in costs.items():
            if cost and hold_seconds is None:
                self.charged.append((counter, now, cost, decision))
            elif cost and hold_seconds is not None:
                self.held.append(Hold(counter, now + 1000 * hold_seconds, cost, decision))
        return Reserved()

    def extend(self, now: int, decision: str, seconds: int) -> None:
        for hold in self._holds_of(now, decision):
            hold.until = now + 1000 * seconds

    def settle(self, now: int, decision: str) -> Settlement:
        mine = self._holds_of(now, decision)
        self.release(decision)
        self.charged += [(hold.counter, now, hold.micros, decision) for hold in mine]
        return Reserved() if mine else NotHeld()

    def release(self, decision: str) -> None:
        self.held = [hold for hold in self.held if hold.decision != decision]

    def give_back(self, decision: str) -> None:
        self.release(decision)
        self.charged = [entry for entry in self.charged if entry[3] != decision]

    def _holds_of(self, now: int, decision: str) -> list[Hold]:
        return [hold for hold in self.held if hold.decision == decision and now < hold.until + GRACE_MS]

    def _costs(self, charges: Sequence[Charge]) -> dict[tuple[object, ...], int]:
        costs: dict[tuple[object, ...], int] = {}
        for charge in charges:
            costs[_counter(charge)] = max(costs.get(_counter(charge), 0), charge.cost_micros)
        return costs

    def _passes(self, now: int, charge: Charge, costs: dict[tuple[object, ...], int], grace_ms: int) -> bool:
        cost = costs[_counter(charge)]
        if cost == 0:
            return True
        if self._counted(now, charge, grace_ms) + cost > charge.max * MICROS:
            return False
        live = self._live(now, charge)
        held = [hold for hold in self.held if now < hold.until + grace_ms]
        family = _counter(charge)[:4]
        counters = {entry[0] for entry in live} | {hold.counter for hold in held}
        others = {counter for counter in counters if counter[:4] == family and counter[4] != "none"}
        keyed = charge.key is not None
        return not keyed or _counter(charge) in others or len(others) < LIVE_KEYS

    def _live(self, now: int, charge: Charge) -> list[tuple[tuple[object, ...], int, int, str]]:
        return [entry for entry in self.charged if entry[1] <= now < entry[1] + charge.window_ms]

    def _counted(self, now: int, charge: Charge, grace_ms: int) -> int:
        """What counts against the limit, in millionths."""
        mine = _counter(charge)
        charged = sum(micros for counter, _, micros, _ in self._live(now, charge) if counter == mine)
        held = [hold for hold in self.held if hold.counter == mine and now < hold.until + grace_ms]
        return charged + sum(hold.micros for hold in held)

    def _retry_after(
        self, now: int, charges: Sequence[Charge], costs: dict[tuple[object, ...], int]
    ) -> int | None:
        longest = max([charge.window_ms for charge in charges] + [hold.until - now for hold in self.held])
        for seconds in range(1, longest // 1000 + 2):
            # A held unit counts as free at its time limit, though the store keeps it a little longer.
            if all(self._passes(now + 1000 * seconds, charge, costs, 0) for charge in charges):
                return seconds
        return None


def _counter(charge: Charge) -> tuple[object, ...]:
    return (charge.organization, charge.scope_kind, charge.scope_id, charge.counter, _key(charge.key))


def _key(key: object) -> object:
    match key:
        case None:
            return "none"
        case bool():
            return ("boolean", key)
        case str():
            return ("text", key)
        case _:
            return ("number", Decimal(str(key)))
