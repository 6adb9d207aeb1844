"""Webhooks as in https://www.standardwebhooks.com: signed, timestamped, with an id that retries keep.

A webhook's URL is typed by a person, so connections go through the egress guard, as for any server.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import logging
import secrets
from dataclasses import dataclass
from datetime import timedelta
from typing import Final
from urllib.parse import urlsplit

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from accounts.audit import record_event
from accounts.models import Membership
from accounts.permissions import May, require, require_still
from accounts.services.organizations import locked
from accounts.verification import is_verified
from approvals.addresses import address
from approvals.models import Approval, Notice, Webhook
from approvals.notices import again, write_test
from common.errors import Conflict, InvalidInput, LimitReached, NotAllowed, TooSoon
from common.held import held
from common.ids import new_uuid, public_id
from common.sealing import Keyring, SealingError
from servers.egress import egress, trusted
from servers.services import problem_of_url

PURPOSE: Final = "webhook-secret"
PREFIX: Final = "whsec_"
MOST: Final = 10
LONGEST_URL: Final = 2000
OVERLAP = timedelta(days=1)
REST_BETWEEN_SECRETS = timedelta(minutes=1)
MOST_TESTS: Final = 5
REST_BETWEEN_TESTS = timedelta(minutes=1)
PATIENCE_SECONDS: Final = 15.0
MOST_READ: Final = 64 * 1024
_SECRET_BYTES: Final = 32
_UNCONFIRMED: Final = "Confirm your e-mail address first; until then no webhooks are sent."

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Result:
    """`status`: the HTTP status answered; None, with `error` saying why, if there was no answer."""

    status: int | None
    error: str = ""


# ---- the verbs
@transaction.atomic
def add_webhook(by: Membership, url: str, *, verified: bool) -> tuple[Webhook, str]:
    """Return the webhook and its secret, which is shown once. `verified`: `by` has a confirmed address."""
    require(by, May.MANAGE_WEBHOOKS)
    if not verified:
        raise NotAllowed(_UNCONFIRMED)
    url = _good_url(url)
    locked(by, May.MANAGE_WEBHOOKS)
    if Webhook.objects.visible_to(by).count() >= MOST:
        raise LimitReached(f"There are {MOST} webhooks, the most allowed.")
    webhook, secret = (
        Webhook(id=new_uuid(), organization_id=by.organization_id, url=url, created_by_email=by.user.email),
        _new_secret(),
    )
    webhook.sealed_secret = _sealed(webhook, secret)
    webhook.save(force_insert=True)
    record_event(by, "webhook.added", webhook.public_id, _host(url))
    return webhook, secret


@transaction.atomic
def change_webhook(
    by: Membership, webhook: Webhook, *, url: str | None = None, enabled: bool | None = None
) -> Webhook:
    """Change it; the secret stays. A webhook that was switched off by a 410 is switched on again here."""
    require(by, May.MANAGE_WEBHOOKS)
    webhook = _held(by, webhook)
    before = (webhook.url, webhook.disabled_at)
    if url is not None:
        webhook.url = _good_url(url)
    if webhook.url != before[0] and not is_verified(by):
        raise NotAllowed(_UNCONFIRMED)
    if enabled is not None and enabled is not (webhook.disabled_at is None):
        webhook.disabled_at = None if enabled else timezone.now()
    if before != (webhook.url, webhook.disabled_at):
        webhook.save(update_fields=["url", "disabled_at"])
        on = webhook.disabled_at is None
        moved = {"before": {"host": _host(before[0])}} if before[0] != webhook.url else {}
        record_event(by, "webhook.changed", webhook.public_id, _host(webhook.url), enabled=on, **moved)
    return webhook


@transaction.atomic
def rotate_secret(by: Membership, webhook: Webhook) -> tuple[Webhook, str]:
    """Make a new secret, shown once. For a day messages are also signed with the previous one.

    A second click would end the secret that the receiver still checks with, so it is refused for a minute.
    """
    require(by, May.MANAGE_WEBHOOKS)
    webhook, secret = _held(by, webhook), _new_secret()
    until = timezone.now() + OVERLAP
    if webhook.earlier_until is not None and webhook.earlier_until > until - REST_BETWEEN_SECRETS:
        raise Conflict("A new secret was made a moment ago. Use that one, or wait a minute to make another.")
    webhook.sealed_earlier, webhook.earlier_until = webhook.sealed_secret, until
    webhook.sealed_secret = _sealed(webhook, secret)
    webhook.save(update_fields=["sealed_secret", "sealed_earlier", "earlier_until"])
    record_event(by, "webhook.secret_rotated", webhook.public_id, _host(webhook.url))
    return webhook, secret


@transaction.atomic
def redeliver(by: Membership, notice: Notice) -> Notice:
    """Send the same message again with the same id and a full set of attempts."""
    require(by, May.MANAGE_WEBHOOKS)
    found = Notice.objects.select_for_update(of=("self",)).select_related("webhook")
    notice = held(found.filter(pk=notice.pk))
    require_still(by, May.MANAGE_WEBHOOKS)
    if notice.webhook is None or notice.webhook.disabled_at is not None:
        raise Conflict("This webhook is switched off. Switch it on first.")
    if notice.state == Notice.State.WAITING:
        raise Conflict("This message is still on its way.")
    again(notice)
    record_event(by, "webhook.redelivered", notice.webhook.public_id, _host(notice.webhook.url))
    return notice


@transaction.atomic
def remove_webhook(by: Membership, webhook: Webhook) -> None:
    require(by, May.MANAGE_WEBHOOKS)
    webhook = _held(by, webhook)
    record_event(by, "webhook.removed", webhook.public_id, _host(webhook.url))
    webhook.delete()


@transaction.atomic
def send_test(by: Membership, webhook: Webhook) -> Notice:
    require(by, May.MANAGE_WEBHOOKS)
    webhook = _held(by, webhook)
    if webhook.disabled_at is not None:
        raise Conflict("This webhook is switched off. Switch it on first.")
    now = timezone.now()
    recent = webhook.notices.filter(kind=Notice.Kind.TEST, created_at__gt=now - REST_BETWEEN_TESTS)
    times = list(recent.order_by("created_at").values_list("created_at", flat=True))
    if len(times) >= MOST_TESTS:
        wait = times[-MOST_TESTS] + REST_BETWEEN_TESTS - now
        raise TooSoon("There were several tests a moment ago. Wait a minute.", wait)
    record_event(by, "webhook.tested", webhook.public_id, _host(webhook.url))
    return write_test(webhook)


def _held(by: Membership, webhook: Webhook) -> Webhook:
    """Lock it until the transaction ends. Someone else may have removed it since it was found."""
    found = held(Webhook.objects.select_for_update().filter(pk=webhook.pk))
    require_still(by, May.MANAGE_WEBHOOKS)
    return found


# ---- what is sent
def body_of(notice: Notice) -> bytes:
    return json.dumps(
        {
            "type": str(notice.kind),
            "timestamp": notice.created_at.isoformat(timespec="milliseconds"),
            "data": _data(notice.approval) if notice.approval else notice.data or {"test": True},
        },
        separators=(",", ":"),
    ).encode()


def _data(approval: Approval) -> dict[str, object]:
    """Return what a person needs in order to know that they are asked, and none of the call's arguments."""
    return {
        "approval": approval.public_id,
        "url": address(approval),
        "server": {"id": public_id("srv", approval.server_id), "name": approval.server.name},
        "grant": {"id": public_id("grt", approval.grant_id), "label": approval.grant.label},
        "tool": approval.tool,
        "rule": approval.rule,
        "reason": approval.reason,
        "asked_at": approval.asked_at.isoformat(timespec="milliseconds"),
        "expires_at": approval.expires_at.isoformat(timespec="milliseconds"),
    }


