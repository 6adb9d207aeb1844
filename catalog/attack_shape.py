"""The data of an attack's page. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from policies.language.cases import PolicyTest
from policies.language.decision import ToolCall


@dataclass(frozen=True, slots=True)
class Attempt:
    """One call of the example, and what the policy should make of it."""

    tool: str
    arguments: Mapping[str, Any]
    expect: str  # allow, deny, approval, limited
    meaning: str

    @property
    def test(self) -> PolicyTest:
        return PolicyTest(self.meaning, ToolCall(self.tool, dict(self.arguments)), self.expect)  # type: ignore[arg-type]


@dataclass(frozen=True, slots=True, eq=False)
class Attack:
    key: str
    title: str
    short: str
    how: tuple[str, ...]
    example: tuple[str, ...]
    stops: tuple[str, ...]
    policy: Mapping[str, Any]
    attempts: tuple[Attempt, ...]
    tools: Mapping[str, str] = field(default_factory=dict)  # name to class, for the linter


def limit(counter: str, most: int, window: str = "minute", **more: Any) -> dict[str, Any]:
    return {"counter": counter, "window": window, "max": most, "scope": "grant", **more}


def when(path: str, op: str, value: Any) -> dict[str, Any]:
    return {"path": path, "op": op, "value": value}


def policy(**sections: Any) -> dict[str, Any]:
    return {"version": "1", "default": "deny", **sections}
