"""What judging a call asks of the world, and what the world may answer. Values only: the driver acts."""

from dataclasses import dataclass
from typing import Final, TypeAlias

from gateway.counters.base import Charge, Full, Reserved, Unavailable


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


@dataclass(frozen=True, slots=True)
class Reserve:
    """Take all of these or none. Answered by a Reservation."""

    charges: tuple[Charge, ...]


@dataclass(frozen=True, slots=True)
class AskApproval:
    """Answered by an Approval."""

    rule: str
    reason: str


@dataclass(frozen=True, slots=True)
class GiveBack:
    """The call was not sent: nothing of what it reserved was spent. Answered by None."""


@dataclass(frozen=True, slots=True)
class Record:
    """Make the ruling durable. Answered by Recorded or NotRecorded."""

    ruling: Ruling


@dataclass(frozen=True, slots=True)
class Forward:
    """Send what was judged and pass the answer on. Answered by Forwarded or NotAnswered."""


FORWARD: Final = Forward()


@dataclass(frozen=True, slots=True)
class Complete:
    """Record how the forwarded call ended. Answered by None."""

    upstream_status: int | None
    upstream_code: str | None


Effect: TypeAlias = Reserve | AskApproval | GiveBack | Record | Forward | Complete


@dataclass(frozen=True, slots=True)
class NoApprovals:
    """Nobody can be asked now."""


Approval: TypeAlias = NoApprovals


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
    Reserved | Full | Unavailable | Approval | Recorded | NotRecorded | Forwarded | NotAnswered | None
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
