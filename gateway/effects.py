"""The effects that judging a call asks for, and how the world may answer. Values only: the driver acts."""

from typing import Final, TypeAlias, final

import msgspec

from gateway.counters.base import Charge, Full, NotHeld, Reserved, Unavailable
from gateway_config.wire.approvals import ClaimAnswer
from policies.language.compile import CompiledPolicy
from policies.language.decision import Call, Decision


class Approval(msgspec.Struct, frozen=True):
    """The approval a call waits for, was sent by or was refused by. `url`: where a person answers it."""

    id: str
    url: str


@final
class Ruling(msgspec.Struct, frozen=True):
    """What the log is told, and the agent too unless the call is allowed. `code` is the one in the log."""

    allowed: bool
    code: str | None
    rule: str
    reason: str | None = None
    explained: str | None = None
    retry_after_seconds: int | None = None
    limit: int | None = None
    left_micros: int = 0  # of the limit
    approval: Approval | None = None

    @property
    def waits(self) -> bool:
        return self.code == "approval_required"

    @property
    def outcome(self) -> str:
        return "allow" if self.allowed else "approval" if self.waits else "deny"


class Decide(msgspec.Struct, frozen=True):
    """Judge these calls off the event loop, where nobody else has to wait. Answered by Decided."""

    compiled: CompiledPolicy
    calls: tuple[Call, ...]


class Decided(msgspec.Struct, frozen=True):
    decisions: tuple[Decision, ...]


class Reserve(msgspec.Struct, frozen=True):
    """Take all of these or none; held for so long if the call waits. Answered by a Reservation."""

    charges: tuple[Charge, ...]
    hold_seconds: int | None = None


class Spend(msgspec.Struct, frozen=True):
    """Spend this ticket. Answered by a boolean: whether it had never been spent before."""

    ticket: str


class Claim(msgspec.Struct, frozen=True):
    """Has a person answered this very call? Answered by a ClaimAnswer or NoApprovals."""

    rules_digest: str


class Ask(msgspec.Struct, frozen=True):
    """Ask a person about this very call. Answered by a ClaimAnswer or NoApprovals."""

    rules_digest: str
    rule: str
    reason: str


class AwaitAnswer(msgspec.Struct, frozen=True):
    """Wait a little for the person's answer, then claim again. Answered like Claim."""

    rules_digest: str
    waiting: ClaimAnswer


class Settle(msgspec.Struct, frozen=True):
    """Charge now what was held. Answered by a Settlement."""

    reserved_by: str


class GiveBack(msgspec.Struct, frozen=True):
    """The call was not sent: give back what was reserved for it. Answered by None."""

    reserved_by: str


class Unused(msgspec.Struct, frozen=True):
    """The call was not sent, so the approval may be used again. Answered by None."""

    approval: str


class Record(msgspec.Struct, frozen=True):
    """Make the ruling durable. Answered by Recorded or NotRecorded."""

    ruling: Ruling


class Forward(msgspec.Struct, frozen=True):
    """Send what was judged and pass the answer on. Answered by Forwarded or NotAnswered.

    `agreed`: what a person agreed to, so that they are not asked again about a later round of the call.
    """

    agreed: str = ""


FORWARD: Final = Forward()


Effect: TypeAlias = (
    Decide | Reserve | Spend | Claim | Ask | AwaitAnswer | Settle | GiveBack | Unused | Record | Forward
)


class NoApprovals(msgspec.Struct, frozen=True):
    """Nobody can be asked for approval now."""


NO_APPROVALS: Final = NoApprovals()
Claimed: TypeAlias = ClaimAnswer | NoApprovals


class Recorded(msgspec.Struct, frozen=True):
    pass


RECORDED: Final = Recorded()


class NotRecorded(msgspec.Struct, frozen=True):
    pass


NOT_RECORDED: Final = NotRecorded()


class Forwarded(msgspec.Struct, frozen=True):
    """The client has the server's answer, or as much of it as came: `code` then says what broke it off."""

    status: int
    code: str | None = None


class NotAnswered(msgspec.Struct, frozen=True):
    """The client has nothing yet. If it was not `sent`, the server cannot have seen the call."""

    code: str
    reason: str
    sent: bool
    status: int | None = None


Answer: TypeAlias = (
    Decided
    | Reserved
    | Full
    | NotHeld
    | Unavailable
    | Claimed
    | Recorded
    | NotRecorded
    | Forwarded
    | NotAnswered
    | bool
    | None
)


Ending: TypeAlias = Ruling | Forwarded | NotAnswered
"""How a call ended: refused by a ruling, or sent, with the outcome."""
