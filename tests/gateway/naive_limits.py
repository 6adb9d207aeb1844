"""Limits in any window, written as naively as the sentences that promise them: an oracle, not a design."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from gateway.counters.base import MICROS, Charge, Full, Reservation, Reserved

LIVE_KEYS = 10_000


@dataclass
class NaiveLimits:
    charged: list[tuple[tuple[object, ...], int, int, str]] = field(default_factory=list)
    decisions: set[str] = field(default_factory=set)

    def reserve(self, now: int, decision: str, charges: Sequence[Charge]) -> Reservation:
        if decision in self.decisions:
            return Reserved()
        costs = self._costs(charges)
        for index, charge in enumerate(charges):
            if not self._passes(now, charge, costs):
                return Full(index, self._retry_after(now, charges, costs))
        for counter, cost in costs.items():
            if cost:
                self.charged.append((counter, now, cost, decision))
                self.decisions.add(decision)
        return Reserved()

    def give_back(self, decision: str) -> None:
        self.charged = [entry for entry in self.charged if entry[3] != decision]
        self.decisions.discard(decision)

    def _costs(self, charges: Sequence[Charge]) -> dict[tuple[object, ...], int]:
        costs: dict[tuple[object, ...], int] = {}
        for charge in charges:
            costs[_counter(charge)] = max(costs.get(_counter(charge), 0), charge.cost_micros)
        return costs

    def _passes(self, now: int, charge: Charge, costs: dict[tuple[object, ...], int]) -> bool:
        cost = costs[_counter(charge)]
        if cost == 0:
            return True
        live = [entry for entry in self.charged if entry[1] <= now < entry[1] + charge.window_ms]
        counted = sum(micros for counter, _, micros, _ in live if counter == _counter(charge))
        if counted + cost > charge.max * MICROS:
            return False
        family = _counter(charge)[:4]
        others = {counter for counter, *_ in live if counter[:4] == family and counter[4] != "none"}
        keyed = charge.key is not None
        return not keyed or _counter(charge) in others or len(others) < LIVE_KEYS

    def _retry_after(
        self, now: int, charges: Sequence[Charge], costs: dict[tuple[object, ...], int]
    ) -> int | None:
        longest = max(charge.window_ms for charge in charges)
        for seconds in range(1, longest // 1000 + 2):
            if all(self._passes(now + 1000 * seconds, charge, costs) for charge in charges):
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