def signed_headers(message_id: str, seconds: int, body: bytes, *keys: str) -> dict[str, str]:
    """Sign with each of the keys: a receiver accepts a message that any one of them signed."""
    signed = f"{message_id}.{seconds}.".encode() + body
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(seconds),
        "webhook-signature": " ".join(f"v1,{_signature(signed, secret)}" for secret in keys),
    }


def _signature(signed: bytes, secret: str) -> str:
    key = base64.b64decode(secret.removeprefix(PREFIX))
    return base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()


def deliver(notice: Notice, webhook: Webhook) -> Result:
    """Make one attempt. Never raises because of what the other side does."""
    try:
        signing = [_opened(webhook, sealed) for sealed in _signing(webhook)]
    except SealingError:
        return Result(None, "secret_unreadable")
    body = body_of(notice)
    headers = signed_headers(notice.public_id, int(timezone.now().timestamp()), body, *signing)
    return asyncio.run(_post(webhook.url, body, headers))


async def _post(url: str, body: bytes, headers: dict[str, str]) -> Result:
    # Imported here because only the Celery worker makes outbound connections.
    from servers.guarded_http import Budget, GuardedTransport, OutboundFailed, guarded_client

    sent = {**headers, "content-type": "application/json"}
    transport = GuardedTransport(egress(), Budget(MOST_READ), tls=trusted())
    try:
        # Only the head of the response counts; its body is never read.
        async with (
            asyncio.timeout(PATIENCE_SECONDS),
            guarded_client(transport, {}) as client,
            client.stream("POST", url, content=body, headers=sent) as answer,
        ):
            return Result(answer.status_code)
    except TimeoutError:
        return Result(None, "timed_out")
    except OutboundFailed as failed:
        return Result(None, failed.code)
    except Exception as problem:
        logger.warning("a webhook was not sent (%s)", type(problem).__name__)
        return Result(None, "not_http")


def _signing(webhook: Webhook) -> list[str]:
    """Return the sealed secrets that sign now, newest first."""
    return [webhook.sealed_secret, *([webhook.sealed_earlier] if webhook.overlaps else [])]


def _opened(webhook: Webhook, sealed: str) -> str:
    return _keys().open(sealed, **bound(webhook)).decode()


def _sealed(webhook: Webhook, secret: str) -> str:
    return _keys().seal(secret.encode(), **bound(webhook))


def _new_secret() -> str:
    return PREFIX + base64.b64encode(secrets.token_bytes(_SECRET_BYTES)).decode()


def _good_url(url: str) -> str:
    url = url.strip()
    if problem_of_url(url) is not None or len(url) > LONGEST_URL:
        raise InvalidInput({"url": "Write the whole URL, with https:// and without a password in it."})
    return url


def _host(url: str) -> str:
    # A path or query may contain a secret.
    return urlsplit(url).hostname or ""


def _keys() -> Keyring:
    return Keyring.parse(settings.SEALING_KEYS)


def bound(webhook: Webhook) -> dict[str, str]:
    return {"organization": str(webhook.organization_id), "subject": str(webhook.pk), "purpose": PURPOSE}
