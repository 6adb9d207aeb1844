"""What gateways and the control plane say of calls that wait for a person. JSON; unknown fields are ignored.

Ids are plain UUID texts, digests hex SHA-256. An approval stands for one identical call (`call_digest`, see
`policies.language.identity`), judged by these very rules (`rules_digest`) for this very tool (`tool_digest`).
"""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

import msgspec

# What the log keeps of a rule, too; a policy's own bounds are far below.
Text: TypeAlias = Annotated[str, msgspec.Meta(max_length=4096)]
Id: TypeAlias = Annotated[str, msgspec.Meta(pattern=r"\A[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\Z")]
Digest: TypeAlias = Annotated[str, msgspec.Meta(pattern=r"\A[0-9a-f]{64}\Z")]
DigestOrNone: TypeAlias = Annotated[str, msgspec.Meta(pattern=r"\A(?:[0-9a-f]{64})?\Z")]
Moment: TypeAlias = Annotated[int, msgspec.Meta(ge=0, le=253_402_300_799_999)]

Told: TypeAlias = Literal["pending", "approved", "declined", "expired"]
NewsState: TypeAlias = Literal["pending", "approved", "declined", "expired", "superseded", "used"]


class ApprovalClaim(msgspec.Struct, frozen=True, kw_only=True):
    """May this call be sent now? `tool_digest` is empty where the server lists no such tool."""

    decision_id: Id
    organization: Id
    server: Id
    grant: Id
    tool: Text
    call_digest: Digest
    rules_digest: Digest
    tool_digest: DigestOrNone = ""


class ApprovalAsk(ApprovalClaim, frozen=True, kw_only=True):
    """A person is asked. `arguments_json` is our own text of what was judged, `{}` where nothing came.

    `reserved_by` names what is held of the call's limits; `policy` is the policy revision that judged.
    """

    rule: Text
    reason: Text
    arguments_json: str = "{}"
    at_ms: Moment
    reserved_by: Id
    elicitation: bool = False
    policy: Id | None = None


class ClaimAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """`approved`: this decision, and no other ever, may send the call. `expired` is told once.

    `none` has no `id`. `reserved_by` names the reservation that stands for the call, `given_back_by` the
    decision that had the approval before and sent nothing.
    """

    state: Literal["none"] | Told
    id: str = ""
    url: str = ""
    seconds_left: int = 0
    reserved_by: str = ""
    given_back_by: str = ""


class ApprovalUnused(msgspec.Struct, frozen=True, kw_only=True):
    """No byte of the approved call was sent under this decision."""

    decision_id: Id
    id: Id


class ApprovalNews(msgspec.Struct, frozen=True, kw_only=True):
    """`approved`: hold for `seconds_left` from now on; the others but `pending`: hold no longer.

    `used_by`: of `used`, the decision that has it.
    """

    id: str
    organization: str
    reserved_by: str
    state: NewsState
    seconds_left: int = 0
    used_by: str = ""


class NewsAnswer(msgspec.Struct, frozen=True, kw_only=True):
    cursor: int
    news: tuple[ApprovalNews, ...] = ()
