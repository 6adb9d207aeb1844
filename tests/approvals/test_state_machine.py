"""Promise 14 as a state machine: whatever gateways and people do in whatever order, the service and a naive
model answer alike, and nothing is sent that nobody agreed to, later than agreed, or twice.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from approvals import claims
from approvals.models import Approval
from approvals.services import approve, decline
from common.errors import Conflict, NotAllowed
from gateway_config.wire.approvals import ApprovalUnused
from policies.models import Grant
from policies.services import issue_grant, revoke_grant
from tests.approvals.calls import TOOL, approval, asked, claimed, new_decision
from tests.approvals.conftest import Clock
from tests.cast import Acme, Cast, inside
from tests.roles import as_owner, as_worker

LIMIT = 900
ARGUMENTS = ({"user_name": "bob"}, {"user_name": "bob", "force": True})
RULES = ("a" * 64, "b" * 64)
# The first is the tool's as the control plane knows it, the second a gateway's that is behind.
TOOLS = (TOOL, "b" * 64)
# Around the time limit, to its very end.
TIMES = st.sampled_from([1, 60, LIMIT - 1, LIMIT, LIMIT + 1])
Key = tuple[int, int]


@dataclass
class Naive:
    """An approval by the table of the policy language's specification."""

    id: str
    key: Key
    rules: str
    tool: str
    reserved_by: str
    ends: float
    state: str = "pending"
    standing: bool = True
    used_by: str | None = None


