from __future__ import annotations

from typing import Any

from django.utils import timezone
from rest_framework import serializers

from accounts.models import Membership
from accounts.permissions import May, may
from approvals import arguments
from approvals.addresses import address
from approvals.models import Approval
from approvals.services import LONGEST_LIMIT, LONGEST_NOTE, SHORTEST_LIMIT
from common.api_fields import PublicIdField
from common.api_shown import ShownRow


class ApprovalSerializer(ShownRow):
    """Needs the asker as `member` in its context: only those who may approve see arguments."""

    id = PublicIdField("apr", read_only=True)
    server = PublicIdField("srv", source="server_id", read_only=True)
    grant = PublicIdField("grt", source="grant_id", read_only=True)
    revision = PublicIdField("rev", source="policy_revision_id", read_only=True, allow_null=True)
    state = serializers.SerializerMethodField()
    because = serializers.CharField(read_only=True, help_text="Why it became void; empty where it did not.")
    seconds_left = serializers.SerializerMethodField()
    arguments_json = serializers.SerializerMethodField(
        help_text="The arguments as they were judged, as JSON text; null where they are not yours to read,"
        " or erased: they are kept for seven days after the end. Null as well in the answer to the same"
        " request sent again."
    )
    url = serializers.SerializerMethodField()
    answered_by = serializers.CharField(source="answered_by_email", read_only=True)

    class Meta:
        model = Approval
        fields = [
            "id",
            "state",
            "because",
            "server",
            "grant",
            "tool",
            "arguments_json",
            "rule",
            "reason",
            "revision",
            "asked_at",
            "expires_at",
            "seconds_left",
            "answered_at",
            "answered_by",
            "note",
            "url",
        ]

    def get_state(self, approval: Approval) -> str:
        """`pending`, `approved`, `used` (approved and sent), `declined`, `expired` or `superseded` (void)."""
        return approval.now.value

    def get_seconds_left(self, approval: Approval) -> int:
        if approval.now not in (Approval.State.PENDING, Approval.State.APPROVED):
            return 0
        return max(int((approval.expires_at - timezone.now()).total_seconds()), 0)

    def get_arguments_json(self, approval: Approval) -> str | None:
        member: Membership = self.context["member"]
        return arguments.read(approval) if may(member, May.READ_ARGUMENTS) else None

    def get_url(self, approval: Approval) -> str:
        return address(approval)


class RulesSerializer(serializers.Serializer[Any]):
    approval_seconds = serializers.IntegerField(help_text="How long a call waits for a person.")
    self_approval = serializers.BooleanField(
        allow_null=True,
        help_text="May people approve calls of grants they hold? null: only while nobody else could.",
    )


class RulesChange(serializers.Serializer[Any]):
    approval_seconds = serializers.IntegerField(
        required=False, min_value=SHORTEST_LIMIT, max_value=LONGEST_LIMIT
    )
    self_approval = serializers.BooleanField(required=False, allow_null=True)


class AnswerInput(serializers.Serializer[Any]):
    note = serializers.CharField(
        max_length=LONGEST_NOTE,
        required=False,
        allow_blank=True,
        default="",
        help_text="Kept with the answer.",
    )
