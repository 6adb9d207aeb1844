"""Sets the asker on the request, and runs the request inside the asker's organization."""

from __future__ import annotations

from collections.abc import Callable

from django.db import transaction
from django.http import HttpRequest, HttpResponseBase

from accounts.models import Membership, User
from accounts.services import MembershipName, member_of_key, memberships_of, note_use
from accounts.tenancy import context_of_key, organization_context
from common.tokens import is_well_formed, token_hash

Handler = Callable[[HttpRequest], HttpResponseBase]
SESSION_KEY = "organization"
API_PREFIX = "/api/"


class MemberRequest(HttpRequest):
    """A request inside an organization, as every tenant view takes it."""

    member: Membership
    memberships: list[MembershipName]
    user: User


class MemberMiddleware:
    """Runs each request in one transaction, inside the organization of the API key or the signed-in person.

    A key that is not valid leaves `member` empty; the API then answers 401. Screens do not read keys.
    """

    def __init__(self, get_response: Handler) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        request.member = None  # type: ignore[attr-defined]
        request.memberships = []  # type: ignore[attr-defined]
        token = bearer_token(request)
        if token is not None:
            return self._with_key(request, token)
        if request.user.is_authenticated:
            answer = self._with_session(request)
            # Once the session is over, its pages must not be in the browser's cache or behind "back".
            answer.headers.setdefault("Cache-Control", "no-store")
            return answer
        return self.get_response(request)

    def _with_key(self, request: HttpRequest, token: str) -> HttpResponseBase:
        if not is_well_formed(token, "plk_"):
            return self.get_response(request)
        with context_of_key(token_hash(token)) as found:
            request.member = member_of_key(token) if found else None  # type: ignore[attr-defined]
            if request.member is not None:  # type: ignore[attr-defined]
                return self._answer(request)
        return self.get_response(request)

    def _with_session(self, request: HttpRequest) -> HttpResponseBase:
        mine = memberships_of(request.user)  # type: ignore[arg-type]
        chosen = _chosen(request, mine)
        if chosen is None:
            return self.get_response(request)
        with organization_context(chosen.organization_id):
            request.memberships = mine  # type: ignore[attr-defined]
            # None if the membership has ended in the meantime: then the request continues without a member.
            request.member = (  # type: ignore[attr-defined]
                Membership.objects.select_related("organization", "user").filter(pk=chosen.id).first()
            )
            if request.member is not None:  # type: ignore[attr-defined]
                request.member.acting_session = request.session.session_key  # type: ignore[attr-defined]
                return self._answer(request)
        return self.get_response(request)

    def _answer(self, request: HttpRequest) -> HttpResponseBase:
        answer = self.get_response(request)
        if answer.status_code >= 500:
            transaction.set_rollback(True)
        elif (key := request.member.acting_key) is not None:  # type: ignore[attr-defined]
            note_use(key)
        return answer


def bearer_token(request: HttpRequest) -> str | None:
    """Return the bearer token sent to an API path: "" for another scheme, None without `Authorization`."""
    if not request.path.startswith(API_PREFIX):
        return None
    header = request.headers.get("Authorization")
    if header is None:
        return None
    scheme, _, token = header.partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def _chosen(request: HttpRequest, mine: list[MembershipName]) -> MembershipName | None:
    wanted = request.session.get(SESSION_KEY)
    for membership in mine:
        if str(membership.organization_id) == wanted:
            return membership
    return mine[0] if mine else None
