"""Which workers run what: how far a published policy, or the newest configuration, has come."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Literal, NamedTuple

from django.db.models import FilteredRelation, Q, QuerySet
from django.utils import timezone

from accounts.tenancy import Asker
from common.spelt_once import spelt_once
from gateway_config.models import ConfigRevision, PublishRequest, Worker
from gateway_config.workers import GONE_AFTER
from policies.models import PolicyRevision

State = Literal["pending", "in_force", "behind", "rejected"]

# A healthy rollout takes a fraction of this; workers that need longer are named.
BEHIND_AFTER = timedelta(seconds=3)


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why a worker denies calls although it has its configuration. The code is the worker's."""

    code: str
    message: str


_TROUBLES: Final = {
    "disk": "Its disk is full or fails: it cannot record calls, so it denies them.",
    "backlog": "Too many records wait to be delivered: it denies calls, first those of the organizations"
    " with most records waiting.",
}
_UNKNOWN_TROUBLE: Final = "It denies calls; its log says why."


@dataclass(frozen=True, slots=True)
class WorkerState:
    """One worker, as one organization sees it. `gone`: not seen for 15 s; not counted, but still named."""

    name: str
    version: str
    last_seen_at: datetime | None
    gone: bool
    revision: int | None
    lag: int | None
    applied: bool
    rejected_revision: int | None
    reason: str
    at: datetime | None
    limits_in_doubt_since: datetime | None
    trouble: Trouble | None


@dataclass(frozen=True, slots=True)
class Rollout:
    """`workers_total` counts the living workers. `seconds`: how long it took, or has taken so far."""

    state: State
    workers_total: int
    workers_applied: int
    behind: tuple[WorkerState, ...]
    seconds: float | None
    refused: int = 0
    config_revision: int | None = None
    # The workers that are counted, and when the change was made.
    living: tuple[WorkerState, ...] = ()
    since: datetime | None = None

    @property
    def by_worker(self) -> tuple[tuple[WorkerState, float | None], ...]:
        """Each living worker, and after how many seconds it ran this; None unless it runs exactly this."""
        return tuple((worker, self._after(worker)) for worker in self.living)

    def _after(self, worker: WorkerState) -> float | None:
        exactly = worker.revision is not None and worker.revision == self.config_revision
        if not exactly or worker.at is None or self.since is None:
            return None
        return max((worker.at - self.since).total_seconds(), 0.0)

    @property
    def total(self) -> int:
        return self.workers_total

    @property
    def in_step(self) -> int:
        return self.workers_applied

    @property
    def denying(self) -> int:
        """How many of the living workers deny calls although they may have the configuration."""
        return sum(worker.trouble is not None for worker in self.living)

    @property
    def words(self) -> str:
        """Empty if the two numbers say enough: they do not while nothing could be in force."""
        nothing_yet = self.state == "in_force" and self.config_revision is None
        return f"{self.workers_total} connected" if nothing_yet and self.workers_total else ""


class _Bundle(NamedTuple):
    """A ConfigRevision without its contents."""

    number: int
    created_at: datetime
    in_force_at: datetime | None


def rollout_of(revision: PolicyRevision) -> Rollout:
    """How far one published revision has come; a later one of its policy counts as well."""
    return _rollout(revision, _first_holding(revision), revision.published_at)


def rollout_of_organization(member: Asker) -> Rollout:
    """How many workers run the organization's newest configuration."""
    newest = _newest(member)
    waiting = _waiting_since(member)
    if waiting is not None:
        return _rollout(member, None, waiting)
    if newest is not None:
        return _rollout(member, newest, newest.created_at)
    living = tuple(state for state in _states(member, None) if not state.gone)
    return Rollout("in_force", len(living), len(living), (), None, living=living)


def worker_rows(member: Asker) -> tuple[WorkerState, ...]:
    """Every worker that was not removed, by name."""
    newest = _newest(member)
    return _states(member, newest.number if newest else None)


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """Changes that could not be brought to the gateways, and are no longer retried automatically."""

    since: datetime
    error: str


def dead_letter_of(member: Asker) -> DeadLetter | None:
    given_up = PublishRequest.objects.filter(
        organization_id=member.organization_id, done_at=None, dead_at__isnull=False
    )
    found = given_up.order_by("-id").values_list("created_at", "error").first()
    trying = PublishRequest.objects.filter(organization_id=member.organization_id, done_at=None, dead_at=None)
    return DeadLetter(*found) if found and not trying.exists() else None


def _rollout(asker: Asker, held_by: _Bundle | None, since: datetime) -> Rollout:
    states = _states(asker, held_by.number if held_by else None)
    living = [state for state in states if not state.gone]
    applied = sum(state.applied for state in living)
    refused = sum(_refuses(state, held_by) for state in living)
    late = timezone.now() - since >= BEHIND_AFTER
    state = _state(held_by, len(living), applied, refused, late)
    return Rollout(
        state=state,
        workers_total=len(living),
        workers_applied=applied,
        behind=tuple(row for row in states if not row.applied) if state in ("behind", "rejected") else (),
        seconds=_seconds(state, held_by, since, living),
        refused=refused,
        config_revision=held_by.number if held_by else None,
        living=tuple(living),
        since=since,
    )


