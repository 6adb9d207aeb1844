"""API keys: finding the member behind one, making and revoking them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from functools import cache
from typing import Any, Final, TypeVar

from django.db import connection, transaction
from django.db.models import Field, Model
from django.utils import timezone

from accounts.audit import record_event
from accounts.models import ApiKey, Membership, Organization, User
from accounts.permissions import SCOPES, May, require, require_still
from accounts.services.organizations import locked
from common.errors import InvalidInput
from common.ids import public_id
from common.tokens import new_token, token_hash


def member_of_key(token: str) -> Membership | None:
    """Return the maker of a valid key, acting through it, or None. Called inside the organization."""
    key = _found(token_hash(token))
    if key is None or not key.is_good() or not key.member.user.is_active:
        return None
    member = key.member
    member.acting_key = key
    return member


_M = TypeVar("_M", bound=Model)
# Run for every request with a key: building the query through the ORM each time costs more than running it.
_JOINED: Final = """
    FROM accounts_apikey k
    JOIN accounts_membership m ON m.id = k.member_id
    JOIN accounts_user u ON u.id = m.user_id
    JOIN accounts_organization o ON o.id = m.organization_id
    WHERE k.key_hash = %s
"""


@cache
def _columns() -> dict[str, list[Field[Any, Any]]]:
    """The columns of each table, in the order in which they are read."""
    models: dict[str, type[Model]] = {"k": ApiKey, "m": Membership, "u": User, "o": Organization}
    return {alias: list(model._meta.concrete_fields) for alias, model in models.items()}


@cache
def _question() -> str:
    selected = (f'{alias}."{field.column}"' for alias, fields in _columns().items() for field in fields)
    return f"SELECT {', '.join(selected)}{_JOINED}"


def _found(key_hash: str) -> ApiKey | None:
    """Load the key together with its maker's membership, user and organization."""
    with connection.cursor() as cursor:
        cursor.execute(_question(), [key_hash])
        row = cursor.fetchone()
    if row is None:
        return None
    values = iter(row)
    key = _made(ApiKey, "k", values)
    key.member = _made(Membership, "m", values)
    key.member.user = _made(User, "u", values)
    key.member.organization = _made(Organization, "o", values)
    return key


def _made(model: type[_M], alias: str, values: Iterator[Any]) -> _M:
    fields = _columns()[alias]
    return model.from_db("default", [one.attname for one in fields], [_read(one, values) for one in fields])


def _read(field: Field[Any, Any], values: Iterator[Any]) -> Any:
    value = next(values)
    convert = getattr(field, "from_db_value", None)
    return value if convert is None else convert(value, None, connection)


@transaction.atomic
def create_api_key(
    by: Membership, name: str, scopes: Sequence[str], expires_at: datetime | None = None
) -> tuple[ApiKey, str]:
    """Return the key's row and its token, which is shown once and not stored."""
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
        problems["expires_at"] = "Choose a time in the future."
    if problems:
        raise InvalidInput(problems)
    locked(by, May.MAKE_KEYS)
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
    until = expires_at.isoformat() if expires_at else None
    record_event(
        by, "api_key.created", public_id("key", key.pk), key.name, scopes=key.scopes, expires_at=until
    )
    return key, token


@transaction.atomic
def revoke_api_key(by: Membership, key: ApiKey) -> None:
    require(by, May.REVOKE_KEYS)
    # Of two who revoke at once, only one is recorded. The key may also be gone, together with its maker.
    held = ApiKey.objects.select_for_update().filter(pk=key.pk).first()
    require_still(by, May.REVOKE_KEYS)
    if held is not None and held.revoked_at is None:
        key.revoked_at = timezone.now()
        key.save(update_fields=["revoked_at"])
        record_event(by, "api_key.revoked", public_id("key", key.pk), key.name)


def revoke_keys_of(member: Membership) -> None:
    """Revoke all keys that act for this member. Called inside the organization."""
    for key in ApiKey.objects.filter(member=member, revoked_at=None):
        key.revoked_at = timezone.now()
        key.save(update_fields=["revoked_at"])
        record_event(member, "api_key.revoked", public_id("key", key.pk), key.name)


def note_use(key: ApiKey) -> None:
    """Called at the end of the request: it locks the key, which whoever removes its maker deletes."""
    now = timezone.now()
    if key.last_used_at is None or (now - key.last_used_at).total_seconds() > 60:
        # Of many concurrent requests one writes it, and none waits for that one to end. `no_key` spares rows
        # that refer to the key from waiting as well.
        free = ApiKey.objects.filter(pk=key.pk).select_for_update(skip_locked=True, no_key=True)
        ApiKey.objects.filter(pk__in=free.values("pk")).update(last_used_at=now)
