from __future__ import annotations

from typing import Any

from django.db import connection
from django.http import HttpRequest
from django.utils.functional import SimpleLazyObject
from psycopg.pq import TransactionStatus

from accounts.verification import is_verified
from approvals.cards import how_many_wait
from gateway_config.rollout import rollout_of_organization


def _answers() -> bool:
    """Return whether the frame may query the database: inside a failed transaction nothing may."""
    session = connection.connection
    failed = session is not None and session.info.transaction_status is TransactionStatus.INERROR
    return not (failed or connection.needs_rollback)


def product(request: HttpRequest) -> dict[str, Any]:
    """Return what every page's frame shows. `frame`: the template that an error page extends."""
    member = getattr(request, "member", None)
    shown: dict[str, Any] = {
        "member": member,
        "memberships": getattr(request, "memberships", []),
        "csp_nonce": getattr(request, "csp_nonce", ""),
        "frame": "app.html" if member is not None and _answers() else "public.html",
    }
    if member is not None:
        shown["waiting_count"] = SimpleLazyObject(lambda: how_many_wait(member))
        shown["unconfirmed"] = SimpleLazyObject(lambda: not is_verified(member))
        shown["rollout"] = SimpleLazyObject(lambda: rollout_of_organization(member))
    return shown
