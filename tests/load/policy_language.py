"""Measures the policy language: deciding, compiling, parsing and linting, each beside a baseline.

    python -m tests.load.policy_language [--rounds 15]

Times are CPU time, the median of the rounds. The baselines are measured in the same run, and no
implementation could do without them: `json.loads` of the same text, the five conditions written in Python.
"""

from __future__ import annotations

import argparse
import json
import re
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from policies.language.compile import CompiledPolicy, ToolFacts, compile_policy
from policies.language.decide import decide
from policies.language.decision import Outcome, ToolCall
from policies.language.document import Document, Rule
from policies.language.effects import Effect, effects
from policies.language.lint import lint
from policies.language.parse import parse_policy
from tests.load.promised import note

ARGUMENTS: Final[dict[str, Any]] = {
    "amount": 120,
    "currency": "EUR",
    "account": "acct_ab12cd34",
    "memo": "June invoice",
    "to": {"country": "DE", "name": "Carol"},
}
FIVE: Final = {
    "require": [
        {"conditions": [{"path": "args.amount", "op": "lte", "value": 500}]},
        {"conditions": [{"path": "args.currency", "op": "in", "value": ["EUR", "USD"]}]},
        {"conditions": [{"path": "args.account", "op": "regex", "value": "^acct_[a-z0-9]{8}$"}]},
    ],
    "deny_if": [
        {"conditions": [{"path": "args.memo", "op": "contains", "value": "refund"}]},
        {"conditions": [{"path": "args.to.country", "op": "eq", "value": "XX"}]},
    ],
}
_ACCOUNT: Final = re.compile("^acct_[a-z0-9]{8}$")


def by_hand(arguments: dict[str, Any]) -> bool:
    return (
        arguments["amount"] <= 500
        and arguments["currency"] in ("EUR", "USD")
        and _ACCOUNT.search(arguments["account"]) is not None
        and "refund" not in arguments["memo"]
        and arguments["to"]["country"] != "XX"
    )


@dataclass(frozen=True, slots=True)
class Line:
    """`microseconds` beside those of the baseline, and the most that are promised."""

    what: str
    microseconds: float
    promised: float | None = None
    beside: str = ""
    baseline: float = 0.0

    @property
    def holds(self) -> bool:
        return self.promised is None or self.microseconds <= self.promised


def median_microseconds(work: Callable[[], object], times: int, rounds: int) -> float:
    taken = []
    for _ in range(rounds):
        began = time.process_time()
        for _ in range(times):
            work()
        taken.append((time.process_time() - began) / times)
    return statistics.median(taken) * 1e6


def compiled(tools: dict[str, Any]) -> CompiledPolicy:
    document = parse_policy(json.dumps({"version": "1", "default": "deny", "tools": tools}))
    return compile_policy(document, [ToolFacts(name, "Write") for name in tools])


def rule(number: int) -> dict[str, Any]:
    limit = {"counter": f"tool_{number}_rate", "window": "minute", "max": 30, "scope": "grant"}
    condition = {"path": "args.amount", "op": "lte", "value": number}
    return {"require": [{"conditions": [condition]}], "limits": [limit]}


def many(count: int) -> dict[str, Any]:
    return {f"tool_{number}": rule(number) for number in range(count)}


def facts(count: int) -> list[ToolFacts]:
    schema = {"type": "object", "properties": {"amount": {"type": "number"}}, "required": ["amount"]}
    return [ToolFacts(f"tool_{number}", "Write", {**schema}) for number in range(count)]


def deciding(rounds: int) -> list[Line]:
    policy, call = compiled({"pay": FIVE, "free": {}}), ToolCall("pay", ARGUMENTS)
    assert decide(policy, call).outcome is Outcome.ALLOW
    free, loops = ToolCall("free", {"a": 1}), 5000
    hand = median_microseconds(lambda: by_hand(ARGUMENTS), loops, rounds)
    nothing = median_microseconds(lambda: None, loops, rounds)
    five = median_microseconds(lambda: decide(policy, call), loops, rounds)
    zero = median_microseconds(lambda: decide(policy, free), loops, rounds)
    return [
        Line("a decision with five conditions", five, 5.0, "the five written by hand", hand),
        Line("a decision without conditions", zero, 0.5, "an empty function", nothing),
        _many_beside_few(rounds),
    ]


