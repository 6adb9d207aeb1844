"""Asks the control plane about calls that wait for a person's approval; the control plane alone decides.

Nothing that would let a call through is remembered here. That a call is still waiting is remembered for a
moment, so that an agent which keeps repeating it asks us and not the control plane. News of an approval
extends or releases the limits held for its call.
"""

import asyncio
import logging
import time
from collections import Counter, OrderedDict
from collections.abc import Awaitable, Callable
from typing import Final, Protocol, TypeAlias, assert_never

from gateway.control_plane import ControlPlaneError, NotReachedYet
from gateway.counters.base import Limiter
from gateway.effects import NO_APPROVALS, Claimed
from gateway.used_approvals import UsedApprovals
from gateway_config.wire.approvals import (
    ApprovalAsk,
    ApprovalClaim,
    ApprovalNews,
    ApprovalUnused,
    ClaimAnswer,
    NewsAnswer,
)

_log: Final = logging.getLogger(__name__)

_STILL_WAITING_SECONDS: Final = 1.0
_MOST_REMEMBERED: Final = 4_096
# Per organization, so that an agent which asks without end never holds up another organization's calls.
_AT_ONCE: Final = 32
_NEWS_WAIT: Final = 25
_FIRST_PAUSE: Final = 0.2
_LONGEST_PAUSE: Final = 5.0
_UNUSED_TRIES: Final = 6
_Call: TypeAlias = tuple[str, str, str]


class Control(Protocol):
    async def claim(self, claim: ApprovalClaim) -> ClaimAnswer: ...

    async def ask(self, ask: ApprovalAsk) -> ClaimAnswer: ...

    async def unused(self, unused: ApprovalUnused) -> None: ...

    async def approval_news(self, after: int, wait: int) -> NewsAnswer: ...


class Approvals(Protocol):
    """What judging a call asks of the control plane. None of these methods raises."""

    async def claim(self, claim: ApprovalClaim) -> Claimed: ...

    async def ask(self, ask: ApprovalAsk) -> Claimed: ...

    def unused(self, unused: ApprovalUnused) -> None: ...

    async def answered(self, approval: str, seconds: float) -> None:
        """Return once there is news of the approval, or after `seconds`."""


class NobodyToAsk:
    """For a gateway without a control plane: nobody can be asked."""

    async def claim(self, claim: ApprovalClaim) -> Claimed:
        return NO_APPROVALS

    async def ask(self, ask: ApprovalAsk) -> Claimed:
        return NO_APPROVALS

    def unused(self, unused: ApprovalUnused) -> None:
        pass

    async def answered(self, approval: str, seconds: float) -> None:
        pass


