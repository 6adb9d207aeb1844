"""Settings that only owners change: the gateways' lease, what agents are told, what the log keeps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from django.db import transaction

from accounts.audit import record_event
from accounts.models import Membership, Organization
from accounts.permissions import May, require
from accounts.services.organizations import locked
from common.errors import InvalidInput
from common.events import config_changed
from common.ids import public_id
from policies.language.paths import parse_path

LEASE_SECONDS: Final = (300, 30 * 86_400)
RETENTION_DAYS: Final = (1, 365)
MOST_KEPT: Final = 50
LONGEST_KEPT_PATH: Final = 200
_NO_PATH: Final = "{} is not the path of one argument. Write it like args.amount or args.customer.id."


@transaction.atomic
def change_security(
    by: Membership,
    *,
    lease_seconds: int | None = None,
    explain_denials: bool | None = None,
    log_retention_days: int | None = None,
    kept_arguments: Sequence[str] | None = None,
) -> Organization:
    """Change the settings that are not None. Gateways learn of it as of any other change.

    A shorter retention takes effect at the next sweep.
    """
    require(by, May.CHANGE_SECURITY)
    _within(
        lease_seconds=(lease_seconds, LEASE_SECONDS), log_retention_days=(log_retention_days, RETENTION_DAYS)
    )
    organization = locked(by, May.CHANGE_SECURITY)
    wanted = {
        "lease_seconds": lease_seconds,
        "explain_denials": explain_denials,
        "log_retention_days": log_retention_days,
        "kept_arguments": None if kept_arguments is None else read_kept_paths(kept_arguments),
    }
    given = {name: value for name, value in wanted.items() if value is not None}
    changed = {name: value for name, value in given.items() if getattr(organization, name) != value}
    if changed:
        before = {name: getattr(organization, name) for name in changed}
        for name, value in changed.items():
            setattr(organization, name, value)
        organization.save(update_fields=list(changed))
        subject = public_id("org", organization.pk)
        record_event(by, "security.changed", subject, organization.name, before=before, **changed)
        config_changed.send(sender=Organization, organization_id=organization.pk)
    return organization


def read_kept_paths(typed: Sequence[str]) -> list[str]:
    """Return each path once, in order. Raise InvalidInput for anything that is not a path to one value."""
    paths = list(dict.fromkeys(path.strip() for path in typed if path.strip()))
    wrong = next((path for path in paths if not _can_be_kept(path)), None)
    if wrong is not None:
        raise InvalidInput({"kept_arguments": _NO_PATH.format(wrong[:80])})
    if len(paths) > MOST_KEPT:
        raise InvalidInput({"kept_arguments": f"At most {MOST_KEPT} arguments can be kept."})
    return paths


def _can_be_kept(path: str) -> bool:
    parsed = parse_path(path) if len(path) <= LONGEST_KEPT_PATH and path.isprintable() else None
    return parsed is not None and bool(parsed.steps) and all(isinstance(step, str) for step in parsed.steps)


def _within(**numbers: tuple[int | None, tuple[int, int]]) -> None:
    problems = {
        name: f"Choose a whole number from {least} to {most}."
        for name, (value, (least, most)) in numbers.items()
        if value is not None and not least <= value <= most
    }
    if problems:
        raise InvalidInput(problems)
