"""The messages about calls that wait for a person. JSON; unknown fields are ignored.

Gateways and the control plane exchange them. Ids are plain UUID texts, digests hex SHA-256. An approval is
for one identical call (`call_digest`, see `policies.language.identity`), judged by exactly these rules
(`rules_digest`) for exactly this tool (`tool_digest`).
"""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

import msgspec

# As much as the log keeps of a rule, too; a policy's own bounds are far lower.
Text: TypeAlias = Annotated[str, msgspec.Meta(max_length=4096)]
Id: TypeAlias = Annotated[str, msgspec.Meta(pattern=r"\A[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\Z")]
Digest: TypeAlias = Annotated[str, msgspec.Meta(pattern=r"\A[0-9a-f]{64}\Z")]
DigestOrNone: TypeAlias = Annotated[str, msgspec.Meta(pattern=r"\A(?:[0-9a-f]{64})?\Z")]
Moment: TypeAlias = Annotated[int, msgspec.Meta(ge=0, le=253_402_300_799_999)]

Told: TypeAlias = Literal["pending", "approved", "declined", "expired"]
NewsState: TypeAlias = Literal["pending", "approved", "declined", "expired", "superseded", "used"]


class ApprovalClaim(msgspec.Struct, frozen=True, kw_only=True):
    """Asks whether this call may be sent now. `tool_digest` is empty if the server lists no such tool."""

    decision_id: Id
    organization: Id
    server: Id
    grant: Id
    tool: Text
    call_digest: Digest
    rules_digest: Digest
    tool_digest: DigestOrNone = ""


class ApprovalAsk(ApprovalClaim, frozen=True, kw_only=True):
    """Asks a person. `arguments_json` is our own serialization of what was judged, `{}` if nothing came.

    `reserved_by` names what is held of the call's limits; `policy` is the policy revision that judged it.
    """

    rule: Text
    reason: Text
    arguments_json: str = "{}"
    at_ms: Moment
    reserved_by: Id
    elicitation: bool = False
    policy: Id | None = None


class ClaimAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """`approved`: this decision, and no other ever, may send the call. `expired` is told only once.

    `none` has no `id`. `reserved_by` names the call's reservation, `given_back` the decisions that had the
    approval before and sent nothing.
    """

    state: Literal["none"] | Told
    id: str = ""
    url: str = ""
    seconds_left: int = 0
    reserved_by: str = ""
    given_back: tuple[str, ...] = ()


class ApprovalUnused(msgspec.Struct, frozen=True, kw_only=True):
    """No byte of the approved call was sent under this decision."""

    decision_id: Id
    id: Id


class ApprovalNews(msgspec.Struct, frozen=True, kw_only=True):
    """`approved`: hold for `seconds_left` from now; any other state but `pending`: hold no longer.

    `used_by`: if `used`, the decision that has it.
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
