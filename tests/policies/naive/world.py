"""Calls in order: counters as lists of charges, approvals as a table. Times are whole milliseconds."""

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from . import rules
from .rules import Answer, Charge
from .values import Json, same

APPROVAL_MS = 900_000


@dataclass(eq=False)
class Unit:
    counter: tuple[Any, ...]
    cost: int
    charged_at: int | None
    held_until: int = 0

    def counts(self, now: int, window: int) -> bool:
        return now < (self.held_until if self.charged_at is None else self.charged_at + window)


@dataclass(eq=False)
class Approval:
    who: tuple[str, str, str]
    tool: str
    arguments: Json
    units: list[Unit]
    ends: int
    state: str = "pending"


@dataclass
class Told:
    outcome: str
    code: str | None
    rule: str
    reason: str | None = None
    retry_after_seconds: int | None = None


@dataclass
class World:
    policy: Json
    classes: dict[str, str | None]
    units: list[Unit] = field(default_factory=list)
    approvals: list[Approval] = field(default_factory=list)

    def call(self, who: tuple[str, str, str], tool: str, arguments: Json, at: str) -> Told:
        now = int(Decimal(at) * 1000)
        answer = rules.ruling(self.policy, tool, self.classes.get(tool), arguments)
        if answer.outcome == "deny":
            return Told("deny", answer.code, answer.rule, answer.reason)
        if answer.outcome == "allow":
            return self._reserved(who, tool, arguments, answer, now)
        approval = self._approval(who, tool, arguments)
        if approval is None:
            return self._reserved(who, tool, arguments, answer, now)
        return self._standing(approval, who, tool, arguments, answer, now)

    def _standing(
        self,
        approval: Approval,
        who: tuple[str, str, str],
        tool: str,
        arguments: Json,
        answer: Answer,
        now: int,
    ) -> Told:
        if now >= approval.ends:
            self.approvals.remove(approval)
            if approval.state == "declined":
                return self._reserved(who, tool, arguments, answer, now)
            return Told("deny", "approval_expired", answer.rule)
        if approval.state == "pending":
            return Told("approval", "approval_required", answer.rule, answer.reason)
        if approval.state == "declined":
            return Told("deny", "approval_declined", answer.rule)
        self.approvals.remove(approval)
        for unit in approval.units:
            unit.charged_at = now
        return Told("allow", None, answer.allowed_by)

    def answer(self, who: tuple[str, str, str], tool: str, arguments: Json, said: str, at: str) -> None:
        now = int(Decimal(at) * 1000)
        approval = self._approval(who, tool, arguments)
        if approval is None or approval.state != "pending" or now >= approval.ends:
            return
        approval.state, approval.ends = said, now + APPROVAL_MS
        for unit in approval.units:
            unit.held_until = approval.ends
        if said == "declined":
            self.units = [unit for unit in self.units if unit not in approval.units]

    def _approval(self, who: tuple[str, str, str], tool: str, arguments: Json) -> Approval | None:
        for approval in self.approvals:
            if (approval.who, approval.tool) == (who, tool) and same(approval.arguments, arguments):
                return approval
        return None

    def _reserved(
        self, who: tuple[str, str, str], tool: str, arguments: Json, answer: Answer, now: int
    ) -> Told:
        named = [(self._counter(who, charge), charge) for charge in answer.charges]
        costs: dict[tuple[Any, ...], int] = {}
        for counter, charge in named:
            costs[counter] = max(costs.get(counter, 0), charge.cost)
        full = [charge for counter, charge in named if not self._fits(counter, charge, costs[counter], now)]
        if full:
            retry = self._retry(named, costs, now)
            return Told("deny", "limit_exceeded", full[0].rule, full[0].full, retry)
        waits = answer.outcome == "approval"
        units = [
            Unit(counter, cost, None if waits else now, now + APPROVAL_MS)
            for counter, cost in costs.items()
            if cost
        ]
        self.units += units
        if waits:
            self.approvals.append(Approval(who, tool, arguments, units, now + APPROVAL_MS))
        return Told(answer.outcome, answer.code, answer.rule, answer.reason)

    def _counter(self, who: tuple[str, str, str], charge: Charge) -> tuple[Any, ...]:
        organization, server, grant = who
        ids = {"grant": grant, "server": server, "organization": organization}
        return organization, charge.scope, ids[charge.scope], charge.counter, charge.key

    def _fits(self, counter: tuple[Any, ...], charge: Charge, cost: int, now: int) -> bool:
        if cost == 0:
            return True
        used = sum(u.cost for u in self.units if u.counter == counter and u.counts(now, charge.window_ms))
        return used + cost <= charge.most

    def _retry(
        self, named: list[tuple[tuple[Any, ...], Charge]], costs: dict[tuple[Any, ...], int], now: int
    ) -> int | None:
        """Tries every second at which something ends: nothing else changes what counts."""
        if any(costs[counter] > charge.most for counter, charge in named):
            return None
        moments = {now + 1000}
        for counter, charge in named:
            for unit in self.units:
                if unit.counter == counter:
                    end = unit.held_until if unit.charged_at is None else unit.charged_at + charge.window_ms
                    moments.add(now + max(1, -(-(end - now) // 1000)) * 1000)
        for moment in sorted(moments):
            if all(self._fits(counter, charge, costs[counter], moment) for counter, charge in named):
                return (moment - now) // 1000
        raise AssertionError("what is held or charged ends some day")

    def read(self, section: str, name: str) -> Told:
        answer = rules.access(self.policy, section, name)
        return Told(answer.outcome, answer.code, answer.rule, answer.reason)
