"""Authentication of REST requests. `accounts.middleware` does the work; this only translates it for DRF."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rest_framework.authentication import BaseAuthentication, SessionAuthentication
from rest_framework.exceptions import AuthenticationFailed, NotAuthenticated
from rest_framework.request import Request

from accounts.middleware import bearer_token

if TYPE_CHECKING:
    from accounts.models import ApiKey, Membership, User


def asking_member(request: Request) -> Membership | None:
    member: Membership | None = request._request.member  # type: ignore[attr-defined]
    return member


def member_of(request: Request) -> Membership:
    """Return the asker, in a view protected by `IsMember`."""
    member = asking_member(request)
    if member is None:
        raise NotAuthenticated
    return member


class ApiKeyAuthentication(BaseAuthentication):
    def authenticate(self, request: Request) -> tuple[User, ApiKey | None] | None:
        if bearer_token(request._request) is None:
            return None
        member = asking_member(request)
        if member is None:
            raise AuthenticationFailed("This API key is not valid: it is unknown, expired or revoked.")
        return member.user, member.acting_key

    def authenticate_header(self, request: Request) -> str:
        return 'Bearer realm="policylayer"'


class MemberSessionAuthentication(SessionAuthentication):
    """Accepts the browser's session, and enforces CSRF protection."""

    def authenticate(self, request: Request) -> tuple[User, None] | None:
        member = asking_member(request)
        if member is None:
            return None
        self.enforce_csrf(request)
        return member.user, None
