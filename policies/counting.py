"""Counts policies and grants against an organization's limits."""

from __future__ import annotations

from accounts.limits import Limit, counted
from accounts.tenancy import Asker
from policies.models import Grant, Policy


def _policies(asker: Asker) -> int:
    return Policy.objects.visible_to(asker).filter(server__retired_at=None).count()


def _grants(asker: Asker) -> int:
    return Grant.objects.visible_to(asker).good().count()


counted(Limit.POLICIES, _policies)
counted(Limit.GRANTS, _grants)
