from __future__ import annotations

import json
from typing import Any

from django.db.models import Q, QuerySet
from django.http import HttpResponse
from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import Serializer

from accounts.api.authentication import member_of
from common.api_filters import Filter, Flag, Id, Moment, Text
from common.api_lists import ApiList, both_ways
from common.api_views import ApiView
from common.drf import etag, etag_of_text, is_of, valid, version_of
from common.path_ids import uuid_or_404
from policies.api.serializers import (
    CallInput,
    ConversionSerializer,
    ConvertInput,
    DiffSerializer,
    EffectsSerializer,
    PolicyChange,
    PolicyInput,
    PolicySerializer,
    PolicySummary,
    ProblemSerializer,
    ProblemsSerializer,
    RevisionSummary,
    TestsInput,
    TestsSerializer,
    TextInput,
    TriedCallSerializer,
)
from policies.at_gateway import refused_by_gateway
from policies.beside import beside
from policies.kept_tests import replace_tests
from policies.language.batch import conversion_value
from policies.language.convert import convert
from policies.language.decide import decide
from policies.language.decision import MISSING, ToolCall
from policies.language.diff import changes_value, diff
from policies.language.problems import PolicyInvalid
from policies.models import Policy, PolicyRevision
from policies.outlook import in_force
from policies.services import (
    STARTING_DOCUMENT,
    create_policy,
    judge,
    save_draft,
    tool_facts,
)
from servers.models import Server, Tool


def find_policy(request: Request, policy_id: str) -> Policy:
    mine = Policy.objects.visible_to(member_of(request)).select_related("server")
    return get_object_or_404(mine, pk=uuid_or_404("pol", policy_id))


def find_revision(request: Request, revision_id: str) -> PolicyRevision:
    mine = PolicyRevision.objects.visible_to(member_of(request)).select_related("policy__server")
    return get_object_or_404(mine, pk=uuid_or_404("rev", revision_id))


class Policies(ApiList[Policy]):
    serializer_class = PolicySummary
    filters = (
        Filter("server", Id("srv"), lookup="server_id"),
        Filter("name", Text(80), "A part of the name.", lookup="name__icontains"),
        Filter(
            "published",
            Flag(),
            "Whether a revision is in force.",
            by=lambda published: Q(published_revision__isnull=not published),
        ),
    )
    orders = both_ways("created_at", "name")
    read_scope = "policies:read"
    queryset = Policy.objects.none()

    def get_queryset(self) -> QuerySet[Policy]:
        return Policy.objects.visible_to(member_of(self.request)).defer("draft")

    @extend_schema(request=PolicyInput, responses={201: PolicySerializer})
    def post(self, request: Request) -> Response:
        """Saves a draft, with problems or without. Nothing is enforced until it is published."""
        given = valid(PolicyInput(data=request.data))
        server = get_object_or_404(Server.objects.visible_to(member_of(request)), pk=given["server"])
        text = given.get("document", STARTING_DOCUMENT)
        policy = create_policy(member_of(request), server, given["name"], text)
        return Response(PolicySerializer(policy).data, status=201, headers=etag(policy.version))


class PolicyDetail(ApiView):
    read_scope = "policies:read"

    @extend_schema(responses=PolicySerializer)
    def get(self, request: Request, policy_id: str) -> Response:
        policy = find_policy(request, policy_id)
        return Response(PolicySerializer(policy).data, headers=etag(policy.version))

    @extend_schema(request=PolicyChange, responses=PolicySerializer)
    def patch(self, request: Request, policy_id: str) -> Response:
        policy = find_policy(request, policy_id)
        version = version_of(request, policy.version)
        given = valid(PolicyChange(data=request.data))
        saved = save_draft(member_of(request), policy, given["document"], if_version=version)
        return Response(PolicySerializer(saved).data, headers=etag(saved.version))


class _Asking(ApiView):
    """Questions about a policy's draft, or about a text sent instead of it. They change nothing."""

    read_scope = "policies:read"
    only_asks = True

    takes: type[Serializer[Any]] = TextInput

    def asked(self, request: Request, policy_id: str) -> tuple[str, Policy, dict[str, Any]]:
        """Returns the text that is asked about, its policy, and everything that was sent."""
        policy = find_policy(request, policy_id)
        given = valid(self.takes(data=request.data))
        return given.get("document", policy.draft), policy, given


class PolicyLint(_Asking):
    @extend_schema(request=TextInput, responses=ProblemsSerializer)
    def post(self, request: Request, policy_id: str) -> Response:
        """Says what is wrong in the draft, or in the text sent instead; if nothing is, what is doubtful."""
        text, policy, _ = self.asked(request, policy_id)
        judgement = judge(text, tool_facts(policy.server), beside(policy))
        problems = judgement.problems or judgement.findings
        return Response({"problems": ProblemSerializer(problems, many=True).data})


class PolicyEffects(_Asking):
    @extend_schema(request=TextInput, responses=EffectsSerializer)
    def post(self, request: Request, policy_id: str) -> Response:
        """Says what the draft, or the text sent instead, does to each of the server's tools."""
        text, policy, _ = self.asked(request, policy_id)
        judgement = judge(text, tool_facts(policy.server))
        if judgement.problems:
            raise PolicyInvalid(judgement.problems)
        return Response({"effects": judgement.effects})


