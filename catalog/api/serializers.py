from __future__ import annotations

from typing import Any

from rest_framework import serializers

from catalog.classifier.vocabulary import ToolClass
from catalog.facts import LONGEST_NAME, LONGEST_TITLE
from catalog.lines import MOST_PARAMS

CLASSES = [str(each) for each in ToolClass]
SEVERITIES = ["Low", "Medium", "High", "Critical"]


class ParamSerializer(serializers.Serializer[Any]):
    name = serializers.CharField(max_length=128)
    type = serializers.CharField(max_length=60, required=False, default="any")
    required = serializers.BooleanField(required=False, default=False)  # type: ignore[assignment]


class ListedParamSerializer(ParamSerializer):
    choices = serializers.ListField(child=serializers.CharField())


class EvidenceSerializer(serializers.Serializer[Any]):
    rule = serializers.CharField()
    field = serializers.CharField()
    words = serializers.ListField(child=serializers.CharField())
    sentence = serializers.CharField()


class ProvenanceSerializer(serializers.Serializer[Any]):
    how = serializers.ChoiceField(choices=["served", "published", "parsed"])
    source = serializers.CharField()  # type: ignore[assignment]
    checked = serializers.DateField()


class VerdictSerializer(serializers.Serializer[Any]):
    tool = serializers.CharField()
    severity = serializers.ChoiceField(choices=SEVERITIES)
    confidence = serializers.FloatField()
    needs_review = serializers.BooleanField()
    signals = serializers.ListField(child=serializers.CharField())
    evidence = EvidenceSerializer(many=True)

    def get_fields(self) -> dict[str, Any]:
        # `class` is a keyword of Python.
        return {**super().get_fields(), "class": serializers.ChoiceField(choices=CLASSES)}


class JudgedSerializer(VerdictSerializer):
    """`policy` is the policy we recommend; `policy_does` says what it does, computed from it."""

    policy = serializers.CharField()
    policy_does = serializers.ListField(child=serializers.CharField())


class CatalogToolSerializer(VerdictSerializer):
    title = serializers.CharField()
    server = serializers.CharField()
    params = ListedParamSerializer(many=True)
    annotations = serializers.DictField(child=serializers.BooleanField())
    provenance = ProvenanceSerializer()
    path = serializers.CharField()


class CatalogServerSerializer(serializers.Serializer[Any]):
    server = serializers.CharField()
    title = serializers.CharField()
    vendor = serializers.CharField()
    repository = serializers.CharField()
    subfolder = serializers.CharField()
    package = serializers.CharField()
    version = serializers.CharField()
    registry_name = serializers.CharField(allow_null=True)
    status = serializers.ChoiceField(choices=["active", "deprecated", "deleted"])
    transports = serializers.ListField(child=serializers.CharField())
    endpoint = serializers.CharField(
        help_text="Empty where none is known, and of a server whose `status` is deleted: its publisher "
        "withdrew it, and by now the address may be someone else's."
    )
    headers = serializers.ListField(child=serializers.CharField())
    tools = serializers.IntegerField()
    by_class = serializers.DictField(child=serializers.IntegerField())
    by_severity = serializers.DictField(child=serializers.IntegerField())
    checked = serializers.DateField()
    path = serializers.CharField()


class ServersSerializer(serializers.Serializer[Any]):
    results = CatalogServerSerializer(many=True)
    next = serializers.URLField(allow_null=True)
    previous = serializers.URLField(allow_null=True)
    after = serializers.CharField(allow_null=True)


class ToolsSerializer(serializers.Serializer[Any]):
    """`capped`: there are more than the pages show, perhaps more than facets count; narrow the search."""

    results = CatalogToolSerializer(many=True)
    next = serializers.URLField(allow_null=True)
    previous = serializers.URLField(allow_null=True)
    found = serializers.IntegerField()
    capped = serializers.BooleanField()
    pages = serializers.IntegerField()


class SearchSerializer(ToolsSerializer):
    servers = CatalogServerSerializer(many=True)
    facets = serializers.DictField(child=serializers.DictField(child=serializers.IntegerField()))


class ClassifyInput(serializers.Serializer[Any]):
    """A tool as a server lists it. `siblings`: the names of all tools of its server; `server`: the name of
    that server. Without an input schema, send `params` instead."""

    name = serializers.CharField(max_length=LONGEST_NAME)
    title = serializers.CharField(max_length=LONGEST_TITLE, required=False, allow_blank=True, default="")
    description = serializers.CharField(max_length=4000, required=False, allow_blank=True, default="")
    input_schema = serializers.DictField(
        required=False, help_text="JSON Schema. The choices its enumerations offer are taken into account."
    )
    params = ParamSerializer(many=True, required=False)
    annotations = serializers.DictField(child=serializers.BooleanField(), required=False)
    siblings = serializers.ListField(
        child=serializers.CharField(max_length=LONGEST_NAME), max_length=500, required=False
    )
    server = serializers.CharField(max_length=200, required=False, allow_blank=True, default="")

    def validate_params(self, given: list[dict[str, Any]]) -> list[dict[str, Any]]:
        if len(given) > MOST_PARAMS:
            raise serializers.ValidationError(f"At most {MOST_PARAMS}.")
        return given

    def validate(self, given: dict[str, Any]) -> dict[str, Any]:
        if "params" in given and "input_schema" in given:
            raise serializers.ValidationError({"params": "Send these or an input schema, not both."})
        return given
