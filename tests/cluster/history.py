"""What happened to a cluster, as recorded by everyone who saw part of it; all times are from one clock."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

ALLOWED = "allow"


@dataclass(frozen=True, slots=True)
class Call:
    """What a client sent and heard. `said`: ALLOWED, the code of a denial, or None if no answer came."""

    digest: str
    tool: str
    grant: str
    began: float
    ended: float
    said: str | None


@dataclass(frozen=True, slots=True)
class Verdict:
    """A decision record. The worker read the revision it judged by at some time from `began` to `at`."""

    id: str
    worker: str
    spool: str
    sequence: int
    began: float
    at: float
    tool: str
    digest: str
    outcome: str
    code: str | None
    revision: int
    approval: str | None = None


@dataclass(frozen=True, slots=True)
class Receipt:
    """A call that arrived complete at the server."""

    at: float
    tool: str
    digest: str


@dataclass(frozen=True, slots=True)
class Published:
    """An edit whose publisher was told that it is published.

    `revision` is the first config revision that contains it.
    """

    at: float
    revision: int


@dataclass(frozen=True, slots=True)
class Shown:
    """What the list of workers said about one worker, and when that answer had arrived."""

    at: float
    worker: str
    revision: int
    gone: bool


@dataclass(frozen=True, slots=True)
class Limit:
    grant: str
    tool: str
    most: int
    seconds: float


@dataclass(slots=True)
class History:
    calls: list[Call] = field(default_factory=list)
    verdicts: Sequence[Verdict] = ()
    receipts: list[Receipt] = field(default_factory=list)
    published: list[Published] = field(default_factory=list)
    shown: list[Shown] = field(default_factory=list)
    limits: list[Limit] = field(default_factory=list)
