from __future__ import annotations

from typing import TYPE_CHECKING

from rest_framework.permissions import SAFE_METHODS, BasePermission
from rest_framework.request import Request

from accounts.api.authentication import asking_member
from accounts.permissions import covers
from common.errors import NotAllowed

if TYPE_CHECKING:
    # At run time this would be a circular import: DRF's views load these classes from its settings.
    from rest_framework.views import APIView


class IsMember(BasePermission):
    """Requires a member and, when an API key reads, the scope that the view names (`read_scope`).

    A view whose POST only asks a question sets `only_asks`. What other requests need is judged by the
    services, for the screens and REST alike.
    """

    def has_permission(self, request: Request, view: APIView) -> bool:
        member = asking_member(request)
        if member is None:
            return False
        scope: str | None = getattr(view, "read_scope", None)
        key = member.acting_key
        asks = request.method in SAFE_METHODS or getattr(view, "only_asks", False)
        if asks and key is not None and scope is not None and not covers(key.scopes, scope):
            raise NotAllowed(f"Reading this needs the scope {scope}, which this API key does not have.")
        return True
