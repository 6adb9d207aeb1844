"""Reads the decision log: pages, single decisions, news, the first and the last call.

Records name servers, grants and revisions only by id; their names are looked up with one query each.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from django.db.models import Q, QuerySet
from django.db.models.functions import Coalesce, Greatest

from accounts.tenancy import Asker
from audit.days import first_of, slices, slices_upwards
from audit.models import DecisionRecord
from audit.search import Filters, matching, newest
from common.ids import public_id
from policies.models import Grant, PolicyRevision
from servers.models import Server

MOST = 500
EVERYTHING: Final = Filters()
MOST_IN_A_MINUTE = 10_000


@dataclass(frozen=True, slots=True)
class DecisionRow:
    """One decision as screens show it. `news` is the position from which the live tail continues after it."""

    record: DecisionRecord
    server_name: str
    grant_label: str
    policy_name: str
    policy_id: UUID | None
    policy_revision_number: int | None

    @property
    def id(self) -> str:
        return self.record.public_id

    @property
    def position(self) -> int:
        return self.record.position

    @property
    def news(self) -> int:
        return max(self.record.position, self.record.completed_position or 0)

    @property
    def server_id(self) -> str:
        return public_id("srv", self.record.server_id)

    @property
    def grant_id(self) -> str:
        return public_id("grt", self.record.grant_id)

    @property
    def approval_id(self) -> str:
        """Empty if no person was asked."""
        return public_id("apr", self.record.approval_id) if self.record.approval_id else ""

    @property
    def added_ms(self) -> float:
        return self.record.added_us / 1000

    @property
    def took_ms(self) -> float | None:
        """From arrival to the end of the response, or to our denial; None while the call is under way."""
        if self.record.total_us is not None:
            return self.record.total_us / 1000
        return None if self.record.outcome == "allow" else self.added_ms


@dataclass(frozen=True, slots=True)
class Decisions:
    """A page of decisions, newest first. `older` and `reached`: see `audit.search.Found`."""

    rows: list[DecisionRow]
    older: int | None
    reached: datetime | None


def decisions(
    member: Asker, filters: Filters = EVERYTHING, *, before: int | None = None, limit: int = 50
) -> Decisions:
    """Return the next older decisions before that position, or the newest."""
    found = newest(member, filters, before, min(limit, MOST))
    return Decisions(with_names(member, found.records), found.older, found.reached)


def calls_since(member: Asker, filters: Filters, since: datetime) -> int:
    """Count calls, but no further than anyone could follow."""
    lately = replace(filters, since=max(filters.since or since, since))
    return matching(member, lately)[:MOST_IN_A_MINUTE].count()


def decision(member: Asker, decision_id: UUID) -> DecisionRow | None:
    record = DecisionRecord.objects.visible_to(member).filter(pk=decision_id).first()
    return with_names(member, [record])[0] if record else None


def news_after(member: Asker, filters: Filters, position: int, limit: int = 200) -> list[DecisionRow]:
    """Return the decisions that arrived, or whose end arrived, after this position, in order of arrival."""
    fresh = Q(position__gt=position) | Q(completed_position__gt=position)
    news = Greatest("position", Coalesce("completed_position", 0))
    found = matching(member, filters).filter(fresh).order_by(news)
    return with_names(member, found[:limit])


def first_call(member: Asker) -> DecisionRecord | None:
    """Return the oldest call in the log; cheap enough to ask every second."""
    found = DecisionRecord.objects.visible_to(member).order_by("position")
    return next(iter(first_of(found, slices_upwards(member), 1)), None)


def last_call(member: Asker) -> DecisionRecord | None:
    found = DecisionRecord.objects.visible_to(member).order_by("-position")
    return next(iter(first_of(found, slices(member), 1)), None)


# ---- names
def with_names(member: Asker, records: Iterable[DecisionRecord]) -> list[DecisionRow]:
    """Add the names with three queries, however many records there are."""
    read = list(records)
    servers = _names(Server.objects.visible_to(member), "name", {record.server_id for record in read})
    grants = _names(Grant.objects.visible_to(member), "label", {record.grant_id for record in read})
    revisions = _revisions(member, {r.policy_revision_id for r in read if r.policy_revision_id})
    return [_row(record, servers, grants, revisions) for record in read]


def _row(
    record: DecisionRecord,
    servers: dict[UUID, str],
    grants: dict[UUID, str],
    revisions: dict[UUID | None, tuple[str, UUID, int]],
) -> DecisionRow:
    name, policy, number = revisions.get(record.policy_revision_id, ("", None, None))
    return DecisionRow(
        record=record,
        server_name=servers.get(record.server_id, ""),
        grant_label=grants.get(record.grant_id, ""),
        policy_name=name,
        policy_id=policy,
        policy_revision_number=number,
    )


def _names(rows: QuerySet[Any], field_name: str, ids: set[UUID]) -> dict[UUID, str]:
    return dict(rows.filter(pk__in=ids).values_list("pk", field_name)) if ids else {}


def _revisions(member: Asker, ids: set[UUID]) -> dict[UUID | None, tuple[str, UUID, int]]:
    """Return for each revision its policy's name and id, and its number."""
    if not ids:
        return {}
    found = PolicyRevision.objects.visible_to(member).filter(pk__in=ids)
    read = found.values_list("pk", "policy__name", "policy_id", "number")
    return {pk: (name, policy, number) for pk, name, policy, number in read}
