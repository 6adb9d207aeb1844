"""Celery carries only the organization's id; a task publishes whatever is newest when it runs."""

from __future__ import annotations

import logging
from datetime import timedelta
from uuid import UUID

from celery import shared_task
from django.db import DatabaseError

from config import env
from gateway_config.closing import announce, forget_long_closed, waits_to_be_announced
from gateway_config.services import deliver, start_publishing, waiting_organizations
from gateway_config.wire.signing import SigningKey

logger = logging.getLogger(__name__)


@shared_task
def publish_config(organization_id: str) -> None:
    """May run twice and out of order: doing it again changes nothing."""
    deliver(UUID(organization_id), signing_key())


@shared_task
def announce_closed() -> None:
    """May run twice: doing it again changes nothing."""
    announce(signing_key())


@shared_task
def forget_closed() -> None:
    forget_long_closed()


@shared_task
def sweep() -> None:
    """Starts what a lost message, a killed worker or a broker that was away left behind."""
    if waits_to_be_announced():
        announce(signing_key())
    lost = waiting_organizations(never_taken_up=timedelta(seconds=1), not_heard_of=timedelta(seconds=5))
    for organization_id in lost:
        start_publishing(organization_id)


def publish_overdue() -> None:
    """Publishes here and now, without the broker, what two sweeps could not start."""
    if waits_to_be_announced():
        announce(signing_key())
    overdue = waiting_organizations(never_taken_up=timedelta(seconds=3), not_heard_of=timedelta(seconds=8))
    for organization_id in overdue:
        try:
            deliver(organization_id, signing_key())
        except DatabaseError as problem:
            # Another process has been busy with it for long. That holds back this organization and no other.
            logger.warning("organization %s: not published now (%s)", organization_id, type(problem).__name__)


def signing_key() -> SigningKey:
    """Read here and nowhere else: only the Celery worker's environment holds it."""
    return SigningKey.parse(env.text("SIGNING_KEY"))
