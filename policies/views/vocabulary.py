"""What the JSON editor completes: the language's keys and words, the server's tools, a rule's arguments."""

from __future__ import annotations

from django.http import HttpResponse, JsonResponse
from django.views.decorators.http import require_safe

from accounts.middleware import MemberRequest
from accounts.views.members import member_required
from policies.outlook import tools_of
from policies.views._shared import find_policy
from policies.vocabulary import of_language, of_rule, of_server


@require_safe
@member_required
def vocabulary(request: MemberRequest, policy_id: str) -> HttpResponse:
    """Returns a rule's arguments for `for=tool:name`, `class:name` or `all`; without `for`, all the rest."""
    tools = tools_of(find_policy(request, policy_id).server)
    kind, _, name = request.GET.get("for", "").partition(":")
    match kind:
        case "tool":
            found = of_rule(tools, name=name)
        case "class":
            found = of_rule(tools, tool_class=name)
        case "all":
            found = of_rule(tools)
        case _:
            return JsonResponse({**of_language(), "tools": of_server(tools)})
    return JsonResponse({"arguments": found})
