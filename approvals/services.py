"""The verbs of people: approve, decline, set the approval rules. The screens and the REST API call these."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from accounts.audit import record_event
from accounts.models import Membership, Organization
from accounts.permissions import May, able, require, require_still
from accounts.services.organizations import locked
from approvals.changes import keep, lock, lock_one, make_void
from approvals.claims import time_limit
from approvals.models import Approval
from common.errors import Conflict, InvalidInput, NotAllowed
from common.events import config_changed
from common.ids import public_id
from policies.models import Grant
from servers.models import Tool

LONGEST_NOTE: Final = 300
SHORTEST_LIMIT: Final = 60
LONGEST_LIMIT: Final = 86_400


def approve(by: Membership, approval: Approval, note: str = "") -> Approval:
    """Let the identical call be sent once, until the time limit ends."""
    return _answer(by, approval, Approval.State.APPROVED, note)


def decline(by: Membership, approval: Approval, note: str = "") -> Approval:
    return _answer(by, approval, Approval.State.DECLINED, note)


@transaction.atomic
def _answer(by: Membership, approval: Approval, answer: Approval.State, note: str) -> Approval:
    require(by, May.APPROVE)
    note = _fit_note(note)
    held = lock_one(approval.pk)
    require_still(by, May.APPROVE)
    now = timezone.now()
    if held.state_at(now) is not Approval.State.PENDING:
        if _said_so_already(by, held, answer):
            return held
        raise Conflict(why_not_waiting(held))
    _require_other_hands(by, held)
    held.state = answer
    held.answered_at, held.note = now, note
    held.answered_by, held.answered_by_email = by, by.user.email
    held.answered_by_key = by.acting_key.pk if by.acting_key else None
    held.expires_at = now + time_limit(held.organization_id)
    held.ended_at = now if answer is Approval.State.DECLINED else None
    record_event(by, f"approval.{answer.value}", held.public_id, held.tool, grant=_grant_id(held))
    keep(
        [held],
        *("state", "answered_at", "note", "answered_by", "answered_by_email", "answered_by_key"),
        *("expires_at", "ended_at"),
    )
    return held


def _said_so_already(by: Membership, approval: Approval, answer: Approval.State) -> bool:
    """Return whether this person has already given this answer: a second click is not an error."""
    given = Approval.State.APPROVED if approval.state == Approval.State.USED else approval.state
    return given == answer and approval.answered_by_id == by.pk


def why_not_waiting(approval: Approval) -> str:
    who = approval.answered_by_email or "Somebody"
    match approval.now:
        case Approval.State.APPROVED | Approval.State.USED:
            return f"{who} already approved this call."
        case Approval.State.DECLINED:
            return f"{who} already declined this call."
        case Approval.State.SUPERSEDED:
            return f"This call is void: {approval.get_because_display()}. The agent has to ask again."
        case _:
            return "The time to answer is up. The agent has to ask again."


# ---- whose call it is
def possible_approvers(organization_id: UUID) -> QuerySet[Membership]:
    return Membership.objects.filter(
        organization_id=organization_id, role__in=able(May.APPROVE), user__is_active=True
    )


def may_answer_own(organization: Organization) -> bool:
    """Follow the organization's setting; unset, people may answer their own only while nobody else could."""
    if organization.self_approval is not None:
        return organization.self_approval
    return possible_approvers(organization.pk).count() <= 1


def _require_other_hands(by: Membership, approval: Approval) -> None:
    grant = Grant.objects.get(pk=approval.grant_id)
    if refused := refusals_of_own(by, Organization.objects.get(pk=by.organization_id), [grant]):
        raise NotAllowed(refused[grant.pk])