class PolicyDecide(_Asking):
    takes = CallInput

    @extend_schema(request=CallInput, responses=TriedCallSerializer)
    def post(self, request: Request, policy_id: str) -> Response:
        """Says what would happen to this call, before limits and approvals are checked."""
        text, policy, given = self.asked(request, policy_id)
        tools = tool_facts(policy.server)
        judgement = judge(text, tools)
        if judgement.compiled is None:
            raise PolicyInvalid(judgement.problems)
        call = ToolCall(given["tool"], dict(request.data).get("arguments", MISSING))
        decision = decide(judgement.compiled, call)
        owed = (*decision.quotas, decision.approval)
        listed = {tool.name for tool in tools}
        return Response(
            {
                "outcome": decision.outcome,
                "code": decision.code,
                "rule": decision.rule,
                "reason": decision.reason,
                "obligations": [type(each).__name__ for each in owed if each],
                "refused_by_gateway": refused_by_gateway(judgement.compiled, call, decision, listed),
            }
        )


class PolicyDiff(_Asking):
    @extend_schema(request=TextInput, responses=DiffSerializer)
    def post(self, request: Request, policy_id: str) -> Response:
        """Says what publishing the text would change for each tool, compared with the revision in force."""
        text, policy, _ = self.asked(request, policy_id)
        judgement = judge(text, tool_facts(policy.server))
        if judgement.problems:
            raise PolicyInvalid(judgement.problems)
        tools = list(Tool.objects.filter(server=policy.server).present())
        before = in_force(policy.published_revision, tools)
        return Response(changes_value(diff(before, judgement.compiled, [tool.name for tool in tools])))


class PolicyTests(ApiView):
    read_scope = "policies:read"

    @extend_schema(responses=TestsSerializer)
    def get(self, request: Request, policy_id: str) -> HttpResponse:
        """Returns the policy's tests and their results for the draft. One that fails blocks publishing."""
        return _tested(find_policy(request, policy_id))

    @extend_schema(request=TestsInput, responses=TestsSerializer)
    def put(self, request: Request, policy_id: str) -> HttpResponse:
        """Replaces the policy's tests with these."""
        policy = find_policy(request, policy_id)
        insists = is_of(request, etag_of_text(policy.tests))
        given = valid(TestsInput(data=request.data))
        seen = None if insists else policy.tests
        return _tested(replace_tests(member_of(request), policy, given["tests"], seen=seen))


def _tested(policy: Policy) -> HttpResponse:
    results = [
        {"name": result.test.name, "passed": result.passed, "sentence": result.sentence}
        for result in judge(policy.draft, tool_facts(policy.server), beside(policy)).tests
    ]
    # The tests exactly as they are kept: reading them as JSON could change the spelling of their numbers.
    text = f'{{"tests": {policy.tests}, "results": {json.dumps(results)}}}'
    answer = HttpResponse(text, content_type="application/json")
    answer["ETag"] = etag_of_text(policy.tests)
    return answer


class Convert(ApiView):
    """Converts a policy of another dialect into this language, never more permissive than its source."""

    read_scope = "policies:read"
    only_asks = True

    @extend_schema(request=ConvertInput, responses=ConversionSerializer)
    def post(self, request: Request) -> Response:
        given = valid(ConvertInput(data=request.data))
        servers = Server.objects.visible_to(member_of(request))
        tools = tool_facts(get_object_or_404(servers, pk=given["server"])) if "server" in given else []
        made = convert(given["text"], tools)
        return Response(conversion_value(made))


OF_REVISIONS = (
    Filter("published_by", Text(254), "The publisher’s address.", lookup="published_by_email__iexact"),
    Filter("since", Moment(), "Published then or later.", lookup="published_at__gte"),
    Filter("until", Moment(), "Published before.", lookup="published_at__lt"),
)


class PolicyRevisions(ApiList[PolicyRevision]):
    serializer_class = RevisionSummary
    filters = OF_REVISIONS
    orders = {"-number": ("-number",), "number": ("number",)}
    read_scope = "policies:read"
    queryset = PolicyRevision.objects.none()

    def get_queryset(self) -> QuerySet[PolicyRevision]:
        policy = find_policy(self.request, self.kwargs["policy_id"])
        return (
            PolicyRevision.objects.visible_to(member_of(self.request))
            .filter(policy=policy)
            .defer("text", "document", "classes")
        )


class Revisions(ApiList[PolicyRevision]):
    """Published revisions of all policies, the newest first."""

    serializer_class = RevisionSummary
    filters = (Filter("policy", Id("pol"), lookup="policy_id"), *OF_REVISIONS)
    orders = both_ways("published_at")
    read_scope = "policies:read"
    queryset = PolicyRevision.objects.none()

    def get_queryset(self) -> QuerySet[PolicyRevision]:
        return PolicyRevision.objects.visible_to(member_of(self.request)).defer("text", "document", "classes")
