"""The calls of the last days under a policy. The log, an app above this one, registers its reader here."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, Literal, TypeAlias
from uuid import UUID

from django.utils import timezone

from accounts.tenancy import Asker
from policies.language.paths import Step
from policies.models import Policy

LENGTH: Final = timedelta(days=7)
# The most calls that are read and judged for one page; if there are more, the newest.
MOST_CALLS: Final = 20_000

Became: TypeAlias = Literal["passed", "asked", "refused", "other"]
"""`other`: it ended for a reason in which no policy has a say."""


@dataclass(frozen=True, slots=True)
class RecordedCall:
    """`names`: the names of all its arguments, or None if there may have been more than were kept.

    `kept`: values by the steps that lead to them; MISSING where there is known to have been none.
    """

    at_ms: int
    grant: UUID
    tool: str
    became: Became
    names: frozenset[str] | None
    kept: Mapping[tuple[Step, ...], object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Traffic:
    """Calls in order of time. `whole`: no older call of the period was left out."""

    calls: tuple[RecordedCall, ...]
    since_ms: int
    whole: bool


Read: TypeAlias = Callable[[Asker, Collection[UUID], datetime, int], list[RecordedCall]]
"""Reads the calls of these grants since a time: at most so many, the newest first."""

_readers: list[Read] = []


def recorded_by(read: Read) -> None:
    _readers[:] = [read]


def traffic_of(asker: Asker, policy: Policy) -> Traffic:
    """Returns the calls of the grants that are under the policy now."""
    since = timezone.now() - LENGTH
    grants = list(policy.grants.values_list("pk", flat=True))
    found = _readers[0](asker, grants, since, MOST_CALLS + 1) if _readers and grants else []
    calls = tuple(reversed(found[:MOST_CALLS]))
    return Traffic(calls, int(since.timestamp() * 1000), len(found) <= MOST_CALLS)
