"""Webhooks, the addresses that are told of events, and the log of deliveries to them. For admins."""

from __future__ import annotations

from typing import Any

from django.db.models import Q, QuerySet
from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.api.authentication import member_of
from accounts.permissions import May, require
from accounts.verification import is_verified
from approvals import webhooks
from approvals.models import Notice, Webhook
from common.api_fields import SHOWN_ONCE, PublicIdField
from common.api_filters import Choice, Filter, Flag, Moment
from common.api_lists import ApiList, both_ways
from common.api_shown import ShownRow
from common.api_views import ApiView
from common.drf import shown_once, valid
from common.path_ids import uuid_or_404

# Reminders are sent by mail only.
KINDS = tuple(kind.value for kind in Notice.Kind if kind is not Notice.Kind.REMINDER)


class WebhookSerializer(ShownRow):
    id = PublicIdField("whk", read_only=True)
    enabled = serializers.SerializerMethodField(help_text="Off: nothing is sent. An answer of 410 does that.")
    created_by = serializers.CharField(source="created_by_email", read_only=True)

    class Meta:
        model = Webhook
        fields = ["id", "url", "enabled", "created_at", "created_by", "disabled_at"]

    def get_enabled(self, webhook: Webhook) -> bool:
        return webhook.disabled_at is None


class WebhookWithSecret(WebhookSerializer):
    secret = serializers.CharField(
        read_only=True, allow_null=True, help_text=f"Signs every message. {SHOWN_ONCE}"
    )

    class Meta(WebhookSerializer.Meta):
        fields = [*WebhookSerializer.Meta.fields, "secret"]


class WebhookInput(serializers.Serializer[Any]):
    url = serializers.CharField(max_length=webhooks.LONGEST_URL)


class WebhookChange(serializers.Serializer[Any]):
    url = serializers.CharField(max_length=webhooks.LONGEST_URL, required=False)
    enabled = serializers.BooleanField(required=False)


class DeliverySerializer(ShownRow):
    """One message. Its id is the one that the receiver finds in the header `webhook-id`."""

    id = PublicIdField("msg", read_only=True)
    webhook = PublicIdField("whk", source="webhook_id", read_only=True)
    type = serializers.ChoiceField(source="kind", choices=KINDS, read_only=True)
    next_try_at = serializers.SerializerMethodField()

    class Meta:
        model = Notice
        fields = [
            "id",
            "webhook",
            "type",
            "state",
            "attempts",
            "status",
            "error",
            "created_at",
            "next_try_at",
            "ended_at",
        ]
        read_only_fields = fields

    def to_representation(self, notice: Notice) -> dict[str, Any]:
        shown = super().to_representation(notice)
        # The row of a redelivered message keeps its previous answer until there is a new one.
        return shown if notice.attempts else shown | {"status": None, "error": ""}

    @extend_schema_field(serializers.DateTimeField(allow_null=True))
    def get_next_try_at(self, notice: Notice) -> str | None:
        shown: str | None = serializers.DateTimeField().to_representation(notice.due_at)
        return shown if notice.state == Notice.State.WAITING else None


class Webhooks(ApiList[Webhook]):
    serializer_class = WebhookSerializer
    filters = (Filter("enabled", Flag(), by=lambda on: Q(disabled_at__isnull=on)),)
    orders = both_ways("created_at")
    read_scope = "webhooks:read"
    queryset = Webhook.objects.none()

    def get_queryset(self) -> QuerySet[Webhook]:
        return _readable(self.request)

    @extend_schema(request=WebhookInput, responses={201: WebhookWithSecret})
    def post(self, request: Request) -> Response:
        """Adds an address that is told of events from now on. Only this response contains `secret`."""
        given = valid(WebhookInput(data=request.data))
        member = member_of(request)
        webhook, secret = webhooks.add_webhook(member, given["url"], verified=is_verified(member))
        return _with_secret(webhook, secret, status=201)


class WebhookDetail(ApiView):
    read_scope = "webhooks:read"

    @extend_schema(responses=WebhookSerializer)
    def get(self, request: Request, webhook_id: str) -> Response:
        return Response(WebhookSerializer(_find(request, webhook_id)).data)

    @extend_schema(request=WebhookChange, responses=WebhookSerializer)
    def patch(self, request: Request, webhook_id: str) -> Response:
        """Changes its address, or switches it off or on; the secret stays."""
        webhook = _find(request, webhook_id)
        given = valid(WebhookChange(data=request.data))
        return Response(WebhookSerializer(webhooks.change_webhook(member_of(request), webhook, **given)).data)

    @extend_schema(responses={204: None})
    def delete(self, request: Request, webhook_id: str) -> Response:
        """Removes it: nothing more is sent there, and its deliveries are deleted."""
        webhooks.remove_webhook(member_of(request), _find(request, webhook_id))
        return Response(status=204)


class WebhookTest(ApiView):
    @extend_schema(request=None, responses={202: DeliverySerializer})
    def post(self, request: Request, webhook_id: str) -> Response:
        """Sends a test. It is tried once; the delivery shows the result."""
        sent = webhooks.send_test(member_of(request), _find(request, webhook_id))
        return Response(DeliverySerializer(sent).data, status=202)


class WebhookRotateSecret(ApiView):
    @extend_schema(request=None, responses=WebhookWithSecret)
    def post(self, request: Request, webhook_id: str) -> Response:
        """Makes a new secret, which only this response contains. The old one also signs for a day."""
        return _with_secret(*webhooks.rotate_secret(member_of(request), _find(request, webhook_id)))


class WebhookDeliveries(ApiList[Notice]):
    """What was sent there in the last 30 days, and how it was answered; newest first."""

    serializer_class = DeliverySerializer
    filters = (
        Filter("state", Choice(tuple(Notice.State.values))),
        Filter("type", Choice(KINDS), lookup="kind"),
        Filter("since", Moment(), lookup="created_at__gte"),
        Filter("until", Moment(), lookup="created_at__lt"),
    )
    orders = both_ways("created_at")
    read_scope = "webhooks:read"
    queryset = Notice.objects.none()

    def get_queryset(self) -> QuerySet[Notice]:
        webhook = _find(self.request, self.kwargs["webhook_id"])
        return Notice.objects.visible_to(member_of(self.request)).filter(webhook=webhook)


class WebhookRedeliver(ApiView):
    @extend_schema(request=None, responses={202: DeliverySerializer})
    def post(self, request: Request, webhook_id: str, delivery_id: str) -> Response:
        """Sends the same message again under the same id, with a full set of attempts."""
        webhook = _find(request, webhook_id)
        found = webhook.notices.filter(pk=uuid_or_404("msg", delivery_id))
        sent = webhooks.redeliver(member_of(request), get_object_or_404(found))
        return Response(DeliverySerializer(sent).data, status=202)


def _readable(request: Request) -> QuerySet[Webhook]:
    member = member_of(request)
    require(member, May.READ_WEBHOOKS)
    return Webhook.objects.visible_to(member)


def _find(request: Request, webhook_id: str) -> Webhook:
    """Find it before checking the role: another organization's webhook must be 404 for everyone."""
    webhook = get_object_or_404(
        Webhook.objects.visible_to(member_of(request)), pk=uuid_or_404("whk", webhook_id)
    )
    require(member_of(request), May.READ_WEBHOOKS)
    return webhook


def _with_secret(webhook: Webhook, secret: str, status: int = 200) -> Response:
    return shown_once(WebhookSerializer(webhook).data, "secret", secret, status)
