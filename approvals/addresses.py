"""The address where a person answers. The path is spelt out: the internal listener has no pages."""

from __future__ import annotations

from django.conf import settings

from approvals.models import Approval


def address(approval: Approval) -> str:
    return f"{settings.PUBLIC_URL}/approvals/{approval.public_id}/"
