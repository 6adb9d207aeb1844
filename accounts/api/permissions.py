from __future__ import annotations

from typing import TYPE_CHECKING

from rest_framework.permissions import SAFE_METHODS, BasePermission
from rest_framework.request import Request

from accounts.api.authentication import asking_member
from accounts.permissions import covers
from common.errors import NotAllowed

if TYPE_CHECKING:
    # At run time this would be a circle: the views of DRF read these classes from its settings.
    from rest_framework.views import APIView


class IsMember(BasePermission):
    """A member asks, and a key that only reads has the scope the view names (`read_scope`).

    A view whose POST is a question says so (`only_asks`). What an act needs is judged by the services, for
    both faces alike.
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