def _state(held_by: _Bundle | None, total: int, applied: int, refused: int, late: bool) -> State:
    if held_by is not None and refused:
        return "rejected"
    if held_by is not None and total and applied == total:
        return "in_force"
    return "behind" if late else "pending"


def _refuses(state: WorkerState, held_by: _Bundle | None) -> bool:
    refused = state.rejected_revision
    return held_by is not None and not state.applied and refused is not None and refused >= held_by.number


def _seconds(state: State, held_by: _Bundle | None, since: datetime, living: list[WorkerState]) -> float:
    if state != "in_force" or held_by is None:
        return round((timezone.now() - since).total_seconds(), 1)
    # The last worker that was missing may have gone away: then the moment was not noted.
    last = held_by.in_force_at or max((row.at for row in living if row.at), default=since)
    return round(max((last - since).total_seconds(), 0.0), 1)


def _states(asker: Asker, wanted: int | None) -> tuple[WorkerState, ...]:
    gone = timezone.now() - GONE_AFTER
    return tuple(_one(_Worker(*row), wanted, gone) for row in _workers(asker))


class _Worker(NamedTuple):
    """A worker that was not removed. From `revision` on: its last answer about the organization, if any."""

    name: str
    version: str
    last_seen_at: datetime | None
    doubt_since: datetime | None
    trouble: str
    revision: int | None
    rejected_revision: int | None
    reason: str | None
    at: datetime | None


@spelt_once
def _workers(asker: Asker) -> QuerySet[Worker, tuple[Any, ...]]:
    mine = FilteredRelation("statuses", condition=Q(statuses__organization_id=asker.organization_id))
    workers = Worker.objects.filter(removed_at=None).annotate(mine=mine).order_by("name")
    said = ("mine__revision", "mine__rejected_revision", "mine__reason", "mine__at")
    # The application's role may not read the tokens' hashes.
    return workers.values_list("name", "version", "last_seen_at", "limiter__doubt_since", "trouble", *said)


def _one(worker: _Worker, wanted: int | None, gone_since: datetime) -> WorkerState:
    revision = worker.revision or None
    gone = worker.last_seen_at is None or worker.last_seen_at <= gone_since
    return WorkerState(
        name=worker.name,
        version=worker.version,
        last_seen_at=worker.last_seen_at,
        gone=gone,
        revision=revision,
        lag=None if wanted is None else max(wanted - (revision or 0), 0),
        applied=wanted is not None and revision is not None and revision >= wanted,
        rejected_revision=worker.rejected_revision,
        reason=worker.reason or "",
        at=worker.at,
        limits_in_doubt_since=worker.doubt_since,
        # Of a worker that is gone, only the past is known.
        trouble=None if gone else _trouble(worker.trouble),
    )


def _trouble(code: str) -> Trouble | None:
    return Trouble(code, _TROUBLES.get(code, _UNKNOWN_TROUBLE)) if code else None


def _newest(asker: Asker) -> _Bundle | None:
    return _first(_by_number(asker))


@spelt_once
def _by_number(asker: Asker) -> QuerySet[ConfigRevision, tuple[Any, ...]]:
    return _bundles(asker).order_by("-number")[:1]


def _first_holding(revision: PolicyRevision) -> _Bundle | None:
    """The first configuration with this revision, or with a later one of the same policy."""
    carriers = PolicyRevision.objects.filter(policy_id=revision.policy_id, number__gte=revision.number)
    ids = list(carriers.values_list("pk", flat=True))
    held = _bundles(revision).filter(policy_revisions__overlap=ids)
    found = _first(held.order_by("number")[:1])
    if found is not None or _waiting_since(revision) is not None:
        return found
    # Its server was retired before anything was published: the newest configuration says it all.
    return _newest(revision)


def _bundles(asker: Asker) -> QuerySet[ConfigRevision, tuple[Any, ...]]:
    return ConfigRevision.objects.visible_to(asker).values_list(*_Bundle._fields)


def _first(rows: Iterable[tuple[Any, ...]]) -> _Bundle | None:
    return next((_Bundle(*row) for row in rows), None)


def _waiting_since(asker: Asker) -> datetime | None:
    """When the oldest change that is not in a bundle yet was made."""
    return next((at for (at,) in _waiting(asker)), None)


@spelt_once
def _waiting(asker: Asker) -> QuerySet[PublishRequest, tuple[datetime]]:
    waiting = PublishRequest.objects.visible_to(asker).filter(done_at=None)
    return waiting.order_by("id").values_list("created_at")[:1]
