from __future__ import annotations

import json
from typing import Any

from jiter import LosslessFloat
from rest_framework import serializers

from common.api_fields import SHOWN_ONCE, PublicIdField
from common.api_shown import ShownRow
from policies.beside import beside
from policies.language.effects import Effect
from policies.models import Grant, Policy, PolicyRevision
from policies.services import MAX_DRAFT_BYTES, OVERLAP_SECONDS, judge, tool_facts
from servers.services import gateway_url


class DocumentField(serializers.Field[str, Any, str, Any]):
    """A policy as JSON or as text; kept as text."""

    def to_internal_value(self, data: object) -> str:
        if isinstance(data, str):
            return data
        if isinstance(data, dict):
            return _as_text(data)
        raise serializers.ValidationError("Send the policy as a JSON object, or as its text.")

    def to_representation(self, value: str) -> str:
        return value


class AnyJson(serializers.JSONField):
    """Any JSON, as the parser read it: numbers keep their spelling."""

    def to_internal_value(self, data: Any) -> Any:
        return data


def _as_text(value: object, margin: str = "\n") -> str:
    """Indented JSON text; numbers keep the spelling they came in."""
    inner = margin + "  "
    match value:
        case dict() if value:
            members = (f"{json.dumps(k, ensure_ascii=False)}: {_as_text(v, inner)}" for k, v in value.items())
            return "{" + inner + f",{inner}".join(members) + margin + "}"
        case list() if value:
            return "[" + inner + f",{inner}".join(_as_text(v, inner) for v in value) + margin + "]"
        case LosslessFloat():
            return str(value)
        case _:
            return json.dumps(value, ensure_ascii=False)


class ProblemSerializer(serializers.Serializer[Any]):
    pointer = serializers.CharField()
    code = serializers.CharField()
    message = serializers.CharField()
    line = serializers.IntegerField()
    column = serializers.IntegerField()
    severity = serializers.CharField(
        default="error", help_text="error: blocks publishing; warning: does not."
    )


class PolicySerializer(ShownRow):
    id = PublicIdField("pol", read_only=True)
    server = PublicIdField("srv", source="server_id", read_only=True)
    document = serializers.CharField(source="draft", help_text="The draft, exactly as it was sent.")
    draft_problems = serializers.SerializerMethodField()
    published_revision = PublicIdField("rev", source="published_revision_id", read_only=True, allow_null=True)

    class Meta:
        model = Policy
        fields = ["id", "server", "name", "document", "draft_problems", "published_revision", "version"]

    def get_draft_problems(self, policy: Policy) -> list[dict[str, Any]]:
        problems = judge(policy.draft, tool_facts(policy.server), beside(policy)).blocking
        return list(ProblemSerializer(problems, many=True).data)


class PolicySummary(ShownRow):
    """A policy in a list. Its text, and what is wrong with it, are in the policy itself."""

    id = PublicIdField("pol", read_only=True)
    server = PublicIdField("srv", source="server_id", read_only=True)
    published_revision = PublicIdField("rev", source="published_revision_id", read_only=True, allow_null=True)

    class Meta:
        model = Policy
        fields = ["id", "server", "name", "published_revision", "version"]


class PolicyInput(serializers.Serializer[Any]):
    server = PublicIdField("srv")
    name = serializers.CharField(max_length=80)
    document = DocumentField(required=False)


class PolicyChange(serializers.Serializer[Any]):
    document = DocumentField()


class PublishInput(serializers.Serializer[Any]):
    note = serializers.CharField(required=False, allow_blank=True, max_length=300)


class RestoreInput(serializers.Serializer[Any]):
    revision = PublicIdField("rev")


class CallInput(serializers.Serializer[Any]):
    tool = serializers.CharField(max_length=256, trim_whitespace=False)
    arguments = AnyJson(required=False)
    document = DocumentField(required=False)


class TextInput(serializers.Serializer[Any]):
    document = DocumentField(required=False)


class ProblemsSerializer(serializers.Serializer[Any]):
    problems = ProblemSerializer(many=True)


class EffectsSerializer(serializers.Serializer[Any]):
    effects = serializers.DictField(child=serializers.ChoiceField(choices=[str(one) for one in Effect]))


class TriedCallSerializer(serializers.Serializer[Any]):
    """What would happen to a call; `obligations` are the limits and approvals that are checked afterwards."""

    outcome = serializers.ChoiceField(choices=["allow", "deny", "approval"])
    code = serializers.CharField(allow_null=True)
    rule = serializers.CharField()
    reason = serializers.CharField(allow_null=True)
    obligations = serializers.ListField(child=serializers.CharField())
    refused_by_gateway = serializers.CharField(
        allow_null=True,
        help_text="What the agent reads, in place of `reason`, where a gateway denies the call by itself: "
        "the server lists no such tool, or may take an argument for another one that a rule reads.",
    )


