from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.api.authentication import member_of
from accounts.models import Organization
from common.ids import public_id


class OrganizationSerializer(serializers.ModelSerializer[Organization]):
    id = serializers.SerializerMethodField()

    class Meta:
        model = Organization
        fields = ["id", "name", "created_at", "lease_seconds", "explain_denials", "approval_seconds"]

    def get_id(self, organization: Organization) -> str:
        return public_id("org", organization.pk)


class MeSerializer(serializers.Serializer[Any]):
    id = serializers.CharField()
    email = serializers.EmailField()
    role = serializers.CharField()
    organization = serializers.CharField()
    scopes = serializers.ListField(child=serializers.CharField(), allow_null=True)


class Me(APIView):
    """Who asks: the person, their role, and the scopes of the key if one was sent."""

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


class OrganizationView(APIView):
    read_scope = "organization:read"

    @extend_schema(responses=OrganizationSerializer)
    def get(self, request: Request) -> Response:
        return Response(OrganizationSerializer(member_of(request).organization).data)
