"""Where a person answers. The internal listener has no pages of its own, so the path is written here."""

from __future__ import annotations

from django.conf import settings

from approvals.models import Approval


def address(approval: Approval) -> str:
    return f"{settings.PUBLIC_URL}/approvals/{approval.public_id}/"