class ChangeSerializer(serializers.Serializer[Any]):
    kind = serializers.CharField()
    direction = serializers.CharField()
    title = serializers.CharField()
    tools = serializers.ListField(child=serializers.CharField())
    sentence = serializers.CharField()
    before = serializers.CharField(required=False, help_text="What happened to its calls; of kind reach.")
    after = serializers.CharField(required=False, help_text="What happens to them; of kind reach.")
    details = serializers.ListField(child=serializers.CharField(), required=False)


class DiffSerializer(serializers.Serializer[Any]):
    headline = serializers.ListField(child=serializers.CharField())
    looser = ChangeSerializer(many=True)
    tighter = ChangeSerializer(many=True)
    reworded = ChangeSerializer(many=True)
    becomes_callable = serializers.ListField(child=serializers.CharField())
    no_longer_callable = serializers.ListField(child=serializers.CharField())
    unchanged = serializers.ListField(child=serializers.CharField())


class TestsField(serializers.Field[str, Any, Any, Any]):
    """A list of tests as JSON; passed on as text, so that numbers keep their spelling."""

    def to_internal_value(self, data: object) -> str:
        if isinstance(data, list):
            return _as_text(data)
        raise serializers.ValidationError("Send a list of tests.")

    def to_representation(self, value: Any) -> Any:
        return value


class TestResultSerializer(serializers.Serializer[Any]):
    name = serializers.CharField()
    passed = serializers.BooleanField()
    sentence = serializers.CharField()


class TestsSerializer(serializers.Serializer[Any]):
    tests = serializers.ListField(child=serializers.DictField())
    results = TestResultSerializer(many=True, help_text="Of the draft; empty while it does not parse.")


class TestsInput(serializers.Serializer[Any]):
    tests = TestsField()


class ConvertInput(serializers.Serializer[Any]):
    text = serializers.CharField(max_length=MAX_DRAFT_BYTES, trim_whitespace=False)
    server = PublicIdField("srv", required=False)


class NoteSerializer(serializers.Serializer[Any]):
    pointer = serializers.CharField()
    code = serializers.CharField()
    message = serializers.CharField()


class ConversionSerializer(serializers.Serializer[Any]):
    dialect = serializers.CharField(allow_null=True)
    policy = serializers.CharField(allow_null=True)
    changed = NoteSerializer(many=True)
    not_kept = NoteSerializer(many=True)
    problems = ProblemSerializer(many=True)


class RevisionSummary(ShownRow):
    """A revision in a list. Its document is in the revision itself."""

    id = PublicIdField("rev", read_only=True)
    policy = PublicIdField("pol", source="policy_id", read_only=True)

    class Meta:
        model = PolicyRevision
        fields = ["id", "policy", "number", "note", "published_at", "published_by_email"]


class RevisionSerializer(RevisionSummary):
    class Meta(RevisionSummary.Meta):
        fields = [*RevisionSummary.Meta.fields, "document"]


GRANT_STATES = ("active", "expired", "revoked")


class GrantSerializer(ShownRow):
    id = PublicIdField("grt", read_only=True)
    server = PublicIdField("srv", source="server_id", read_only=True)
    policy = PublicIdField("pol", source="policy_id", read_only=True, allow_null=True)
    holder = PublicIdField(
        "mem",
        source="holder_id",
        read_only=True,
        allow_null=True,
        help_text="The member whose agent it is for; null once they have left.",
    )
    gateway_url = serializers.SerializerMethodField()
    state = serializers.ChoiceField(choices=GRANT_STATES, read_only=True)

    class Meta:
        model = Grant
        fields = [
            "id",
            "label",
            "server",
            "policy",
            "holder",
            "state",
            "hint",
            "gateway_url",
            "issued_at",
            "expires_at",
            "revoked_at",
            "last_used_at",
        ]

    def get_gateway_url(self, grant: Grant) -> str:
        return gateway_url(grant.server)


class IssuedGrant(GrantSerializer):
    token = serializers.CharField(read_only=True, allow_null=True, help_text=SHOWN_ONCE)

    class Meta(GrantSerializer.Meta):
        fields = [*GrantSerializer.Meta.fields, "token"]


class RotateInput(serializers.Serializer[Any]):
    overlap_seconds = serializers.IntegerField(
        default=OVERLAP_SECONDS, help_text="For how long the old token works beside the new one."
    )


class GrantInput(serializers.Serializer[Any]):
    server = PublicIdField("srv")
    policy = PublicIdField("pol", required=False, allow_null=True)
    label = serializers.CharField(max_length=80)  # type: ignore[assignment]  # a field, not a caption
    expires_at = serializers.DateTimeField(
        required=False, allow_null=True, help_text="With its zone: 2026-01-31T08:00:00Z."
    )
    holder = PublicIdField(
        "mem", required=False, help_text="The member whose agent it is for; by default who issues it."
    )


class GrantChange(serializers.Serializer[Any]):
    policy = PublicIdField("pol", allow_null=True)
