"""The calls that a policy is asked about, and the decisions that it answers with."""

from decimal import Decimal
from enum import Enum, StrEnum
from typing import Final, TypeAlias, final

import msgspec

from .document import Scope


class Missing(Enum):
    """The value is absent, which is not the same as null."""

    MISSING = "missing"


MISSING: Final = Missing.MISSING


@final
class ToolCall(msgspec.Struct, frozen=True):
    tool: str
    arguments: object = MISSING


class ResourceRead(msgspec.Struct, frozen=True):
    uri: str


class PromptGet(msgspec.Struct, frozen=True):
    name: str


Call: TypeAlias = ToolCall | ResourceRead | PromptGet
CounterKey: TypeAlias = str | int | bool | Decimal | None


class Outcome(StrEnum):
    ALLOW = "allow"
    DENY = "deny"
    APPROVAL = "approval"


class TakeQuota(msgspec.Struct, frozen=True):
    """One quota that a decision owes. All of its quotas are taken together, or none is.

    Keys are distinguished by type and value: 1, "1" and true are three keys, 1 and 1.0 are one.
    `adds_up`: the path of the argument whose values are added up; empty where calls are counted.
    """

    counter: str
    key: CounterKey
    scope: Scope
    window_seconds: int
    max: int
    cost_micros: int
    rule: str
    reason_when_full: str | None
    adds_up: str = ""


class AwaitApproval(msgspec.Struct, frozen=True):
    """`rule_when_approved`: the rule that the decision names once the approved call is sent."""

    rule: str
    reason: str
    rule_when_approved: str = ""


class Decision(msgspec.Struct, frozen=True):
    """`code` is None for an allow, otherwise a code of the log; `reason` is set for all but an allow.

    `quotas` and `approval` are what is owed before the call may go on.

    `explained` is the reason given to an agent whose organization explains denials: the standard sentence
    and what decided, or the explicit text. It never contains an argument's value.
    """

    outcome: Outcome
    code: str | None
    rule: str
    reason: str | None
    quotas: tuple[TakeQuota, ...] = ()
    approval: AwaitApproval | None = None
    explained: str | None = None
