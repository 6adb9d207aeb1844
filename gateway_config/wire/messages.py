"""The messages of control plane and gateways on the internal API. JSON; unknown fields are ignored."""

from typing import Annotated, Literal, TypeAlias

import msgspec

Revision: TypeAlias = Annotated[int, msgspec.Meta(ge=1, le=2**63 - 1)]


class Envelope(msgspec.Struct, frozen=True):
    """Signs one revision of one bundle. Times in unix seconds, `hash` is hex SHA-256 of the body."""

    organization: str
    revision: Revision
    hash: str
    not_before: int
    lease_seconds: int
    key_id: str
    signature: str


class SignedBundle(msgspec.Struct, frozen=True):
    envelope: Envelope
    body: str


class Head(msgspec.Struct, frozen=True):
    organization: str
    revision: Revision
    hash: str


class HeadsAnswer(msgspec.Struct, frozen=True):
    """`now`: the control plane's time in unix seconds; 0 from one that does not say."""

    cursor: int
    heads: tuple[Head, ...] = ()
    now: float = 0.0


class Ack(msgspec.Struct, frozen=True):
    organization: str
    revision: Revision
    state: Literal["applied", "rejected"]
    reason: str = ""


class Hello(msgspec.Struct, frozen=True):
    """`high_water`: by organization, the highest revision that this worker ever took.

    `trouble`: why this worker denies calls that it cannot record; empty: it does not.
    """

    version: str
    high_water: dict[str, int] = msgspec.field(default_factory=dict)
    trouble: str = ""


class HelloAnswer(msgspec.Struct, frozen=True):
    worker: str


class LimiterState(msgspec.Struct, frozen=True):
    """Where a worker counts limits. `store`: the address of a shared store; empty for a file of its machine.

    `doubt`: since when, by the store's clock, its state may be incomplete; `fresh`: only because it is new;
    `accounted`: this worker has seen it put in doubt since it first met this epoch.
    """

    store: Annotated[str, msgspec.Meta(max_length=200)]
    epoch: Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
    doubt: Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)] | None = None
    fresh: bool = False
    accounted: bool = False


class LimiterAnswer(msgspec.Struct, frozen=True):
    """`lost`: charges are in another store or gone, so put this one in doubt. `trust`: a doubt to end."""

    lost: bool = False
    trust: int | None = None


class KeptArgument(msgspec.Struct, frozen=True, array_like=True):
    """The value at a path that the organization keeps, as JSON. `state` says why it is missing."""

    path: str
    state: Literal["value", "missing", "too_long"]
    json: str = ""


class DecisionEntry(
    msgspec.Struct, frozen=True, tag_field="kind", tag="decision", omit_defaults=True, gc=False
):
    """Written before the call is forwarded. `sequence` is assigned by the log; 0 until then.

    `approval` is the id of the approval that the call waits for, was sent by, or was refused by. `limit`: the
    most allowed by the limit that was full, and in millionths what it had left.
    """

    id: str
    at_ms: int
    organization: str
    server: str
    grant: str
    method: str
    outcome: str
    rule: str
    sequence: int = 0
    tool: str | None = None
    code: str | None = None
    reason: str | None = None
    policy: str | None = None
    revision: int = 0
    argument_names: tuple[str, ...] = ()
    argument_digest: str | None = None
    added_us: int = 0
    retry_after_seconds: int | None = None
    limit: int | None = None
    remaining_micros: int | None = None
    approval: str | None = None
    kept: tuple[KeptArgument, ...] = ()


class DecisionLine(
    msgspec.Struct, frozen=True, tag_field="kind", tag="decision", omit_defaults=True, gc=False
):
    """A DecisionEntry as a worker writes it: the same as JSON. `server` also holds the rest of a Standing."""

    id: str
    at_ms: int
    organization: str
    server: msgspec.Raw
    outcome: str
    code: str | None = None
    sequence: int = 0
    argument_names: tuple[str, ...] = ()
    argument_digest: str | None = None
    added_us: int = 0
    kept: tuple[KeptArgument, ...] = ()


class Standing(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """What all decisions on a grant's calls of a tool have in common, to be written as JSON only once."""

    server: str
    grant: str
    method: str
    rule: str
    tool: str | None = None
    reason: str | None = None
    policy: str | None = None
    revision: int = 0
    retry_after_seconds: int | None = None
    limit: int | None = None
    remaining_micros: int | None = None
    approval: str | None = None

    def as_server(self) -> msgspec.Raw:
        """For a DecisionLine: the JSON of the members after `"server":`, which is the first of them."""
        return msgspec.Raw(msgspec.json.encode(self)[len(b'{"server":') : -1])


class CompletionEntry(
    msgspec.Struct, frozen=True, tag_field="kind", tag="completion", omit_defaults=True, gc=False
):
    """Written when the forwarded call ended; `id` is that of its DecisionEntry."""

    id: str
    organization: str
    sequence: int = 0
    upstream_status: int | None = None
    upstream_code: str | None = None
    total_us: int = 0


Record: TypeAlias = DecisionEntry | CompletionEntry
Written: TypeAlias = Record | DecisionLine


class RecordBatch(msgspec.Struct, frozen=True):
    """Records in order of sequence. (worker, sequence) names a record for ever, even after a lost disk."""

    worker: str
    records: tuple[Record, ...] = ()


class RawBatch(msgspec.Struct, frozen=True):
    """A RecordBatch in which a record may be of a newer kind than the control plane knows."""

    worker: str
    records: tuple[msgspec.Raw, ...] = ()


class BatchAnswer(msgspec.Struct, frozen=True):
    """Every record of the batch up to and including `through` is stored and may be forgotten."""

    through: int


class DriftReport(msgspec.Struct, frozen=True):
    """A server listed other tools than its organization's bundle says. A scan finds out what they are."""

    organization: str
    server: str
