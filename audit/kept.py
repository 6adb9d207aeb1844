"""Argument values that an organization keeps: sealed beside the decision, opened for those who may read."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Final
from uuid import UUID

import msgspec
from django.conf import settings

from audit.models import DecisionRecord
from common.sealing import Keyring, SealingError
from gateway_config.wire.messages import KeptArgument

PURPOSE: Final = "kept-arguments"
_MOST: Final = 50
_LONGEST: Final = 4_096

logger = logging.getLogger(__name__)


def seal(record: DecisionRecord, kept: Sequence[KeptArgument]) -> str:
    """Seal the values; empty if there are none. What a worker sends is limited here once more."""
    within = [each for each in kept[:_MOST] if len(each.path) + len(each.json) <= _LONGEST]
    return _keys().seal(msgspec.json.encode(within), **bound(record)) if within else ""


def read(record: DecisionRecord) -> tuple[KeptArgument, ...]:
    """Return the values; empty if none were kept or the key is gone."""
    return Opener(record.organization_id).open(record.pk, record.sealed_arguments)


class Opener:
    """Opens many values while parsing the keys only once."""

    def __init__(self, organization: UUID) -> None:
        self._organization = organization
        self._keyring: Keyring | None = None

    def open(self, decision: UUID, sealed: str) -> tuple[KeptArgument, ...]:
        if not sealed:
            return ()
        self._keyring = self._keyring or _keys()
        try:
            text = self._keyring.open(sealed, **_bound(self._organization, decision))
            return msgspec.json.decode(text, type=tuple[KeptArgument, ...])
        except (SealingError, msgspec.MsgspecError) as problem:
            logger.error("the kept arguments of decision %s do not open: %s", decision, problem)
            return ()


def bound(record: DecisionRecord) -> dict[str, str]:
    return _bound(record.organization_id, record.pk)


def _bound(organization: UUID, decision: UUID) -> dict[str, str]:
    return {"organization": str(organization), "subject": str(decision), "purpose": PURPOSE}


def _keys() -> Keyring:
    return Keyring.parse(settings.ARGUMENT_KEYS)
