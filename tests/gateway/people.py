"""The control plane's side of approvals, in memory but over real HTTP.

Gateways ask it; a test answers as the people would.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import count
from typing import Any, Final, Self
from urllib.parse import parse_qs, urlsplit

import msgspec

from gateway_config.wire.approvals import (
    ApprovalAsk,
    ApprovalClaim,
    ApprovalNews,
    ApprovalUnused,
    ClaimAnswer,
    NewsAnswer,
)
from tests.gateway.raw_http import Conversation, Upstream

_PATH: Final = "/internal/v1/approvals/"


@dataclass
class Case:
    id: str
    asked: ApprovalAsk
    state: Any = "pending"
    used_by: str = ""
    given_back: tuple[str, ...] = ()

    @property
    def url(self) -> str:
        return f"https://policylayer.example/approvals/{self.id}/"


@dataclass
class People:
    """`away`: nobody answers. `seconds`: the time limit they give. `meanwhile` runs while a claim is being
    answered, `meanwhile_asked` while a question is. `heard`: how many of the news the gateway has."""

    cases: list[Case] = field(default_factory=list)
    claims: list[ApprovalClaim] = field(default_factory=list)
    unused: list[ApprovalUnused] = field(default_factory=list)
    news: list[ApprovalNews] = field(default_factory=list)
    away: bool = False
    seconds: int = 900
    meanwhile: Callable[[], Awaitable[object]] | None = None
    meanwhile_asked: Callable[[], Awaitable[object]] | None = None
    heard: int = 0
    _open: dict[str, Case] = field(default_factory=dict)
    _said: asyncio.Event = field(default_factory=asyncio.Event)
    _numbers: Any = field(default_factory=lambda: count(1))
    _http: Upstream = field(init=False)

    async def __aenter__(self) -> Self:
        self._http = Upstream(self._serve)
        await self._http.__aenter__()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._http.__aexit__()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._http.port}"

    def answer(self, state: str, case: Case | None = None) -> None:
        """Answer as a person, `approved` or `declined`, or let the time limit end: `expired`."""
        case = case or self.cases[-1]
        assert case.state in ("pending", "approved")
        self._become(case, state)

    def _become(self, case: Case, state: str) -> None:
        case.state = state
        self.news.append(
            ApprovalNews(
                id=case.id,
                organization=case.asked.organization,
                reserved_by=case.asked.reserved_by,
                state=state,  # type: ignore[arg-type]
                seconds_left=self.seconds,
            )
        )
        self._said.set()

    async def _serve(self, conversation: Conversation) -> None:
        path = conversation.request.path
        if self.away:
            conversation.json({"error": "not now"}, status=503)
        elif path.startswith(f"{_PATH}news"):
            await self._tell_news(conversation)
        elif path == f"{_PATH}claim/":
            answer = self._claim(_read(conversation, ApprovalClaim))
            if self.meanwhile is not None:
                await self.meanwhile()
            self._reply(conversation, answer)
        elif path == _PATH:
            answer = self._ask(_read(conversation, ApprovalAsk))
            if self.meanwhile_asked is not None:
                await self.meanwhile_asked()
            self._reply(conversation, answer)
        else:
            assert path == f"{_PATH}unused/"
            self._take_back(_read(conversation, ApprovalUnused))
            conversation.write(b"HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n")

    def _reply(self, conversation: Conversation, answer: ClaimAnswer) -> None:
        conversation.json(msgspec.json.encode(answer))

    def _claim(self, claim: ApprovalClaim) -> ClaimAnswer:
        self.claims.append(claim)
        case = self._open.get(claim.call_digest)
        if case is None:
            return ClaimAnswer(state="none")
        asked = case.asked
        if (asked.rules_digest, asked.tool_digest) != (claim.rules_digest, claim.tool_digest):
            self._become(self._open.pop(claim.call_digest), "superseded")
            return ClaimAnswer(state="none")
        if case.state == "used":
            return self._told(case, "approved") if case.used_by == claim.decision_id else _NONE
        if case.state == "expired":
            del self._open[claim.call_digest]
        told = case.state
        if told == "approved":
            case.used_by = claim.decision_id
            self._become(case, "used")
        return self._told(case, told)

    def _ask(self, ask: ApprovalAsk) -> ClaimAnswer:
        known = self._open.get(ask.call_digest)
        if known is not None and known.state == "pending":
            return self._told(known, "pending")
        case = Case(f"00000000-0000-7000-8000-{next(self._numbers):012d}", ask)
        self.cases.append(case)
        self._open[ask.call_digest] = case
        return self._told(case, "pending")

    def _take_back(self, unused: ApprovalUnused) -> None:
        self.unused.append(unused)
        for case in self.cases:
            if case.id == unused.id and case.state == "used" and case.used_by == unused.decision_id:
                case.given_back += (unused.decision_id,)
                self._become(case, "approved")

    def _told(self, case: Case, state: Any) -> ClaimAnswer:
        return ClaimAnswer(
            state=state,
            id=case.id,
            url=case.url,
            seconds_left=self.seconds,
            reserved_by=case.asked.reserved_by,
            given_back=case.given_back,
        )

    async def _tell_news(self, conversation: Conversation) -> None:
        query = parse_qs(urlsplit(conversation.request.path).query)
        after, wait = int(query["after"][0]), int(query["wait"][0])
        self.heard = after
        if len(self.news) <= after:
            self._said.clear()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._said.wait(), wait)
        answer = NewsAnswer(cursor=len(self.news), news=tuple(self.news[after:]))
        conversation.json(msgspec.json.encode(answer))


_NONE: Final = ClaimAnswer(state="none")


def _read(conversation: Conversation, kind: Any) -> Any:
    assert conversation.request.headers["authorization"] == "Bearer plw_of_a_test"
    return msgspec.json.decode(conversation.request.body, type=kind)
