"""Key rotation: counts what each key still seals or signs, and seals again what an old key sealed.

A process that opens must know a key before any process seals with it; an old key is removed only once nothing
in the database names it any more.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from allauth.mfa.models import Authenticator
from django.db import models, transaction
from django.db.models import F

from accounts import mfa
from accounts.models import Organization
from accounts.tenancy import APP_ROLE, WORKER_ROLE, become, organization_context
from approvals import arguments, webhooks
from approvals.models import Approval, Webhook
from audit import kept
from audit.models import DecisionRecord
from common.sealing import Keyring, SealingError
from config import env
from gateway_config.models import ConfigRevision, Worker, WorkerStatus
from gateway_config.services import request_publish
from servers.models import ServerCredential
from servers.services import credential_bound

_SEALED_TEXT: Final = re.compile(r'"v1\.([A-Za-z0-9_-]{1,32})\.')


@dataclass(frozen=True, slots=True)
class Sealed:
    """A column of sealed texts: which keys open it, and what each row's text is bound to."""

    what: str
    keys: str
    model: type[models.Model]
    field: str
    bound: Callable[[Any], dict[str, str]]


SEALED: Final = (
    Sealed("credentials of servers", "SEALING_KEYS", ServerCredential, "sealed", credential_bound),
    Sealed("secrets of webhooks", "SEALING_KEYS", Webhook, "sealed_secret", webhooks.bound),
    Sealed("earlier secrets of webhooks", "SEALING_KEYS", Webhook, "sealed_earlier", webhooks.bound),
    Sealed("arguments of approvals", "ARGUMENT_KEYS", Approval, "sealed", arguments.bound),
    Sealed("kept arguments", "ARGUMENT_KEYS", DecisionRecord, "sealed_arguments", kept.bound),
)


def sealed_with(keys: str) -> tuple[str, ...]:
    return tuple(column.what for column in SEALED if column.keys == keys)


@dataclass(frozen=True, slots=True)
class Done:
    sealed_anew: int
    does_not_open: int


def reseal() -> Done:
    """Seal everything with the first of its keys. Idempotent, and safe beside the running product."""
    done = Done(0, 0)
    for _ in _each_organization():
        for column in SEALED:
            keys = Keyring.parse(env.text(column.keys))
            for row in _rows(column):
                if _key_of(getattr(row, column.field)) != keys.first:
                    opened = _seal_anew(column, keys, row)
                    done = Done(done.sealed_anew + opened, done.does_not_open + (not opened))
    people = _reseal_second_factors()
    return Done(done.sealed_anew + people.sealed_anew, done.does_not_open + people.does_not_open)


@transaction.atomic
def _reseal_second_factors() -> Done:
    """Reseal second factors, which belong to people, not organizations, and are inside allauth's JSON."""
    become(APP_ROLE)
    keys, done = Keyring.parse(env.text("SEALING_KEYS")), Done(0, 0)
    for row in Authenticator.objects.select_for_update():
        for name, text in row.data.items():
            if _key_of(text) in ("unreadable", keys.first):
                continue
            try:
                row.data[name] = keys.seal(keys.open(text, **mfa.BOUND), **mfa.BOUND)
            except SealingError:
                done = Done(done.sealed_anew, done.does_not_open + 1)
            else:
                done = Done(done.sealed_anew + 1, done.does_not_open)
        row.save(update_fields=["data"])
    return done


@transaction.atomic
def _keys_of_second_factors() -> Counter[str]:
    become(APP_ROLE)
    values = [text for data in Authenticator.objects.values_list("data", flat=True) for text in data.values()]
    return Counter(key for text in values if (key := _key_of(text)) != "unreadable")


def _seal_anew(column: Sealed, keys: Keyring, row: Any) -> bool:
    text, bound = getattr(row, column.field), column.bound(row)
    try:
        fresh = keys.seal(keys.open(text, **bound), **bound)
    except SealingError:
        return False
    # Someone may have written a new value meanwhile: that one is already sealed with the first key.
    column.model._base_manager.filter(pk=row.pk, **{column.field: text}).update(**{column.field: fresh})
    return True


def republish_all() -> int:
    """Publish every organization again. Only what differs because of another key gets a new revision."""
    organizations = _organizations()
    for organization_id in organizations:
        with transaction.atomic():
            become(WORKER_ROLE)
            request_publish(organization_id)
    return len(organizations)


def keys_in_use() -> dict[str, Counter[str]]:
    """Return by purpose how often each key is named."""
    found: dict[str, Counter[str]] = {column.what: Counter() for column in SEALED}
    for _ in _each_organization():
        for column in SEALED:
            found[column.what].update(_key_of(getattr(row, column.field)) for row in _rows(column))
    found["second factors"] = _keys_of_second_factors()
    found["signatures of configurations"] = Counter()
    found["credentials in configurations"] = Counter()
    for revision in _newest_revisions():
        found["signatures of configurations"][revision.envelope["key_id"]] += 1
        found["credentials in configurations"].update(_SEALED_TEXT.findall(revision.body))
    return found


@transaction.atomic
def behind() -> list[str]:
    """Return the workers that do not run the newest configuration of every organization."""
    become(WORKER_ROLE)
    newest = dict(_newest().values_list("organization_id", "number"))
    running = WorkerStatus.objects.filter(worker__removed_at=None).values_list(
        "worker__name", "organization_id", "revision"
    )
    in_step = Counter(name for name, pk, number in running if pk in newest and number >= newest[pk])
    workers = Worker.objects.filter(removed_at=None).order_by("name").values_list("name", flat=True)
    return [name for name in workers if in_step[name] < len(newest)]


@transaction.atomic
def _newest_revisions() -> list[ConfigRevision]:
    become(WORKER_ROLE)
    return list(_newest())


def _newest() -> models.QuerySet[ConfigRevision]:
    return ConfigRevision.objects.order_by("organization_id", F("number").desc()).distinct("organization_id")


@transaction.atomic
def _organizations() -> list[UUID]:
    become(WORKER_ROLE)
    return list(Organization.objects.values_list("pk", flat=True))


def _each_organization() -> Iterator[UUID]:
    """Enter each organization in turn, in the application's role."""
    for organization_id in _organizations():
        with transaction.atomic():
            become(APP_ROLE)
            with organization_context(organization_id):
                yield organization_id


def _rows(column: Sealed) -> list[Any]:
    return list(column.model._base_manager.exclude(**{column.field: ""}))


def _key_of(sealed: object) -> str:
    is_one = isinstance(sealed, str) and sealed.count(".") == 3
    return str(sealed).split(".")[1] if is_one else "unreadable"
