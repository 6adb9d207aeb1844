"""Invitations: a link sent by e-mail that lets one person join, once.

The link is the whole credential. It is not stored, it expires, and it is valid only while its sender could
still send it: an admin who is demoted leaves no back door to the higher role.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import connection, transaction
from django.utils import timezone

from accounts.audit import record_event
from accounts.invitation_mail import MailNotTaken, post
from accounts.limits import Limit, leave_room, see_that_one_more_joins
from accounts.models import Invitation, Membership, Organization, Role, User
from accounts.permissions import May, may, require, require_still
from accounts.services.members import needed_for
from accounts.services.organizations import locked
from accounts.tenancy import organization_context
from accounts.verification import is_verified
from common.errors import Conflict, InvalidInput, LimitReached, NotAllowed, NotFound, TooSoon
from common.held import held
from common.ids import public_id
from common.not_too_often import not_too_often
from common.tokens import INVITATION, is_well_formed, new_token, token_hash

GOOD_FOR: Final = timedelta(days=7)
A_DAY_SECONDS: Final = 86_400
REST_BETWEEN_MAILS: Final = timedelta(minutes=1)
MOST_MAILS_EACH: Final = 5
MOST_A_DAY: Final = 50
MOST_MAILS_BY_ONE: Final = 200
NOT_GOOD: Final = (
    "This invitation is no longer valid: it was used or withdrawn, or is older than 7 days. Ask for another."
)


@dataclass(frozen=True, slots=True)
class Offer:
    """What a valid link offers, for the page that asks whether to join."""

    id: str
    organization_name: str
    role: str
    email: str
    invited_by_email: str
    expires_at: datetime

    @property
    def role_words(self) -> str:
        return Role(self.role).label.lower()


@transaction.atomic
def invite(by: Membership, email: str, role: str) -> Invitation:
    """Create an invitation and send its link. An address whose invitation expired may be invited again."""
    require(by, needed_for(role))
    address = _judged(email, role)
    _may_mail(by)
    organization = locked(by, needed_for(role))
    _not_there_yet(by, address)
    leave_room(by, Limit.MEMBERS, needed_for(role))
    _room_for_mail(by)
    _count_mail(by)
    token = new_token(INVITATION)
    invitation = Invitation.objects.create(
        organization=organization,
        email=address,
        role=role,
        token_hash=token_hash(token),
        invited_by=by,
        invited_by_email=by.user.email,
        expires_at=timezone.now() + GOOD_FOR,
    )
    _record(by, invitation, "invitation.sent", role=role)
    _post(invitation, token)
    return invitation


@transaction.atomic
def resend(by: Membership, invitation: Invitation) -> Invitation:
    """Send a new link, valid for the full time; the old one ends. Whoever resends it is now its sender."""
    invitation = _held(by, invitation)
    require(by, needed_for(invitation.role))
    _may_mail(by)
    now = timezone.now()
    if invitation.sent_times >= MOST_MAILS_EACH:
        raise LimitReached(f"It was sent {MOST_MAILS_EACH} times. Withdraw it and invite again another day.")
    if invitation.sent_at > now - REST_BETWEEN_MAILS:
        wait = invitation.sent_at + REST_BETWEEN_MAILS - now
        said = "It was sent less than a minute ago. Look in the spam folder, or try again soon."
        raise TooSoon(said, wait)
    _count_mail(by)
    token = new_token(INVITATION)
    invitation.token_hash, invitation.sent_at, invitation.expires_at = token_hash(token), now, now + GOOD_FOR
    invitation.sent_times += 1
    invitation.invited_by, invitation.invited_by_email = by, by.user.email
    invitation.save()
    _record(by, invitation, "invitation.resent", role=invitation.role)
    _post(invitation, token)
    return invitation


@transaction.atomic
def withdraw(by: Membership, invitation: Invitation) -> None:
    invitation = _held(by, invitation)
    require(by, needed_for(invitation.role))
    invitation.withdrawn_at = timezone.now()
    invitation.save(update_fields=["withdrawn_at"])
    _record(by, invitation, "invitation.withdrawn")


def offer(token: str) -> Offer | None:
    """Return what the link offers now, or None. Called before anyone is signed in."""
    organization = _organization_of(token)
    if organization is None:
        return None
    with organization_context(organization):
        invitation = _good(token)
        if invitation is None:
            return None
        return Offer(
            invitation.public_id,
            invitation.organization.name,
            invitation.role,
            invitation.email,
            invitation.invited_by_email,
            invitation.expires_at,
        )


def accept(user: User, token: str) -> Membership:
    """Let a signed-in person who holds the link join, under the address they are signed in with."""
    organization = _organization_of(token)
    if organization is None:
        raise NotFound(NOT_GOOD)
    with organization_context(organization):
        # Someone deleting their account must not join now: the deletion has already read their memberships.
        if not User.objects.select_for_update(no_key=True).filter(pk=user.pk).exists():
            raise NotFound(NOT_GOOD)
        # Locked first, as when inviting: of two who join at once, the second is counted with the first.
        joined = held(Organization.objects.select_for_update(no_key=True).filter(pk=organization))
        invitation = _good(token, lock=True)
        if invitation is None:
            raise NotFound(NOT_GOOD)
        if Membership.objects.filter(user=user, organization_id=organization).exists():
            raise Conflict(f"You already belong to {invitation.organization.name}. The link stays valid.")
        see_that_one_more_joins(joined)
        member = Membership.objects.create(
            organization=invitation.organization, user=user, role=invitation.role
        )
        invitation.accepted_at, invitation.accepted_by_email = timezone.now(), user.email
        invitation.save(update_fields=["accepted_at", "accepted_by_email"])
        _record(member, invitation, "invitation.accepted", role=member.role, joined_as=user.email)
    return member


def _good(token: str, *, lock: bool = False) -> Invitation | None:
    """Return the invitation if its link is valid. Called inside its organization.

    With `lock`, of two who use one link at once, the second finds it used.
    """
    found = Invitation.objects.select_related("organization").filter(token_hash=token_hash(token))
    invitation = (found.select_for_update(of=("self",)) if lock else found).first()
    if invitation is None or invitation.state != "open":
        return None
    if invitation.invited_by_id is None:
        return None
    sender = Membership.objects.select_related("user").get(pk=invitation.invited_by_id)
    if not sender.user.is_active or not may(sender, needed_for(invitation.role)):
        return None
    return invitation


def _organization_of(token: str) -> UUID | None:
    """Look it up through a SECURITY DEFINER function: the asker belongs to no organization yet."""
    if not is_well_formed(token, INVITATION):
        return None
    with connection.cursor() as cursor:
        cursor.execute("SELECT accounts_organization_of_invitation(%s)", [token_hash(token)])
        (organization,) = cursor.fetchone()
    return UUID(str(organization)) if organization else None


def _held(by: Membership, invitation: Invitation) -> Invitation:
    """Lock the invitation until the transaction ends. Raise if it was already accepted or withdrawn."""
    require(by, May.MANAGE_MEMBERS)
    found = held(Invitation.objects.visible_to(by).select_for_update().filter(pk=invitation.pk))
    require_still(by, May.MANAGE_MEMBERS)
    if found.state in {"accepted", "withdrawn"}:
        raise Conflict(f"This invitation was already {found.state}.")
    return found


def _judged(email: str, role: str) -> str:
    problems: dict[str, str] = {}
    address = email.strip().lower()
    try:
        validate_email(address)
    except ValidationError:
        problems["email"] = "Enter one e-mail address, such as ana@example.com."
    if len(address) > 254:
        problems["email"] = "An e-mail address has at most 254 characters."
    if role not in Role.values:
        problems["role"] = "Choose one of the roles."
    if problems:
        raise InvalidInput(problems)
    return address


def _may_mail(by: Membership) -> None:
    if not is_verified(by):
        raise NotAllowed("Confirm your own e-mail address first: until then no invitations are sent.")


def _not_there_yet(by: Membership, address: str) -> None:
    if Membership.objects.visible_to(by).filter(user__email__iexact=address).exists():
        raise Conflict(f"{address} is already a member.")
    earlier = Invitation.objects.visible_to(by).open().filter(email=address).first()
    if earlier is None:
        return
    if earlier.state == "open":
        raise Conflict(f"{address} has an invitation that is still valid. Send that one again instead.")
    earlier.withdrawn_at = timezone.now()
    earlier.save(update_fields=["withdrawn_at"])


def _room_for_mail(by: Membership) -> None:
    since = timezone.now() - timedelta(days=1)
    if Invitation.objects.visible_to(by).filter(sent_at__gt=since).count() >= MOST_A_DAY:
        raise LimitReached(f"{MOST_A_DAY} invitations were sent within a day, the most allowed.")


def _count_mail(by: Membership) -> None:
    """Count per person, across organizations, including those that they founded and have since deleted."""
    if not not_too_often(f"invitations-by-{by.user_id}", MOST_MAILS_BY_ONE, A_DAY_SECONDS):
        raise LimitReached(
            f"You had {MOST_MAILS_BY_ONE} invitations sent within a day, the most one person may send."
        )


def _post(invitation: Invitation, token: str) -> None:
    """Send inside the transaction, so that an invitation whose mail could not be sent is not created."""
    try:
        post(invitation, token)
    except MailNotTaken:
        raise Conflict("The e-mail could not be sent, so nobody was invited. Try again later.") from None


def _record(by: Membership, invitation: Invitation, verb: str, **details: str) -> None:
    record_event(by, verb, public_id("inv", invitation.pk), invitation.email, **details)