class Approvals(RuleBasedStateMachine):
    cast: Cast
    acme: Acme
    clock: Clock
    grants: Callable[[], list[Grant]]

    def __init__(self) -> None:
        super().__init__()
        with as_owner():
            Approval.objects.all().delete()
        self.two = self.grants()
        self.all: list[Naive] = []
        self.revoked: set[int] = set()
        self.at = 0.0
        self.sent: dict[str, str] = {}
        self.given_back: set[str] = set()

    # ---- the model's own reading
    def standing(self, key: Key) -> Naive | None:
        found = [one for one in self.all if one.key == key and one.standing]
        assert len(found) <= 1
        return found[0] if found else None

    def state_of(self, one: Naive) -> str:
        over = one.state in ("pending", "approved") and self.at >= one.ends
        return "expired" if over else one.state

    def expected_claim(self, key: Key, rules: str, tool: str, decision: str) -> str:
        mine = [one for one in self.all if one.key == key and one.used_by == decision]
        if mine:
            return "approved"
        one = self.standing(key)
        if one is None:
            return "none"
        state = self.state_of(one)
        if (one.rules, one.tool) != (rules, tool):
            one.standing = False
            one.state = "superseded" if state in ("pending", "approved") else state
            return "none"
        match state:
            case "approved":
                one.standing, one.state, one.used_by = False, "used", decision
                return "approved"
            case "declined" if self.at >= one.ends:
                one.standing = False
                return "none"
            case "expired":
                one.standing, one.state = False, "expired"
                return "expired"
        return state

    # ---- what gateways do
    @rule(
        who=st.integers(0, 1),
        what=st.integers(0, 1),
        rules=st.sampled_from((0, 0, 0, 1)),
        tool=st.sampled_from((0, 0, 0, 1)),
        again=st.booleans(),
    )
    def call(self, who: int, what: int, rules: int, tool: int, again: bool) -> None:
        """The gateway's whole way: claim, and ask where nobody has."""
        key, decision = (who, what), new_decision()
        claim = claimed(
            self.two[who],
            ARGUMENTS[what],
            rules=RULES[rules],
            tool_digest=TOOLS[tool],
            decision=decision,
        )
        expected = self.expected_claim(key, RULES[rules], TOOLS[tool], decision)
        with as_worker():
            answer = claims.claim(claim)
        assert answer.state == expected
        if answer.state == "approved":
            self.note_sent(answer.id, decision, key, claim.rules_digest, claim.tool_digest)
            if again:
                with as_worker():
                    assert claims.claim(claim).state == "approved", "the answer was lost on the way"
        elif answer.state == "none" and who not in self.revoked:
            with as_worker():
                asking = claims.ask(asked(claim, ARGUMENTS[what]))
            assert (asking.state, asking.reserved_by) == ("pending", decision)
            self.all.append(Naive(asking.id, key, RULES[rules], TOOLS[tool], decision, self.at + LIMIT))

    def note_sent(self, pk: str, decision: str, key: Key, rules: str, tool: str) -> None:
        """What a receipt of the server would say."""
        assert pk not in self.sent, "sent twice"
        (one,) = [one for one in self.all if one.id == pk]
        assert (one.key, one.rules, one.tool) == (key, rules, tool)
        assert key[0] not in self.revoked and self.at < one.ends
        self.sent[pk] = decision

    @rule(data=st.data())
    def nothing_was_sent(self, data: st.DataObject) -> None:
        if not self.all:
            return
        one = data.draw(st.sampled_from(self.all))
        decision = one.used_by or one.reserved_by
        with as_worker():
            claims.note_unused(ApprovalUnused(decision_id=decision, id=one.id))
        if one.state == "used" and self.standing(one.key) is None and one.key[0] not in self.revoked:
            self.sent.pop(one.id, None)
            one.state, one.standing, one.used_by = "approved", True, None
        elif one.state == "used":
            # It stays used: its call is gone, which is the safe side.
            pass

    # ---- what people do
    @rule(data=st.data(), yes=st.booleans(), who=st.sampled_from(("alice", "carol", "dave", "bob")))
    def answer(self, data: st.DataObject, yes: bool, who: str) -> None:
        if not self.all:
            return
        one = data.draw(st.sampled_from(self.all))
        by = getattr(self.cast, who)
        holds = who == "alice"
        try:
            with inside(by):
                (approve if yes else decline)(by, approval_of(one))
        except NotAllowed:
            assert who == "bob" or (holds and self.state_of(one) == "pending")
            return
        except Conflict:
            assert self.state_of(one) != "pending"
            return
        assert not holds and who != "bob"
        if self.state_of(one) == "pending":
            one.state, one.ends = ("approved" if yes else "declined"), self.at + LIMIT
        else:
            assert approval_of(one).answered_by_id == by.pk, "only one's own answer may be given twice"

    @rule(who=st.integers(0, 1))
    def revoke(self, who: int) -> None:
        with inside(self.cast.alice):
            revoke_grant(self.cast.alice, self.two[who])
        if who in self.revoked:
            return  # a second time it is no news, and nothing is published
        self.revoked.add(who)
        for one in self.all:
            if one.standing and (one.key[0] == who or one.tool != TOOL):
                state = self.state_of(one)
                one.standing = False
                one.state = "superseded" if state in ("pending", "approved") else state

    # ---- what time does
    @rule(seconds=TIMES)
    def time_passes(self, seconds: int) -> None:
        self.at += seconds
        self.clock.go_on(seconds)

    @rule()
    def somebody_notes_what_is_over(self) -> None:
        with as_worker():
            claims.expire_due()

    @invariant()
    def the_news_tell_how_it_stands(self) -> None:
        with as_worker():
            told = {news.id: news.state for news in claims.news_after(0).news}
        for one in self.all:
            if one.id in told:
                assert told[one.id] == self.state_of(one)
            else:
                assert self.state_of(one) not in ("pending", "approved")


def approval_of(one: Naive) -> Approval:
    return approval(UUID(one.id))


@pytest.mark.parametrize(
    "examples", [25, pytest.param(1_000, marks=[pytest.mark.slow, pytest.mark.timeout(900)])]
)
def test_whatever_happens_nothing_is_sent_that_nobody_agreed_to_or_twice(
    examples: int, cast: Cast, acme: Acme, clock: Clock
) -> None:
    def grants() -> list[Grant]:
        with inside(cast.alice):
            return [issue_grant(cast.alice, acme.server, acme.policy, label)[0] for label in ("one", "two")]

    class World(Approvals):
        pass

    World.cast, World.acme, World.clock = cast, acme, clock
    World.grants = staticmethod(grants)
    options: Any = settings(
        max_examples=examples,
        stateful_step_count=30,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(World, settings=options)


def test_the_time_limit_of_the_model_is_the_organizations(acme: Acme) -> None:
    with as_worker():
        assert claims.time_limit(acme.grant.organization_id) == timedelta(seconds=LIMIT)