def refusals_of_own(
    member: Membership, organization: Organization, grants: Iterable[Grant]
) -> dict[UUID, str]:
    """Say of each grant whose calls this member may not answer, as they may be their own, why that is."""
    own = [grant for grant in grants if member.pk in grant.known_to]
    if not own or organization.self_approval:
        return {}
    approvers = set(possible_approvers(organization.pk).values_list("pk", flat=True))
    others = {grant.pk: len(approvers - grant.known_to) for grant in own}
    is_open = organization.self_approval is None
    return {
        grant.pk: _refusal_of_own(grant, member, others[grant.pk])
        for grant in own
        if others[grant.pk] or not is_open
    }


def _refusal_of_own(grant: Grant, member: Membership, others: int) -> str:
    why = "You hold this grant" if grant.holder_id == member.pk else "You were shown this grant’s token"
    return f"{why}, so someone else answers. {_others_can(others)}"


def _others_can(others: int) -> str:
    match others:
        case 0:
            return "Nobody else can yet; an owner can allow people to answer their own calls."
        case 1:
            return "1 other can."
        case _:
            return f"{others} others can."


# ---- rules
@transaction.atomic
def set_approval_rules(by: Membership, *, seconds: int, self_approval: bool | None) -> Organization:
    """Change the rules. The time limit applies from the next call or answer on; waiting calls keep theirs."""
    require(by, May.CHANGE_SECURITY)
    if not SHORTEST_LIMIT <= seconds <= LONGEST_LIMIT:
        raise InvalidInput({"seconds": "Choose a time from 1 minute to 24 hours."})
    organization = locked(by, May.CHANGE_SECURITY)
    rules = {"approval_seconds": seconds, "self_approval": self_approval}
    before = {name: getattr(organization, name) for name in rules}
    if before != rules:
        organization.approval_seconds, organization.self_approval = seconds, self_approval
        organization.save(update_fields=["approval_seconds", "self_approval"])
        subject = public_id("org", organization.pk)
        record_event(by, "approval_rules.changed", subject, organization.name, before=before, **rules)
        config_changed.send(sender=Organization, organization_id=organization.pk)
    return organization


# ---- approvals that become void
@transaction.atomic
def close_void(organization_id: UUID) -> None:
    """Void waiting and approved calls that can no longer be made: their grant or server is gone, or the token
    or the tool has changed."""
    standing = Approval.objects.filter(organization_id=organization_id, standing=True)
    rows = list(standing.select_related("grant", "server").defer("sealed", "reason"))
    if not rows:
        return
    digests = _digests_of(rows)
    found = {row.pk: because for row in rows if (because := _void_because(row, digests)) is not None}
    if not found:
        return
    now = timezone.now()
    locked = [row for row in lock(found) if row.standing]
    for because in Approval.Because:
        make_void([row for row in locked if found[row.pk] is because], because, now)


def _digests_of(rows: list[Approval]) -> dict[tuple[UUID, str], str]:
    tools = Tool.objects.present().filter(
        server_id__in={row.server_id for row in rows}, name__in={row.tool for row in rows}
    )
    known = tools.values_list("server_id", "name", "digest")
    return {(server, name): digest for server, name, digest in known}


def _void_because(row: Approval, digests: dict[tuple[UUID, str], str]) -> Approval.Because | None:
    if row.server.retired_at is not None:
        return Approval.Because.SERVER
    if row.grant.revoked_at is not None:
        return Approval.Because.GRANT
    if row.grant.token_hash != row.grant_token:
        return Approval.Because.TOKEN
    # A gateway with an older configuration reports the older tool; its waiting calls are void here too.
    known = digests.get((row.server_id, row.tool), "")
    return Approval.Because.TOOL if row.tool_digest not in ("", known) else None


def _fit_note(note: str) -> str:
    note = " ".join(note.replace("\x00", "").split())
    if len(note) > LONGEST_NOTE:
        raise InvalidInput({"note": f"A note has at most {LONGEST_NOTE} characters."})
    return note


def _grant_id(approval: Approval) -> str:
    return public_id("grt", approval.grant_id)
