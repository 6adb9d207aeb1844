from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.db.models import Q, QuerySet
from django.shortcuts import get_object_or_404
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.api.authentication import member_of
from accounts.models import Membership
from approvals import services
from approvals.api.serializers import AnswerInput, ApprovalSerializer, RulesChange, RulesSerializer
from approvals.models import Approval
from common.api_filters import Choice, Filter, Id, Moment, Text
from common.api_lists import ApiList, both_ways
from common.api_views import ApiView
from common.drf import shown_once, valid
from common.path_ids import uuid_or_404

State = Approval.State


def _in_state(state: str) -> Q:
    """Select by state. A time limit that has ended counts even before anyone noted it."""
    now = timezone.now()
    alive = (State.PENDING, State.APPROVED)
    if state in alive:
        return Q(state=state, expires_at__gt=now)
    if state == State.EXPIRED:
        return Q(state=state) | Q(state__in=alive, expires_at__lte=now)
    return Q(state=state)


class Approvals(ApiList[Approval]):
    """Calls that wait for a person, and what became of earlier ones; newest first."""

    serializer_class = ApprovalSerializer
    filters = (
        Filter("state", Choice(tuple(State.values)), by=_in_state),
        Filter("server", Id("srv"), lookup="server_id"),
        Filter("grant", Id("grt"), lookup="grant_id"),
        Filter("tool", Text()),
        Filter("since", Moment(), "Asked then or later.", lookup="asked_at__gte"),
        Filter("until", Moment(), "Asked before.", lookup="asked_at__lt"),
    )
    orders = both_ways("asked_at")
    read_scope = "approvals:read"
    queryset = Approval.objects.none()

    def get_queryset(self) -> QuerySet[Approval]:
        return Approval.objects.visible_to(member_of(self.request))

    def get_serializer_context(self) -> dict[str, Any]:
        return {**super().get_serializer_context(), "member": member_of(self.request)}


class ApprovalDetail(ApiView):
    read_scope = "approvals:read"

    @extend_schema(responses=ApprovalSerializer)
    def get(self, request: Request, approval_id: str) -> Response:
        """One call that a person was asked about. Reading it does not answer it."""
        return _shown(request, _find(request, approval_id))


class ApprovalApprove(ApiView):
    @extend_schema(request=AnswerInput, responses=ApprovalSerializer)
    def post(self, request: Request, approval_id: str) -> Response:
        """Lets the identical call be sent once, until the time limit ends. 409 if it no longer waits."""
        return _answered(request, approval_id, services.approve)


class ApprovalDecline(ApiView):
    @extend_schema(request=AnswerInput, responses=ApprovalSerializer)
    def post(self, request: Request, approval_id: str) -> Response:
        """Denies the identical call until the time limit ends. 409 if it no longer waits."""
        return _answered(request, approval_id, services.decline)


class ApprovalRules(ApiView):
    """How long calls wait, and whether people may approve calls of grants they hold. Owners change it."""

    read_scope = "organization:read"

    @extend_schema(responses=RulesSerializer)
    def get(self, request: Request) -> Response:
        return Response(RulesSerializer(member_of(request).organization).data)

    @extend_schema(request=RulesChange, responses=RulesSerializer)
    def patch(self, request: Request) -> Response:
        """Applies from the next call or answer on; a call that already waits keeps its time limit."""
        given = valid(RulesChange(data=request.data))
        kept = RulesSerializer(member_of(request).organization).data
        changed = services.set_approval_rules(
            member_of(request),
            seconds=given.get("approval_seconds", kept["approval_seconds"]),
            self_approval=given.get("self_approval", kept["self_approval"]),
        )
        return Response(RulesSerializer(changed).data)


def _answered(
    request: Request, approval_id: str, verb: Callable[[Membership, Approval, str], Approval]
) -> Response:
    approval = _find(request, approval_id)
    given = valid(AnswerInput(data=request.data))
    answered = verb(member_of(request), approval, given["note"])
    said = ApprovalSerializer(answered, context={"member": member_of(request)}).data
    # Arguments are stored sealed and nowhere else, not in an idempotent answer either, and are shown only to
    # people who may read them at that moment.
    return shown_once(said, "arguments_json", said["arguments_json"])


def _shown(request: Request, approval: Approval) -> Response:
    return Response(ApprovalSerializer(approval, context={"member": member_of(request)}).data)


def _find(request: Request, approval_id: str) -> Approval:
    mine = Approval.objects.visible_to(member_of(request))
    return get_object_or_404(mine, pk=uuid_or_404("apr", approval_id))
