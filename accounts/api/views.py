"""The asker and their organization; its people, invitations and keys."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, TypeVar

from django.db import transaction
from django.db.models import Q, QuerySet
from django.shortcuts import get_object_or_404
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.api.authentication import member_of
from accounts.api.serializers import (
    INVITATION_STATES,
    ApiKeyInput,
    ApiKeySerializer,
    InvitationInput,
    InvitationSerializer,
    IssuedApiKey,
    MemberChange,
    MemberSerializer,
    MeSerializer,
    OrganizationChange,
    OrganizationSerializer,
)
from accounts.models import ApiKey, Invitation, Membership, Organization, Role
from accounts.permissions import May, require
from accounts.services.invitations import invite, resend, withdraw
from accounts.services.keys import create_api_key, revoke_api_key
from accounts.services.members import change_role, remove_member
from accounts.services.organizations import rename_organization
from accounts.services.settings import change_security
from common.api_filters import Choice, Filter, Text, token_in_state
from common.api_lists import ApiList, both_ways
from common.api_views import ApiView
from common.drf import shown_once, valid
from common.ids import public_id
from common.path_ids import uuid_or_404

Row = TypeVar("Row", Membership, Invitation, ApiKey)


class Me(ApiView):
    """The asker: the person, their role, and the scopes of the API key if one was sent."""

    @extend_schema(responses=MeSerializer)
    def get(self, request: Request) -> Response:
        member = member_of(request)
        return Response(
            {
                "id": public_id("mem", member.pk),
                "email": member.user.email,
                "role": member.role,
                "organization": public_id("org", member.organization_id),
                "scopes": member.acting_key.scopes if member.acting_key else None,
            }
        )


class OrganizationView(ApiView):
    read_scope = "organization:read"

    @extend_schema(responses=OrganizationSerializer)
    def get(self, request: Request) -> Response:
        return Response(OrganizationSerializer(member_of(request).organization).data)

    @extend_schema(request=OrganizationChange, responses=OrganizationSerializer)
    def patch(self, request: Request) -> Response:
        """Changes the name or the settings; only owners may. Gateways learn of new settings at once."""
        given = valid(OrganizationChange(data=request.data))
        member = member_of(request)
        with transaction.atomic():
            if "name" in given:
                rename_organization(member, given.pop("name"))
            if given:
                change_security(member, **given)
        return Response(OrganizationSerializer(Organization.objects.get(pk=member.organization_id)).data)


ROLE = Filter("role", Choice(tuple(Role.values)))
EMAIL = Filter("email", Text(254), "A part of the address.", lookup="email__icontains")


class Members(ApiList[Membership]):
    """Newest first. People join by invitation."""

    serializer_class = MemberSerializer
    filters = (ROLE, replace(EMAIL, lookup="user__email__icontains"))
    orders = both_ways("joined_at", email=("user__email",))
    read_scope = "members:read"
    queryset = Membership.objects.none()

    def get_queryset(self) -> QuerySet[Membership]:
        return _mine(self.request, Membership).select_related("user")


class MemberDetail(ApiView):
    read_scope = "members:read"

    @extend_schema(responses=MemberSerializer)
    def get(self, request: Request, member_id: str) -> Response:
        return Response(MemberSerializer(_find(request, Membership, "mem", member_id)).data)

    @extend_schema(request=MemberChange, responses=MemberSerializer)
    def patch(self, request: Request, member_id: str) -> Response:
        member = _find(request, Membership, "mem", member_id)
        given = valid(MemberChange(data=request.data))
        return Response(MemberSerializer(change_role(member_of(request), member, given["role"])).data)

    @extend_schema(responses={204: None})
    def delete(self, request: Request, member_id: str) -> Response:
        """Ends the membership. Their API keys end with it; grants they hold keep working."""
        remove_member(member_of(request), _find(request, Membership, "mem", member_id))
        return Response(status=204)


def _invitations_in(state: str) -> Q:
    now, over = timezone.now(), Q(accepted_at=None, withdrawn_at=None)
    match state:
        case "accepted":
            return Q(accepted_at__isnull=False)
        case "withdrawn":
            return Q(accepted_at=None, withdrawn_at__isnull=False)
        case "open":
            return over & Q(expires_at__gt=now)
        case _:
            return over & Q(expires_at__lte=now)


class Invitations(ApiList[Invitation]):
    serializer_class = InvitationSerializer
    filters = (Filter("state", Choice(INVITATION_STATES), by=_invitations_in), ROLE, EMAIL)
    orders = both_ways("created_at", "email")
    read_scope = "members:read"
    queryset = Invitation.objects.none()

    def get_queryset(self) -> QuerySet[Invitation]:
        require(member_of(self.request), May.READ_INVITATIONS)
        return _mine(self.request, Invitation)

    @extend_schema(request=InvitationInput, responses={201: InvitationSerializer})
    def post(self, request: Request) -> Response:
        """Sends a link by e-mail that lets one person in, once, within seven days."""
        given = valid(InvitationInput(data=request.data))
        invitation = invite(member_of(request), given["email"], given["role"])
        return Response(InvitationSerializer(invitation).data, status=201)


class InvitationDetail(ApiView):
    read_scope = "members:read"

    @extend_schema(responses=InvitationSerializer)
    def get(self, request: Request, invitation_id: str) -> Response:
        require(member_of(request), May.READ_INVITATIONS)
        return Response(InvitationSerializer(_find(request, Invitation, "inv", invitation_id)).data)

    @extend_schema(responses={204: None})
    def delete(self, request: Request, invitation_id: str) -> Response:
        """Withdraws it: the link no longer works."""
        withdraw(member_of(request), _find(request, Invitation, "inv", invitation_id))
        return Response(status=204)


class InvitationResend(ApiView):
    @extend_schema(request=None, responses=InvitationSerializer)
    def post(self, request: Request, invitation_id: str) -> Response:
        """Sends a new link; the old one stops working."""
        invitation = _find(request, Invitation, "inv", invitation_id)
        return Response(InvitationSerializer(resend(member_of(request), invitation)).data)


class ApiKeys(ApiList[ApiKey]):
    serializer_class = ApiKeySerializer
    filters = (
        Filter("state", Choice(("good", "expired", "revoked")), by=token_in_state),
        Filter("made_by", Text(254), "The maker’s address.", lookup="member__user__email__iexact"),
    )
    orders = both_ways("created_at", "name")
    read_scope = "keys:read"
    queryset = ApiKey.objects.none()

    def get_queryset(self) -> QuerySet[ApiKey]:
        require(member_of(self.request), May.READ_KEYS)
        return _mine(self.request, ApiKey).select_related("member__user")

    @extend_schema(request=ApiKeyInput, responses={201: IssuedApiKey})
    def post(self, request: Request) -> Response:
        """For people who are signed in: no API key can make keys. Only this response contains `token`."""
        given = valid(ApiKeyInput(data=request.data))
        key, token = create_api_key(
            member_of(request), given["name"], given["scopes"], given.get("expires_at")
        )
        return shown_once(ApiKeySerializer(key).data, "token", token, status=201)


class ApiKeyDetail(ApiView):
    read_scope = "keys:read"

    @extend_schema(responses=ApiKeySerializer)
    def get(self, request: Request, key_id: str) -> Response:
        require(member_of(request), May.READ_KEYS)
        return Response(ApiKeySerializer(_find(request, ApiKey, "key", key_id)).data)

    @extend_schema(responses={204: None})
    def delete(self, request: Request, key_id: str) -> Response:
        """Revokes it at once and for good. An API key with `keys:write` may do this too."""
        revoke_api_key(member_of(request), _find(request, ApiKey, "key", key_id))
        return Response(status=204)


def _mine(request: Request, model: type[Row]) -> QuerySet[Row]:
    found: Any = model.objects.visible_to(member_of(request))
    return found  # type: ignore[no-any-return]


def _find(request: Request, model: type[Row], prefix: str, text: str) -> Row:
    return get_object_or_404(_mine(request, model), pk=uuid_or_404(prefix, text))
