"""What judging a call asks of the world, and what the world may answer. Values only: the driver acts."""

from dataclasses import dataclass
from typing import Final, TypeAlias

from gateway.counters.base import Charge, Full, NotHeld, Reserved, Unavailable
from gateway_config.wire.approvals import ClaimAnswer


@dataclass(frozen=True, slots=True)
class Approval:
    """The one a call waits for, was sent by or was refused by. `url`: where a person answers it."""

    id: str
    url: str


@dataclass(frozen=True, slots=True)
class Ruling:
    """What goes to the log, and to the agent unless the call is allowed. `code` is the log's."""

    allowed: bool
    code: str | None
    rule: str
    reason: str | None = None
    explained: str | None = None
    retry_after_seconds: int | None = None
    limit: int | None = None
    approval: Approval | None = None

    @property
    def waits(self) -> bool:
        return self.code == "approval_required"

    @property
    def outcome(self) -> str:
        return "allow" if self.allowed else "approval" if self.waits else "deny"


@dataclass(frozen=True, slots=True)
class Reserve:
    """Take all of these or none; for a call that waits: held so long. Answered by a Reservation."""

    charges: tuple[Charge, ...]
    hold_seconds: int | None = None


@dataclass(frozen=True, slots=True)
class Spend:
    """Whether this ticket was never spent before. Answered by a boolean."""

    ticket: str


@dataclass(frozen=True, slots=True)
class Claim:
    """Has a person answered this very call? Answered by a ClaimAnswer or NoApprovals."""

    rules_digest: str


@dataclass(frozen=True, slots=True)
class Ask:
    """Ask a person about this very call. Answered by a ClaimAnswer or NoApprovals."""

    rules_digest: str
    rule: str
    reason: str


@dataclass(frozen=True, slots=True)
class AwaitAnswer:
    """Wait a little for the person's answer, then claim again. Answered like Claim."""

    rules_digest: str
    waiting: ClaimAnswer


@dataclass(frozen=True, slots=True)
class Settle:
    """What was held is charged now. Answered by a Settlement."""

    reserved_by: str


@dataclass(frozen=True, slots=True)
class GiveBack:
    """The call was not sent: nothing of what was reserved so was spent. Answered by None."""

    reserved_by: str


@dataclass(frozen=True, slots=True)
class Unused:
    """The call was not sent: the approval may be used again. Answered by None."""

    approval: str


@dataclass(frozen=True, slots=True)
class Record:
    """Make the ruling durable. Answered by Recorded or NotRecorded."""

    ruling: Ruling


@dataclass(frozen=True, slots=True)
class Forward:
    """Send what was judged and pass the answer on. Answered by Forwarded or NotAnswered.

    `agreed`: what a person agreed to; a later round of the same call need not be asked about again.
    """

    agreed: str = ""


FORWARD: Final = Forward()


@dataclass(frozen=True, slots=True)
class Complete:
    """Record how the forwarded call ended. Answered by None."""

    upstream_status: int | None
    upstream_code: str | None


Effect: TypeAlias = (
    Reserve | Spend | Claim | Ask | AwaitAnswer | Settle | GiveBack | Unused | Record | Forward | Complete
)


@dataclass(frozen=True, slots=True)
class NoApprovals:
    """Nobody can be asked now."""


NO_APPROVALS: Final = NoApprovals()
Claimed: TypeAlias = ClaimAnswer | NoApprovals


@dataclass(frozen=True, slots=True)
class Recorded:
    pass


RECORDED: Final = Recorded()


@dataclass(frozen=True, slots=True)
class NotRecorded:
    pass


@dataclass(frozen=True, slots=True)
class Forwarded:
    """The client has the server's answer, or as much of it as there was: `code` says what broke it off."""

    status: int
    code: str | None = None


@dataclass(frozen=True, slots=True)
class NotAnswered:
    """The client has nothing yet. Where nothing was `sent`, the server cannot have seen the call."""

    code: str
    reason: str
    sent: bool
    status: int | None = None


Answer: TypeAlias = (
    Reserved
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


@dataclass(frozen=True, slots=True)
class Refused:
    ruling: Ruling


@dataclass(frozen=True, slots=True)
class Passed:
    """The client was answered while forwarding."""


PASSED: Final = Passed()


@dataclass(frozen=True, slots=True)
class Failed:
    failure: NotAnswered


Ending: TypeAlias = Refused | Passed | Failed
