"""A policy as a value: what its text says, with nothing resolved yet.

`default` and every limit are always complete here, so code that reads a document never chooses a default.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Final, Literal, TypeAlias

from .paths import Path

Action: TypeAlias = Literal["allow", "deny", "require_approval"]
Default: TypeAlias = Literal["allow", "deny"]
Scope: TypeAlias = Literal["grant", "server", "organization"]
Operator: TypeAlias = Literal[
    "eq",
    "neq",
    "in",
    "not_in",
    "lt",
    "lte",
    "gt",
    "gte",
    "contains",
    "not_contains",
    "starts_with",
    "ends_with",
    "regex",
    "matches",
    "exists",
    "length_lte",
    "length_gte",
    "under_path",
    "host_in",
]
JsonValue: TypeAlias = "dict[str, JsonValue] | list[JsonValue] | str | int | Decimal | bool | None"

CLASSES: Final = ("Read", "Write", "Execute", "Destructive", "Financial")
WINDOWS: Final[Mapping[str, int]] = {"second": 1, "minute": 60, "hour": 3600, "day": 86400, "week": 604800}
WINDOW_WORDS: Final[Mapping[int, str]] = {seconds: word for word, seconds in WINDOWS.items()}
LONGEST_WINDOW: Final = 604800
LARGEST_MAX: Final = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Condition:
    path: Path
    op: Operator
    value: JsonValue


@dataclass(frozen=True, slots=True)
class Predicate:
    conditions: tuple[Condition, ...]
    on_deny: str | None = None


@dataclass(frozen=True, slots=True)
class Limit:
    counter: str
    window_seconds: int
    max: int
    scope: Scope
    key: Path | None = None
    increment_from: Path | None = None
    on_deny: str | None = None


@dataclass(frozen=True, slots=True)
class Rule:
    action: Action | None = None
    reason: str | None = None
    require: tuple[Predicate, ...] = ()
    deny_if: tuple[Predicate, ...] = ()
    approve_if: tuple[Predicate, ...] = ()
    limits: tuple[Limit, ...] = ()

    def predicates(self) -> Iterator[Predicate]:
        yield from self.require
        yield from self.deny_if
        yield from self.approve_if


@dataclass(frozen=True, slots=True)
class Access:
    default: Default
    allow: tuple[str, ...] = ()
    deny: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Document:
    default: Default
    schema: str | None = None
    description: str | None = None
    hide: tuple[str, ...] = ()
    all_tools: Rule | None = None
    tools: Mapping[str, Rule] = field(default_factory=dict)
    classes: Mapping[str, Rule] = field(default_factory=dict)
    resources: Access | None = None
    prompts: Access | None = None

    def limits(self) -> Iterator[Limit]:
        for rule in (
            *self.tools.values(),
            *self.classes.values(),
            *((self.all_tools,) if self.all_tools else ()),
        ):
            yield from rule.limits
