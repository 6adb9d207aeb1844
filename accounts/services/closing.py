"""Deletes an organization: the gateways are told to stop serving it, then all its rows are deleted."""

from __future__ import annotations

import logging
from typing import Final

from django.db import OperationalError, connection, transaction
from psycopg.errors import LockNotAvailable

from accounts.models import Membership, Organization
from accounts.permissions import May, require
from accounts.services.organizations import locked
from common.alone import BEGINNING, wait_for_ones_turn
from common.errors import InvalidInput
from common.events import organization_closed
from common.held import held

# For how long one row is waited for. The database refuses one of two that wait for each other after a second.
_PATIENCE: Final = "250ms"
_TRIES: Final = 20

logger = logging.getLogger(__name__)


def delete_organization(by: Membership, typed_name: str) -> None:
    """Delete it for good. `typed_name`: the name as the owner typed it, to confirm that they mean this.

    Whoever changes something of it holds rows that are deleted here, and may yet wait for one that we hold:
    then the deletion gives way. It lets go of everything, so that they can end, and begins again.
    """
    require(by, May.DELETE_ORGANIZATION)
    for tries_left in reversed(range(_TRIES)):
        try:
            _delete(by, typed_name)
            return
        except OperationalError as problem:
            if not tries_left or not isinstance(problem.__cause__, LockNotAvailable):
                raise


@transaction.atomic
def _delete(by: Membership, typed_name: str) -> None:
    organization = locked(by, May.DELETE_ORGANIZATION)
    if " ".join(typed_name.split()) != organization.name:
        raise InvalidInput({"typed": "That is not its name. Nothing was deleted."})
    _hold(organization)
    organization_closed.send(sender=Organization, organization_id=organization.pk)
    with connection.cursor() as cursor:
        cursor.execute("SELECT set_config('lock_timeout', %s, true)", [_PATIENCE])
        cursor.execute("SELECT accounts_delete_rows_of(%s)", [organization.pk])
    Organization.objects.filter(pk=organization.pk)._raw_delete("default")
    logger.info("organization %s was deleted by one of its owners", organization.pk)


def _hold(organization: Organization) -> None:
    """Let nothing that refers to it be stored any more.

    A call that begins to wait may hold a row of it and then wait for its key, so that call's turn must have
    ended first. It never waits for what `locked` holds, which we may have waited for long.
    """
    wait_for_ones_turn(BEGINNING, str(organization.pk))
    held(Organization.objects.select_for_update().filter(pk=organization.pk))
