from __future__ import annotations

from typing import Any, Final

from rest_framework import serializers

from accounts.api.authentication import member_of
from accounts.permissions import May, may
from common.api_fields import PublicIdField, WrittenJsonField
from common.api_shown import ShownRow
from servers.models import Server, Severity, Tool, ToolScan
from servers.services import gateway_url


class AuthSerializer(serializers.Serializer[Any]):
    kind = serializers.ChoiceField(choices=["none", "headers"])
    headers = serializers.DictField(child=serializers.CharField(), required=False, write_only=True)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        # Also in a PATCH, where the framework lets fields be missing: a credential is changed as a whole.
        if "kind" not in attrs:
            raise serializers.ValidationError({"kind": "Say none or headers."})
        if attrs["kind"] == "headers" and not attrs.get("headers"):
            raise serializers.ValidationError({"headers": "Give at least one header, or choose kind none."})
        if attrs["kind"] == "none" and attrs.get("headers"):
            raise serializers.ValidationError({"headers": "Kind none takes no headers."})
        return attrs


class ServerSerializer(ShownRow):
    id = PublicIdField("srv", read_only=True)
    upstream_url = serializers.SerializerMethodField(
        help_text="Without its query for whoever may not change servers: it may be a password."
    )
    gateway_url = serializers.SerializerMethodField()
    auth = serializers.SerializerMethodField()

    class Meta:
        model = Server
        fields = ["id", "name", "upstream_url", "gateway_url", "status", "auth", "created_at", "retired_at"]

    def get_upstream_url(self, server: Server) -> str:
        request = self.context.get("request")
        whole = request is not None and may(member_of(request), May.MANAGE_SERVERS)
        return server.upstream_url if whole else server.shown_url

    def get_gateway_url(self, server: Server) -> str:
        return gateway_url(server)

    def get_auth(self, server: Server) -> dict[str, str]:
        return {"kind": server.auth_kind}


class ServerInput(serializers.Serializer[Any]):
    name = serializers.CharField(max_length=80)
    upstream_url = serializers.CharField(max_length=2000)
    auth = AuthSerializer(required=False)


class ServerChange(serializers.Serializer[Any]):
    name = serializers.CharField(max_length=80, required=False)
    upstream_url = serializers.CharField(max_length=2000, required=False)
    auth = AuthSerializer(required=False)


class ScanSerializer(ShownRow):
    status = serializers.CharField(source="state")
    tools = serializers.IntegerField(source="tools_found")
    problems = serializers.SerializerMethodField()

    class Meta:
        model = ToolScan
        fields = ["status", "tools", "problems", "steps", "changes", "protocol_version", "started_at"]

    def get_problems(self, scan: ToolScan) -> list[dict[str, str]]:
        if scan.state != ToolScan.State.FAILED:
            return []
        return [{"code": scan.code, "message": scan.message, "hint": scan.hint}]


_SEVERITIES: Final = {severity.value: severity.label for severity in Severity}


class ToolSerializer(ShownRow):
    server = PublicIdField("srv", source="server_id", read_only=True)
    tool_class = serializers.CharField(help_text="Read, Write, Execute, Destructive or Financial.")
    severity = serializers.SerializerMethodField()
    evidence = WrittenJsonField(source="evidence_text")
    signals = WrittenJsonField(source="signals_text")
    input_schema = WrittenJsonField(source="input_schema_text")

    class Meta:
        model = Tool
        fields = [
            "name",
            "title",
            "server",
            "description",
            "severity",
            "tool_class",
            "confidence",
            "needs_review",
            "evidence",
            "signals",
            "input_schema",
        ]

    def get_fields(self) -> dict[str, Any]:
        """`class` cannot be the name of an attribute in Python, so the field gets its name here."""
        fields = super().get_fields()
        fields["class"] = fields.pop("tool_class")
        fields["class"].source = "tool_class"
        return fields

    def get_severity(self, tool: Tool) -> str:
        return _SEVERITIES[tool.severity]
