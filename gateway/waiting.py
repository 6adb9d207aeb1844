"""Calls that wait for a person: what the control plane is told and asked about them."""

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import Executor
from typing import Final

from gateway.admitted import Admitted
from gateway.approvals_client import Approvals
from gateway.effects import NO_APPROVALS, Ask, AwaitAnswer, Claim, Claimed, Unused
from gateway.progress import Progress
from gateway.protocol.strict_json import encode
from gateway.replies import as_event
from gateway.visits import Visit
from gateway_config.wire.approvals import ApprovalAsk, ApprovalClaim, ApprovalUnused, ClaimAnswer
from policies.language.identity import call_digest

# In bytes: the arguments of a longer request are digested beside the event loop.
_SHORT: Final = 8_192


class Waiting:
    """`hold_open_seconds`: the longest that a client is kept waiting for the person; 0: not at all.

    `is_current`: whether what a visit was let in to is still in force, unchanged. `has_moved`: whether the
    tool that it calls is no longer what the control plane knows.
    """

    def __init__(
        self,
        approvals: Approvals,
        aside: Executor,
        is_current: Callable[[Admitted], bool],
        has_moved: Callable[[Visit], bool],
        *,
        hold_open_seconds: float = 0,
    ) -> None:
        self._approvals = approvals
        self._aside = aside
        self._is_current = is_current
        self._has_moved = has_moved
        self.hold_open_seconds = hold_open_seconds

    async def claim(self, effect: Claim, visit: Visit) -> Claimed:
        # Nobody has agreed, or can agree, to what they were not shown.
        if self._has_moved(visit):
            return NO_APPROVALS
        claimed = await self._approvals.claim(await self._claim(effect.rules_digest, visit))
        if not self._has_moved(visit):
            return claimed
        if isinstance(claimed, ClaimAnswer) and claimed.state == "approved":
            self.unused(Unused(claimed.id), visit)
        return NO_APPROVALS

    async def ask(self, effect: Ask, visit: Visit) -> Claimed:
        if self._has_moved(visit):
            return NO_APPROVALS
        claim = await self._claim(effect.rules_digest, visit)
        given = {} if visit.arguments is None else visit.arguments
        return await self._approvals.ask(
            ApprovalAsk(
                **{name: getattr(claim, name) for name in ApprovalClaim.__struct_fields__},
                rule=effect.rule,
                reason=effect.reason,
                arguments_json=encode(given).decode(),
                at_ms=time.time_ns() // 1_000_000,
                reserved_by=claim.decision_id,
                elicitation=visit.opens_pages,
                policy=visit.admitted.grant.policy_id,
            )
        )

    async def await_answer(self, effect: AwaitAnswer, visit: Visit) -> Claimed:
        """Give up when the client does, because nobody would see what became of a call sent without it; when
        this worker stops; and when anything changes in the configuration by which the call was judged."""
        await self._until_answered(effect.waiting.id, visit)
        if visit.exchange.gone or not self._is_current(visit.admitted):
            return effect.waiting
        return await self.claim(Claim(effect.rules_digest), visit)

    async def _until_answered(self, approval: str, visit: Visit) -> None:
        if visit.exchange.gone or visit.exchange.line.server.draining:
            return
        answered = asyncio.ensure_future(self._approvals.answered(approval, self.hold_open_seconds))

        def over() -> None:
            answered.cancel()

        visit.exchange.on_gone = visit.opened.end = visit.opened.leave = over
        began = time.monotonic()
        try:
            with Progress(visit, lambda reply: as_event(visit, reply)):
                await asyncio.wait([answered])
        finally:
            answered.cancel()
            visit.exchange.on_gone = visit.opened.end = visit.opened.leave = None
            visit.awaited_seconds += time.monotonic() - began

    def unused(self, effect: Unused, visit: Visit) -> None:
        self._approvals.unused(ApprovalUnused(decision_id=visit.decision_id, id=effect.approval))

    async def _claim(self, rules_digest: str, visit: Visit) -> ApprovalClaim:
        if len(visit.exchange.request.body) <= _SHORT:
            return _claim(rules_digest, visit)
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._aside, _claim, rules_digest, visit)


def _claim(rules_digest: str, visit: Visit) -> ApprovalClaim:
    admitted, tool = visit.admitted, visit.subject or ""
    organization, server, grant = admitted.organization.organization, admitted.server.id, admitted.grant.id
    digest = call_digest(
        organization=organization, grant=grant, server=server, tool=tool, arguments=visit.arguments
    )
    return ApprovalClaim(
        decision_id=visit.decision_id,
        organization=organization,
        server=server,
        grant=grant,
        tool=tool,
        call_digest=digest,
        rules_digest=rules_digest,
        tool_digest=visit.tool_digest,
    )
