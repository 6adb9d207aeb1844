from __future__ import annotations

from typing import Any, Final, get_args

from rest_framework import serializers

from common.api_fields import PublicIdField
from gateway_config.rollout import Rollout, State
from policies.api.serializers import RevisionSerializer

STATES: Final = get_args(State)


class RolloutSerializer(serializers.Serializer[Any]):
    """How far it has come: on how many gateways it is in force, and which are behind."""

    state = serializers.ChoiceField(choices=STATES)
    workers_total = serializers.IntegerField()
    workers_applied = serializers.IntegerField()
    behind = serializers.SerializerMethodField()

    def get_behind(self, rollout: Rollout) -> list[str]:
        return [worker.name for worker in rollout.behind]


class RevisionName(serializers.Serializer[Any]):
    id = PublicIdField("rev")
    number = serializers.IntegerField()


class PublishedSerializer(serializers.Serializer[Any]):
    revision = RevisionName()
    rollout = RolloutSerializer()


class RevisionWithRollout(RevisionSerializer):
    rollout = RolloutSerializer()

    class Meta(RevisionSerializer.Meta):
        fields = [*RevisionSerializer.Meta.fields, "rollout"]


class TroubleSerializer(serializers.Serializer[Any]):
    """`disk`: it cannot write its records; `backlog`: too many of them wait to be delivered."""

    code = serializers.CharField()
    message = serializers.CharField()


class WorkerSerializer(serializers.Serializer[Any]):
    """A gateway worker as the organization sees it; `gone`: not seen for 15 seconds.

    `trouble`: why it denies calls although it has its configuration.
    """

    name = serializers.CharField()
    version = serializers.CharField()
    last_seen_at = serializers.DateTimeField(allow_null=True)
    gone = serializers.BooleanField()
    revision = serializers.IntegerField(allow_null=True)
    lag = serializers.IntegerField(allow_null=True)
    applied = serializers.BooleanField()
    rejected_revision = serializers.IntegerField(allow_null=True)
    reason = serializers.CharField()
    at = serializers.DateTimeField(allow_null=True)
    limits_in_doubt_since = serializers.DateTimeField(allow_null=True)
    trouble = TroubleSerializer(allow_null=True)


class GivenUp(serializers.Serializer[Any]):
    since = serializers.DateTimeField()
    error = serializers.CharField()


class WorkersSerializer(serializers.Serializer[Any]):
    """`given_up`: since when changes could not reach the gateways, and why."""

    results = WorkerSerializer(many=True)
    next = serializers.URLField(allow_null=True)
    previous = serializers.URLField(allow_null=True)
    given_up = GivenUp(allow_null=True)
