from __future__ import annotations

from uuid import UUID

from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.api.authentication import member_of
from accounts.models import Membership
from common.api_filters import Choice, Filter, Id, Moment, Text, token_in_state
from common.api_lists import ApiList, both_ways
from common.api_views import ApiView
from common.drf import shown_once, valid
from common.path_ids import uuid_or_404
from policies.api.serializers import (
    GRANT_STATES,
    GrantChange,
    GrantInput,
    GrantSerializer,
    IssuedGrant,
    RotateInput,
)
from policies.models import Grant, Policy
from policies.services import issue_grant, move_grant, revoke_grant, rotate_grant
from servers.models import Server


def find_grant(request: Request, grant_id: str) -> Grant:
    mine = Grant.objects.visible_to(member_of(request)).select_related("server")
    return get_object_or_404(mine, pk=uuid_or_404("grt", grant_id))


class Grants(ApiList[Grant]):
    serializer_class = GrantSerializer
    filters = (
        Filter("server", Id("srv"), lookup="server_id"),
        Filter("policy", Id("pol"), lookup="policy_id"),
        Filter("state", Choice(GRANT_STATES), by=token_in_state),
        Filter("label", Text(80), "A part of the label.", lookup="label__icontains"),
        Filter("expires_before", Moment(), lookup="expires_at__lt"),
    )
    orders = both_ways("issued_at", "label")
    read_scope = "grants:read"
    queryset = Grant.objects.none()

    def get_queryset(self) -> QuerySet[Grant]:
        return Grant.objects.visible_to(member_of(self.request)).select_related("server")

    @extend_schema(request=GrantInput, responses={201: IssuedGrant})
    def post(self, request: Request) -> Response:
        """Issues a grant. `token` is in this answer only and cannot be read again."""
        given = valid(GrantInput(data=request.data))
        member = member_of(request)
        server = get_object_or_404(Server.objects.visible_to(member), pk=given["server"])
        policy = _policy(request, given.get("policy"))
        members = Membership.objects.visible_to(member).select_related("user")
        holder = get_object_or_404(members, pk=given["holder"]) if "holder" in given else None
        grant, token = issue_grant(
            member, server, policy, given["label"], given.get("expires_at"), holder=holder
        )
        return _with_token(grant, token, status=201)


class GrantDetail(ApiView):
    read_scope = "grants:read"

    @extend_schema(responses=GrantSerializer)
    def get(self, request: Request, grant_id: str) -> Response:
        return Response(GrantSerializer(find_grant(request, grant_id)).data)

    @extend_schema(request=GrantChange, responses=GrantSerializer)
    def patch(self, request: Request, grant_id: str) -> Response:
        grant = find_grant(request, grant_id)
        given = valid(GrantChange(data=request.data))
        moved = move_grant(member_of(request), grant, _policy(request, given["policy"]))
        return Response(GrantSerializer(moved).data)


class GrantRotate(ApiView):
    @extend_schema(request=RotateInput, responses=IssuedGrant)
    def post(self, request: Request, grant_id: str) -> Response:
        """Gives the grant a new token, which is in this answer only; the old one works for a while longer."""
        grant = find_grant(request, grant_id)
        given = valid(RotateInput(data=request.data))
        rotated, token = rotate_grant(member_of(request), grant, given["overlap_seconds"])
        return _with_token(rotated, token)


class GrantRevoke(ApiView):
    @extend_schema(request=None, responses=GrantSerializer)
    def post(self, request: Request, grant_id: str) -> Response:
        """Revokes the grant: its token stops working and the streams it holds are closed."""
        return Response(GrantSerializer(revoke_grant(member_of(request), find_grant(request, grant_id))).data)


def _with_token(grant: Grant, token: str, status: int = 200) -> Response:
    return shown_once(GrantSerializer(grant).data, "token", token, status)


def _policy(request: Request, policy_id: UUID | None) -> Policy | None:
    if policy_id is None:
        return None
    return get_object_or_404(Policy.objects.visible_to(member_of(request)), pk=policy_id)
