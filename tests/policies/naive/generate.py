"""Random policies and the calls to ask them, made so that rules apply and values come close to each other.

Everything is JSON text: numbers are spelt in many ways, and neither evaluator sees anything else.
"""

import json
from dataclasses import dataclass
from random import Random
from typing import Any

from tests.policies.naive.samples import (
    BOUNDED,
    CLASSES,
    EXACT,
    FILES,
    HOSTS,
    LARGE_REGEXES,
    MEMBERS,
    NUMBERS,
    OPERATORS,
    PATTERNS,
    REGEXES,
    SINGLE,
    STARRED,
    TEXTS,
    TOOLS,
    URIS,
    URLS,
)

from .values import Num


@dataclass(frozen=True)
class Step:
    """A call (tool and arguments), a read (section and name), or a person's answer to an earlier call."""

    kind: str
    at: str
    who: tuple[str, str, str]
    name: str = ""
    arguments: str = "{}"
    said: str = ""


def dump(value: Any) -> str:
    if isinstance(value, Num):
        return value.text
    if isinstance(value, dict):
        return "{" + ",".join(f"{json.dumps(key)}:{dump(member)}" for key, member in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(dump, value)) + "]"
    return json.dumps(value, ensure_ascii=False)


class Generator:
    def __init__(self, random: Random) -> None:
        self.random = random
        self.pool: list[Any] = []
        # Some few are about the bounds on what may be looked at for one call.
        self.bounds = self.chance(0.01)
        # Calls of several tools that charge one counter, which each of them looks at through its own window.
        self.crowded = self.chance(0.1)

    def one(self, choices: Any) -> Any:
        return choices[int(self.random.random() * len(choices))]

    def chance(self, of: float) -> bool:
        return self.random.random() < of

    def some(self, make: Any, most: int, least: int = 0) -> list[Any]:
        return [make() for _ in range(self.random.randint(least, most))]

    # Values

    def value(self, depth: int = 2, numbers: list[str] = NUMBERS) -> Any:
        """Often one that stood somewhere before, so that equal values meet."""
        if self.pool and self.chance(0.3) and numbers is NUMBERS:
            return self.one(self.pool)
        kind = self.random.randrange(10 if depth else 7)
        if kind < 3:
            made: Any = Num(self.one(numbers))
        elif kind < 6:
            made = self.one(self.one([TEXTS, TEXTS, FILES, URLS]))
        elif kind == 6:
            made = self.one([True, False, None])
        elif kind < 9:
            made = self.some(lambda: self.value(depth - 1, numbers), 3)
        else:
            made = {
                self.one(MEMBERS): self.value(depth - 1, numbers) for _ in range(self.random.randint(0, 3))
            }
        self.pool.append(made)
        return made

    def arguments(self) -> Any:
        if self.chance(0.02):
            return self.value(1)
        made = {self.one(MEMBERS): self.value() for _ in range(self.random.randint(0, 4))}
        if self.chance(0.5):
            made["list"] = self.some(lambda: self.element(), 4)
        if self.chance(0.3):
            made["deep"] = {"x": self.value(), "list": self.some(self.element, 3)}
        if self.chance(0.3):
            made["x"] = Num(self.one(EXACT))
        if self.chance(0.3):
            made["url"], made["file"] = self.one(URLS), self.one(FILES)
        if self.bounds and self.chance(0.7):
            made["list"] = self.large()
        return made

    def element(self) -> Any:
        return {"x": self.value(1), "n": self.value(0)} if self.chance(0.4) else self.value(1)

    def large(self) -> Any:
        """About as much as may be looked at for one call, and a little more."""
        return self.one(
            [
                ["a"] * 20000,
                ["a"] * 20001,
                [Num("1")] * 10001,
                ["é" * 16384] * 2,
                ["é" * 16384] * 2 + ["a"],
                [[]] * 6667,
                ["a" * 21846] * 3,
                [*["a"] * 20000, None, Num("5")],
            ]
        )

    # Policies

    def policy(self) -> Any:
        made: dict[str, Any] = {"version": "1", "default": self.one(["allow", "deny"])}
        if self.chance(0.25):
            made["hide"] = self.some(self.name, 2)
        if self.chance(0.35):
            made["all_tools"] = self.rule()
        if self.chance(0.9):
            made["tools"] = {self.name(): self.rule() for _ in range(self.random.randint(0, 4))}
        if self.chance(0.3):
            made["classes"] = {self.one(CLASSES): self.rule() for _ in range(2)}
        for section in ("resources", "prompts"):
            if self.chance(0.15):
                made[section] = self.access()
        return made

    def name(self) -> str:
        return str(self.one(PATTERNS if self.chance(0.4) else TOOLS))

    def access(self) -> Any:
        made: dict[str, Any] = {"default": self.one(["allow", "deny"])}
        for section in ("allow", "deny"):
            if self.chance(0.7):
                made[section] = self.some(
                    lambda: self.one(["*", "a", "get_*", "file:///srv/*", "*x*", "https://*/x", "?*", "*a"]),
                    2,
                )
        return made

    def rule(self) -> Any:
        made: dict[str, Any] = {}
        if self.chance(0.3):
            made["action"] = self.one(["allow", "deny", "require_approval", "require_approval"])
        if self.chance(0.3):
            made["reason"] = self.one(["No.", "Ask Alice.\nOr Bob.", "é"])
        for section, chance in (("require", 0.35), ("deny_if", 0.35), ("approve_if", 0.25)):
            if self.chance(chance):
                made[section] = self.some(self.predicate, 2)
        if self.chance(0.4):
            made["limits"] = self.some(self.limit, 3)
        if self.chance(0.15):
            made["rate_limit"] = {"max": Num(self.one(["1", "2", "3.0", "1e1"])), "window": self.window()}
        return made

    def window(self) -> Any:
        return self.one(
            ["second", "minute", "hour", Num("1"), Num("7"), Num("60"), Num("1.2e2"), Num("604800")]
        )

    def limit(self) -> Any:
        if self.crowded:
            most = Num(self.one(["1", "2", "3"]))
            return {"counter": "c", "window": self.window(), "max": most, "scope": "grant"}
        made = {
            "counter": self.one(["c", "d", "{tool}_rate", "a_rate", "x{tool}", "all_tools_rate"]),
            "window": self.window(),
            "max": Num(self.one(["1", "2", "2.0", "3", "5", "1e9"])),
            "scope": self.one(["grant", "grant", "server", "organization"]),
        }
        if self.chance(0.2):
            made["key"] = self.one(SINGLE)
        if self.chance(0.25):
            made["increment_from"] = self.one([*SINGLE, "args.x", "args.x"])
        if self.chance(0.2):
            made["on_deny"] = "Full."
        return made

    def predicate(self) -> Any:
        conditions = [] if self.chance(0.04) else self.some(self.condition, 3, 1)
        return {"conditions": conditions, **({"on_deny": "Stop."} if self.chance(0.2) else {})}

    def condition(self) -> Any:
        op = self.one(OPERATORS)
        if self.bounds:
            op = self.one(["regex", "regex", "matches", "eq", "exists", "contains", "not_contains"])
            value = self.one(LARGE_REGEXES) if op == "regex" and self.chance(0.4) else self.operand(op)
            return {"path": self.one(BOUNDED), "op": op, "value": value}
        return {
            "path": self.one(STARRED if self.chance(0.35) else SINGLE),
            "op": op,
            "value": self.operand(op),
        }

    def operand(self, op: str) -> Any:
        if op in ("eq", "neq", "contains", "not_contains"):
            return self.value(2, EXACT)
        if op in ("in", "not_in"):
            return self.some(lambda: self.value(1, EXACT), 4)
        if op in ("lt", "lte", "gt", "gte"):
            return Num(self.one(EXACT))
        if op in ("starts_with", "ends_with"):
            return self.one(TEXTS + FILES[:3])
        if op in ("regex", "matches"):
            return self.one(REGEXES)
        if op == "exists":
            return self.chance(0.5)
        if op in ("length_lte", "length_gte"):
            return Num(self.one(["0", "1", "2", "2.0", "4", "256", "9007199254740991"]))
        if op == "under_path":
            return self.one(
                [file for file in FILES if file[:1] == "/" and "\\" not in file and "\0" not in file]
            )
        return self.some(lambda: self.one(HOSTS), 3)

    # What is asked

    def steps(self, most: int = 6) -> list[Step]:
        steps: list[Step] = []
        at = 0
        for _ in range(self.random.randint(2, 3 * most if self.crowded else most)):
            at += self.one([0, 0, 1, 500, 999, 1000, 1001, 6000, 60000, 450000, 899999, 900000, 3600000])
            steps.append(self.step(f"{at // 1000}.{at % 1000:03}", steps))
        return steps

    def step(self, at: str, before: list[Step]) -> Step:
        calls = [step for step in before if step.kind == "call"]
        if calls and self.chance(0.5):
            again = self.one(calls)
            if self.chance(0.35):
                return Step(
                    "answer",
                    at,
                    again.who,
                    again.name,
                    again.arguments,
                    self.one(["approved", "approved", "declined"]),
                )
            return Step("call", at, again.who, again.name, again.arguments)
        who = self.one([("o", "s", "g"), ("o", "s", "g"), ("o", "s", "h"), ("o", "r", "g2"), ("p", "q", "i")])
        if self.chance(0.12):
            return Step(self.one(["resources", "prompts"]), at, who, self.one(URIS))
        return Step("call", at, who, self.one(TOOLS), dump(self.arguments()))

    def classes(self) -> dict[str, str | None]:
        return {tool: self.one([*CLASSES, None, "Other"]) for tool in TOOLS if self.chance(0.6)}
