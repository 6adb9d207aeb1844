"""Calls that wait, as a gateway tells of them."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID, uuid4

import msgspec

from accounts.models import Membership
from approvals import claims
from approvals.models import Approval
from gateway_config.wire.approvals import ApprovalAsk, ApprovalClaim, ClaimAnswer
from policies.language.identity import call_digest
from policies.models import Grant
from tests.cast import Acme, inside
from tests.roles import as_worker

RULES = "a" * 64
# That of delete_user, as the cast's server lists it.
TOOL = f"{1:064x}"


def new_decision() -> str:
    return str(uuid4())


def claimed(
    grant: Grant,
    arguments: object,
    *,
    tool: str = "delete_user",
    rules: str = RULES,
    tool_digest: str = TOOL,
    decision: str | None = None,
) -> ApprovalClaim:
    organization, server = str(grant.organization_id), str(grant.server_id)
    return ApprovalClaim(
        decision_id=decision or new_decision(),
        organization=organization,
        server=server,
        grant=str(grant.pk),
        tool=tool,
        call_digest=call_digest(
            organization=organization, grant=str(grant.pk), server=server, tool=tool, arguments=arguments
        ),
        rules_digest=rules,
        tool_digest=tool_digest,
    )


def asked(claim: ApprovalClaim, arguments: object, **more: Any) -> ApprovalAsk:
    said = {
        "rule": f"/tools/{claim.tool}/action",
        "reason": f"{claim.tool} needs a person's approval.",
        "arguments_json": json.dumps(arguments),
        "at_ms": 1_795_262_400_000,
        "reserved_by": claim.decision_id,
    }
    return ApprovalAsk(**msgspec.structs.asdict(claim), **{**said, **more})


def claim(grant: Grant, arguments: object, **more: Any) -> ClaimAnswer:
    with as_worker():
        return claims.claim(claimed(grant, arguments, **more))


def ask(grant: Grant, arguments: object, **more: Any) -> ClaimAnswer:
    said = {name: more.pop(name) for name in ("rule", "reason", "policy", "elicitation") if name in more}
    with as_worker():
        return claims.ask(asked(claimed(grant, arguments, **more), arguments, **said))


def waiting(acme: Acme, arguments: object = None, **more: Any) -> Approval:
    """A call of Acme's laptop that waits."""
    answer = ask(acme.grant, {"user_name": "bob"} if arguments is None else arguments, **more)
    assert answer.state == "pending"
    return approval(answer.id)


def approval(pk: UUID | str) -> Approval:
    with as_worker():
        return Approval.objects.get(pk=pk)


def fresh(member: Membership, row: Approval) -> Approval:
    with inside(member):
        return Approval.objects.get(pk=row.pk)
