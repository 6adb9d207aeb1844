"""The blocks that a policy is built from. Every construct of the language has one.

Whatever fits no block stays as `Source`, or in `extra`, and is written back as it was.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from .json_reader import Number
from .text_edit import Source

JsonData: TypeAlias = "dict[str, JsonData] | list[JsonData] | str | Number | bool | None"
Extra: TypeAlias = tuple[tuple[str, Source], ...]
PredicateSection: TypeAlias = Literal["require", "deny_if", "approve_if"]

SECTIONS: Final[tuple[PredicateSection, ...]] = ("require", "deny_if", "approve_if")


@dataclass(frozen=True, slots=True)
class ConditionBlock:
    path: str
    op: str
    value: JsonData


@dataclass(frozen=True, slots=True)
class PredicateBlock:
    conditions: "tuple[ConditionBlock | Source, ...]"
    on_deny: str | None = None


@dataclass(frozen=True, slots=True)
class LimitBlock:
    counter: str
    window: str | Number
    max: Number
    scope: str
    key: str | None = None
    increment_from: str | None = None
    on_deny: str | None = None


@dataclass(frozen=True, slots=True)
class RateBlock:
    """The shorthand `rate_limit`."""

    max: Number
    window: str | Number


@dataclass(frozen=True, slots=True)
class RuleBlock:
    action: str | None = None
    reason: str | None = None
    require: "tuple[PredicateBlock | Source, ...]" = ()
    deny_if: "tuple[PredicateBlock | Source, ...]" = ()
    approve_if: "tuple[PredicateBlock | Source, ...]" = ()
    limits: "tuple[LimitBlock | Source, ...]" = ()
    rate_limit: RateBlock | None = None
    extra: Extra = ()

    def predicates(self, section: PredicateSection) -> "tuple[PredicateBlock | Source, ...]":
        match section:
            case "require":
                return self.require
            case "deny_if":
                return self.deny_if
            case "approve_if":
                return self.approve_if


@dataclass(frozen=True, slots=True)
class AccessBlock:
    default: str
    allow: tuple[str, ...] = ()
    deny: tuple[str, ...] = ()
    extra: Extra = ()


@dataclass(frozen=True, slots=True)
class PolicyBlocks:
    """The whole document. Rules that are not objects, like all else that fits no block, are `Source`."""

    schema: str | None = None
    version: str | None = None
    description: str | None = None
    default: str | None = None
    hide: tuple[str, ...] = ()
    all_tools: RuleBlock | Source | None = None
    tools: Mapping[str, RuleBlock | Source] | None = None
    classes: Mapping[str, RuleBlock | Source] | None = None
    resources: AccessBlock | Source | None = None
    prompts: AccessBlock | Source | None = None
    extra: Extra = ()
