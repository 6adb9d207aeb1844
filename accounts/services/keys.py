"""API keys: what they name, who stands behind one, making and revoking."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from django.db import transaction
from django.utils import timezone

from accounts.audit import record_event
from accounts.models import ApiKey, Membership
from accounts.permissions import SCOPES, May, require
from common.errors import InvalidInput
from common.ids import public_id
from common.tokens import new_token, token_hash


def member_of_key(token: str) -> Membership | None:
    """The maker of a good key, acting through it. Called inside the organization's context."""
    key = (
        ApiKey.objects.select_related("member__user", "member__organization")
        .filter(key_hash=token_hash(token))
        .first()
    )
    if key is None or not key.is_good() or not key.member.user.is_active:
        return None
    _note_use(key)
    member = key.member
    member.acting_key = key
    return member


@transaction.atomic
def create_api_key(
    by: Membership, name: str, scopes: Sequence[str], expires_at: datetime | None = None
) -> tuple[ApiKey, str]:
    """The key's row and its token, which is shown once and kept nowhere."""
    require(by, May.MAKE_KEYS)
    unknown = sorted(set(scopes) - set(SCOPES))
    problems: dict[str, str] = {}
    if not name.strip():
        problems["name"] = "Say what the key is for, such as “ci”."
    if unknown:
        problems["scopes"] = f"There is no scope {unknown[0]}."
    elif not scopes:
        problems["scopes"] = "Choose at least one scope."
    if expires_at is not None and expires_at <= timezone.now():
        problems["expires_at"] = "Choose a time that is still to come."
    if problems:
        raise InvalidInput(problems)
    token = new_token("plk_")
    key = ApiKey.objects.create(
        organization_id=by.organization_id,
        member=by,
        name=name.strip()[:80],
        key_hash=token_hash(token),
        hint=token[:8],
        scopes=sorted(set(scopes)),
        expires_at=expires_at,
    )
    record_event(by, "api_key.created", public_id("key", key.pk), key.name, scopes=key.scopes)
    return key, token


@transaction.atomic
def revoke_api_key(by: Membership, key: ApiKey) -> None:
    require(by, May.REVOKE_KEYS)
    if key.revoked_at is None:
        key.revoked_at = timezone.now()
        key.save(update_fields=["revoked_at"])
        record_event(by, "api_key.revoked", public_id("key", key.pk), key.name)


def _note_use(key: ApiKey) -> None:
    now = timezone.now()
    if key.last_used_at is None or (now - key.last_used_at).total_seconds() > 60:
        # Of many requests at once one writes it, and none waits for that one's end.
        free = ApiKey.objects.filter(pk=key.pk).select_for_update(skip_locked=True)
        ApiKey.objects.filter(pk__in=free.values("pk")).update(last_used_at=now)
