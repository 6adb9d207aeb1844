from __future__ import annotations

from django.http import Http404
from django.shortcuts import get_object_or_404

from accounts.middleware import MemberRequest
from approvals.cards import visible
from approvals.models import Approval
from common.ids import parse_public_id


def find_approval(request: MemberRequest, approval_id: str) -> Approval:
    try:
        pk = parse_public_id("apr", approval_id)
    except ValueError:
        raise Http404 from None
    return get_object_or_404(visible(request.member), pk=pk)