def _many_beside_few(rounds: int) -> Line:
    """Measure the two in turn, so that both have the same machine."""
    few, lots, loops = compiled(many(10)), compiled(many(1000)), 2000
    call = ToolCall("tool_7", {"amount": 5})
    taken: dict[str, list[float]] = {"few": [], "many": []}
    for _ in range(rounds):
        taken["few"].append(median_microseconds(lambda: decide(few, call), loops, 1))
        taken["many"].append(median_microseconds(lambda: decide(lots, call), loops, 1))
    small, large = statistics.median(taken["few"]), statistics.median(taken["many"])
    return Line("the same call, a policy of 1,000 tools", large, small * 1.1, "a policy of 10", small)


def making(rounds: int) -> list[Line]:
    rounds = max(3, rounds // 3)
    thousand = parse_policy(json.dumps({"version": "1", "default": "deny", "tools": many(1000)}))
    tools = facts(1000)
    compiling = median_microseconds(lambda: compile_policy(thousand, tools), 1, rounds)
    text = json.dumps({"version": "1", "default": "deny", "tools": many(5000)})
    document, known = parse_policy(text), facts(5000)
    reading = median_microseconds(lambda: json.loads(text), 1, rounds)
    parsing = median_microseconds(lambda: parse_policy(text), 1, rounds)
    linting = median_microseconds(lambda: lint(document, known), 1, rounds)
    beside = f"json.loads of its {len(text) // 1000:,} kB"
    return [
        Line("compiling 1,000 tools", compiling, 50_000, beside, reading),
        Line("parsing 5,000 rules", parsing, None, beside, reading),
        Line("linting 5,000 rules for 5,000 tools", linting, None, beside, reading),
        Line("parsing and linting 5,000 rules", parsing + linting, 500_000, beside, reading),
        _patterns_beside_names(max(3, rounds // 3)),
    ]


def _patterns_beside_names(rounds: int) -> Line:
    """Measure a server of 5,000 tools against 4,900 patterns, each of which matches one tool."""

    def judged(names: list[str]) -> None:
        document = Document(default="deny", tools={name: Rule() for name in names})
        known = effects(compile_policy(document, tools), [tool.name for tool in tools])
        assert list(known.values()).count(Effect.ALLOWED) == len(names)

    tools = [ToolFacts(f"tool_{number}_get", None) for number in range(5000)]
    exact = median_microseconds(lambda: judged([f"tool_{number}_get" for number in range(4900)]), 1, rounds)
    looked = median_microseconds(lambda: judged([f"*_{number}_*" for number in range(4900)]), 1, rounds)
    return Line("4,900 patterns against 5,000 tools", looked, 1_000_000, "4,900 exact names", exact)


def table(lines: list[Line]) -> str:
    rows = ["| | µs | promised | beside | its µs | ratio |", "|---|---|---|---|---|---|"]
    for line in lines:
        promised = (
            ""
            if line.promised is None
            else f"{line.promised:,.2f}"
            if line.promised < 100
            else f"{line.promised:,.0f}"
        )
        ratio = f"{line.microseconds / line.baseline:.2f}"
        microseconds, baseline = _shown(line.microseconds), _shown(line.baseline)
        rows.append(f"| {line.what} | {microseconds} | {promised} | {line.beside} | {baseline} | {ratio} |")
    return "\n".join(rows)


def _shown(microseconds: float) -> str:
    return f"{microseconds:,.0f}" if microseconds >= 100 else f"{microseconds:.2f}"


def commit() -> str:
    asked = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False
    )
    return asked.stdout.strip() or "unknown"


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=15)
    rounds = parser.parse_args().rounds
    lines = [*deciding(rounds), *making(rounds)]
    print(f"Policy language, commit {commit()}, Python {sys.version.split()[0]}\n\n{table(lines)}")
    note("decision", lines[0].microseconds)
    missed = [line.what for line in lines if not line.holds]
    if missed:
        print(f"\nNot within what was promised: {', '.join(missed)}.", file=sys.stderr)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
