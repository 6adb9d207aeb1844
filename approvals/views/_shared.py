from __future__ import annotations

from django.shortcuts import get_object_or_404

from accounts.middleware import MemberRequest
from approvals.cards import visible
from approvals.models import Approval
from common.path_ids import uuid_or_404


def find_approval(request: MemberRequest, approval_id: str) -> Approval:
    return get_object_or_404(visible(request.member), pk=uuid_or_404("apr", approval_id))
