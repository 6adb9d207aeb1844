from __future__ import annotations

from typing import Any

from rest_framework import serializers

from accounts.models import ApiKey, Invitation, Membership, Organization, Role
from accounts.permissions import SCOPES
from accounts.services.settings import LEASE_SECONDS, LONGEST_KEPT_PATH, MOST_KEPT, RETENTION_DAYS
from common.api_fields import SHOWN_ONCE, PublicIdField
from common.api_shown import ShownRow

INVITATION_STATES = ("open", "expired", "accepted", "withdrawn")


class MeSerializer(serializers.Serializer[Any]):
    id = serializers.CharField()
    email = serializers.EmailField()
    role = serializers.CharField()
    organization = serializers.CharField()
    scopes = serializers.ListField(child=serializers.CharField(), allow_null=True)


class OrganizationSerializer(ShownRow):
    id = PublicIdField("org", read_only=True)

    class Meta:
        model = Organization
        fields = [
            "id",
            "name",
            "created_at",
            "lease_seconds",
            "explain_denials",
            "approval_seconds",
            "log_retention_days",
            "kept_arguments",
        ]


class OrganizationChange(serializers.Serializer[Any]):
    name = serializers.CharField(max_length=80, required=False)
    lease_seconds = serializers.IntegerField(
        required=False,
        min_value=LEASE_SECONDS[0],
        max_value=LEASE_SECONDS[1],
        help_text="How long a gateway that is cut off from here goes on enforcing.",
    )
    explain_denials = serializers.BooleanField(
        required=False, help_text="Whether agents are told which rule denied them."
    )
    log_retention_days = serializers.IntegerField(
        required=False,
        min_value=RETENTION_DAYS[0],
        max_value=RETENTION_DAYS[1],
        help_text="Older ones are deleted at the next sweep.",
    )
    kept_arguments = serializers.ListField(
        child=serializers.CharField(max_length=LONGEST_KEPT_PATH, trim_whitespace=True),
        required=False,
        max_length=MOST_KEPT,
        help_text="Paths of arguments whose values the log keeps, like args.amount.",
    )


class MemberSerializer(ShownRow):
    id = PublicIdField("mem", read_only=True)
    email = serializers.EmailField(source="user.email", read_only=True)

    class Meta:
        model = Membership
        fields = ["id", "email", "role", "joined_at"]


class MemberChange(serializers.Serializer[Any]):
    role = serializers.ChoiceField(choices=Role.choices)


class InvitationSerializer(ShownRow):
    id = PublicIdField("inv", read_only=True)
    state = serializers.ChoiceField(choices=INVITATION_STATES, read_only=True)

    class Meta:
        model = Invitation
        fields = [
            "id",
            "email",
            "role",
            "state",
            "invited_by_email",
            "created_at",
            "sent_at",
            "sent_times",
            "expires_at",
            "accepted_at",
        ]


class InvitationInput(serializers.Serializer[Any]):
    email = serializers.CharField(max_length=254)
    role = serializers.ChoiceField(choices=Role.choices)


class ApiKeySerializer(ShownRow):
    """`hint` is the beginning of the token."""

    id = PublicIdField("key", read_only=True)
    made_by = serializers.EmailField(source="member.user.email", read_only=True)

    class Meta:
        model = ApiKey
        fields = [
            "id",
            "name",
            "hint",
            "scopes",
            "made_by",
            "created_at",
            "expires_at",
            "last_used_at",
            "revoked_at",
        ]


class IssuedApiKey(ApiKeySerializer):
    token = serializers.CharField(read_only=True, allow_null=True, help_text=SHOWN_ONCE)

    class Meta(ApiKeySerializer.Meta):
        fields = [*ApiKeySerializer.Meta.fields, "token"]


class ApiKeyInput(serializers.Serializer[Any]):
    name = serializers.CharField(max_length=80)
    scopes = serializers.ListField(child=serializers.ChoiceField(choices=SCOPES), allow_empty=False)
    expires_at = serializers.DateTimeField(
        required=False, allow_null=True, help_text="With its zone: 2026-01-31T08:00:00Z."
    )
