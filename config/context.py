from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from django.utils.functional import SimpleLazyObject

from accounts.verification import is_verified
from approvals.models import Approval
from gateway_config.rollout import rollout_of_organization


def product(request: HttpRequest) -> dict[str, Any]:
    """What every page's frame shows."""
    member = getattr(request, "member", None)
    shown: dict[str, Any] = {
        "member": member,
        "memberships": getattr(request, "memberships", []),
        "csp_nonce": getattr(request, "csp_nonce", ""),
    }
    if member is not None:
        shown["waiting_count"] = SimpleLazyObject(
            lambda: Approval.objects.visible_to(member).waiting().count()
        )
        shown["unconfirmed"] = SimpleLazyObject(lambda: not is_verified(member))
        shown["rollout"] = SimpleLazyObject(lambda: rollout_of_organization(member))
    return shown
