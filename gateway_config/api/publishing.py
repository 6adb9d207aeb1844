"""Publishing, and how far a revision has come: these are here because policies know nothing of workers."""

from __future__ import annotations

from typing import Any

from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.api.authentication import member_of
from common.api_views import ApiView
from common.drf import valid, version_of
from gateway_config.api.serializers import PublishedSerializer, RevisionWithRollout
from gateway_config.rollout import rollout_of
from policies.api.policies import find_policy, find_revision
from policies.api.serializers import PublishInput, RestoreInput
from policies.models import Policy, PolicyRevision
from policies.services import publish_policy, restore_revision


class PolicyPublish(ApiView):
    @extend_schema(request=PublishInput, responses=PublishedSerializer)
    def post(self, request: Request, policy_id: str) -> Response:
        """Makes the draft the revision in force; 422 with every problem if it has any."""
        policy = find_policy(request, policy_id)
        version = _version_meant(request, policy)
        given = valid(PublishInput(data=request.data))
        revision = publish_policy(member_of(request), policy, note=given.get("note", ""), if_version=version)
        return Response(_published(revision))


class PolicyRestore(ApiView):
    @extend_schema(request=RestoreInput, responses=PublishedSerializer)
    def post(self, request: Request, policy_id: str) -> Response:
        """Publishes the text of one of its earlier revisions as a new one; it becomes the draft too."""
        policy = find_policy(request, policy_id)
        version = _version_meant(request, policy)
        given = valid(RestoreInput(data=request.data))
        revision = get_object_or_404(policy.revisions, pk=given["revision"])
        return Response(_published(restore_revision(member_of(request), revision, if_version=version)))


class RevisionDetail(ApiView):
    read_scope = "policies:read"

    @extend_schema(responses=RevisionWithRollout)
    def get(self, request: Request, revision_id: str) -> Response:
        """A revision, and on how many workers it is in force."""
        revision = find_revision(request, revision_id)
        revision.rollout = rollout_of(revision)  # type: ignore[attr-defined]
        return Response(RevisionWithRollout(revision).data)


class RevisionRestore(ApiView):
    @extend_schema(request=None, responses=PublishedSerializer)
    def post(self, request: Request, revision_id: str) -> Response:
        """Publishes an earlier revision's text as a new one; it becomes the draft too."""
        revision = find_revision(request, revision_id)
        version = _version_meant(request, revision.policy)
        return Response(_published(restore_revision(member_of(request), revision, if_version=version)))


def _version_meant(request: Request, policy: Policy) -> int | None:
    """The version of the draft that `If-Match` names; these requests may leave it out."""
    return version_of(request, policy.version) if "If-Match" in request.headers else None


def _published(revision: PolicyRevision) -> dict[str, Any]:
    return PublishedSerializer({"revision": revision, "rollout": rollout_of(revision)}).data