class ApprovalsClient:
    """`answer_seconds`: how long a call waits for the control plane; after that, nobody can be asked."""

    def __init__(
        self, control: Control, limiter: Limiter, used: UsedApprovals, *, answer_seconds: float
    ) -> None:
        self._control = control
        self._limiter = limiter
        self._used = used
        self._answer_seconds = answer_seconds
        self._waiting: OrderedDict[_Call, tuple[ClaimAnswer, float]] = OrderedDict()
        self._asking: Counter[str] = Counter()
        self._listening: dict[str, set[asyncio.Future[None]]] = {}
        # Approvals we have had news of: an answer already on its way may still call them pending.
        self._told: OrderedDict[str, None] = OrderedDict()
        self._telling: set[asyncio.Task[None]] = set()
        self._cursor = 0
        self._in_trouble = False

    # For calls

    async def claim(self, claim: ApprovalClaim) -> Claimed:
        known, until = self._waiting.get(_call(claim), (None, 0.0))
        if known is not None and time.monotonic() < until:
            return known
        answer = await self._bounded(claim, lambda: self._control.claim(claim))
        if isinstance(answer, ClaimAnswer) and answer.state == "approved":
            return self._used_once(claim, answer)
        return self._noted(claim, answer)

    async def ask(self, ask: ApprovalAsk) -> Claimed:
        return self._noted(ask, await self._bounded(ask, lambda: self._control.ask(ask)))

    def unused(self, unused: ApprovalUnused) -> None:
        self._used.forget(unused.id, unused.decision_id)
        task = asyncio.get_running_loop().create_task(self._tell_unused(unused))
        self._telling.add(task)
        task.add_done_callback(self._telling.discard)

    async def answered(self, approval: str, seconds: float) -> None:
        if approval in self._told:
            return
        news: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        mine = self._listening.setdefault(approval, set())
        mine.add(news)
        try:
            await asyncio.wait([news], timeout=seconds)
        finally:
            mine.discard(news)
            if not mine:
                self._listening.pop(approval, None)

    async def close(self) -> None:
        """Give reports that are still on their way a last moment to arrive."""
        telling = list(self._telling)
        if telling:
            await asyncio.wait(telling, timeout=self._answer_seconds)
        for task in telling:
            task.cancel()

    async def _bounded(self, claim: ApprovalClaim, ask: Callable[[], Awaitable[ClaimAnswer]]) -> Claimed:
        organization = claim.organization
        if self._asking[organization] >= _AT_ONCE:
            return NO_APPROVALS
        self._asking[organization] += 1
        try:
            async with asyncio.timeout(self._answer_seconds):
                return await ask()
        except (ControlPlaneError, TimeoutError) as error:
            why = "no answer in time" if isinstance(error, TimeoutError) else error
            _log.warning("nobody can be asked for approval now: %s", why)
            return NO_APPROVALS
        finally:
            self._asking[organization] -= 1
            if not self._asking[organization]:
                del self._asking[organization]

    def _noted(self, claim: ApprovalClaim, answer: Claimed) -> Claimed:
        if isinstance(answer, ClaimAnswer) and answer.state == "pending" and answer.id not in self._told:
            self._waiting[_call(claim)] = (answer, time.monotonic() + _STILL_WAITING_SECONDS)
            while len(self._waiting) > _MOST_REMEMBERED:
                self._waiting.popitem(last=False)
        return answer

    def _used_once(self, claim: ApprovalClaim, answer: ClaimAnswer) -> Claimed:
        if not self._used.may_use(answer, claim.decision_id):
            _log.warning("approval %s was used before; was the control plane's database restored?", answer.id)
            return NO_APPROVALS
        self._used.note(answer.id, claim.decision_id)
        return answer

    async def _tell_unused(self, unused: ApprovalUnused) -> None:
        """Report an unused approval. If that fails it stays used: better that than a call sent twice."""
        pause = _FIRST_PAUSE
        for _ in range(_UNUSED_TRIES):
            try:
                await self._control.unused(unused)
            except ControlPlaneError as error:
                _log.warning("an approval that was not used is not given back yet: %s", error)
                await asyncio.sleep(pause)
                pause = min(2 * pause, _LONGEST_PAUSE)
            else:
                return

    # News

    async def run(self) -> None:
        """Follow the news for ever. A control plane that cannot be reached only makes it wait."""
        pause = _FIRST_PAUSE
        while True:
            try:
                await self._hear()
                pause = _FIRST_PAUSE
            except Exception as error:
                self._note_trouble(error)
                await asyncio.sleep(pause)
                pause = min(2 * pause, _LONGEST_PAUSE)

    async def _hear(self) -> None:
        began = time.monotonic()
        answer = await self._control.approval_news(self._cursor, _NEWS_WAIT)
        self._in_trouble = False
        for news in answer.news:
            await self._take(news)
        moved = answer.cursor != self._cursor
        self._cursor = answer.cursor
        if not moved and time.monotonic() - began < 1:
            # It answered without waiting, or repeated the same news: so we pause.
            await asyncio.sleep(1)

    async def _take(self, news: ApprovalNews) -> None:
        match news.state:
            case "pending":
                return
            case "approved":
                await self._limiter.extend(news.reserved_by, news.seconds_left)
            case "declined" | "expired" | "superseded":
                await self._limiter.release(news.reserved_by)
            case "used":
                if news.used_by:
                    self._used.note(news.id, news.used_by)
                # The worker that used it may be about to settle. If that one is on another machine, nothing
                # settles here, and the hold soon ends.
                await self._limiter.extend(news.reserved_by, 0)
            case _:
                assert_never(news.state)
        self._forget(news.id)

    def _forget(self, approval: str) -> None:
        self._told[approval] = None
        if len(self._told) > _MOST_REMEMBERED:
            self._told.popitem(last=False)
        for call in [call for call, (known, _) in self._waiting.items() if known.id == approval]:
            del self._waiting[call]
        for listening in self._listening.get(approval, ()):
            if not listening.done():
                listening.set_result(None)

    def _note_trouble(self, error: Exception) -> None:
        if isinstance(error, NotReachedYet):
            return
        if not self._in_trouble:
            why = error if isinstance(error, ControlPlaneError) else type(error).__name__
            _log.warning("answers to approvals are not heard of until this is over: %s", why)
        self._in_trouble = True


def _call(claim: ApprovalClaim) -> _Call:
    return claim.call_digest, claim.rules_digest, claim.tool_digest
