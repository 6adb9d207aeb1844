"""Recorded calls decided again: exact where the log knows enough, and "not known" everywhere else."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from policies.language.compile import CompiledPolicy, ToolFacts, compile_policy
from policies.language.decision import MISSING
from policies.language.parse import parse_policy
from policies.replay import Replay, ToolTraffic, replay
from policies.traffic import Became, RecordedCall, Traffic

ONE, OTHER = UUID(int=1), UUID(int=2)


def draft(rule: str, more: str = "") -> CompiledPolicy:
    text = f'{{"version": "1", "default": "deny", "tools": {{"refund": {rule}{more}}}}}'
    return compile_policy(parse_policy(text), [ToolFacts("refund", None), ToolFacts("look", None)])


def call(
    at: float = 0, tool: str = "refund", became: Became = "passed", grant: UUID = ONE, **kept: Any
) -> RecordedCall:
    names = frozenset({"amount", "owner"})
    return RecordedCall(int(at * 1000), grant, tool, became, names, {(k,): v for k, v in kept.items()})


def decided(policy: CompiledPolicy, *calls: RecordedCall) -> ToolTraffic:
    return played(policy, *calls).tools["refund"]


def played(policy: CompiledPolicy, *calls: RecordedCall) -> Replay:
    return replay(policy, Traffic(calls, 0, True))


def test_a_rule_that_denies_would_have_refused_what_was_allowed() -> None:
    told = decided(draft('{"action": "deny"}'), call(), call(1, grant=OTHER), call(2, became="refused"))
    assert (told.calls, told.refused.calls, told.refused.by) == (3, 2, 2)
    assert (told.changed, told.unknown.calls) == (2, 0)


def test_what_was_refused_and_would_pass_is_told_apart() -> None:
    told = decided(draft("{}"), call(became="refused"), call(1), call(2, became="asked"))
    assert (told.passed.calls, told.refused.calls, told.asked.calls) == (2, 0, 0)


def test_calls_would_wait_for_a_person() -> None:
    told = decided(draft('{"action": "require_approval"}'), call(), call(1, became="asked"))
    assert (told.asked.calls, told.changed) == (1, 1)


def test_a_limit_fills_as_the_calls_came() -> None:
    policy = draft('{"rate_limit": {"max": 2, "window": "minute"}}')
    times = [0, 10, 20, 59.999, 60, 61, 70]
    told = decided(policy, *(call(at) for at in times), call(62, grant=OTHER))
    # 20 and 59.999 find it full; 60 and 70 find the first two gone; 61 does not.
    assert (told.refused.calls, told.refused.by) == (3, 1)


def test_tools_that_share_a_counter_fill_it_together() -> None:
    shared = '{"limits": [{"counter": "both", "window": "minute", "max": 2, "scope": "grant"}]}'
    policy = draft(shared, f', "look": {shared}')
    seen = played(policy, call(0), call(1, tool="look"), call(2), call(3, tool="look", grant=OTHER))
    assert seen.tools["refund"].refused.calls == 1
    assert seen.tools["look"].changed == 0
    assert (seen.calls, seen.changed, seen.same) == (4, 1, 3)


def test_a_counter_of_the_server_is_one_for_all_grants() -> None:
    rule = '{"limits": [{"counter": "all", "window": "minute", "max": 1, "scope": "server"}]}'
    assert decided(draft(rule), call(0), call(1, grant=OTHER)).refused.by == 1


AT_MOST = '{"require": [{"conditions": [{"path": "args.amount", "op": "lte", "value": 50}]}]}'


def test_values_that_were_not_kept_are_never_guessed() -> None:
    told = decided(draft(AT_MOST), call(), call(1, became="refused"))
    assert (told.unknown.calls, told.changed) == (2, 0)
    assert told.unread_named == ["args.amount"]


def test_kept_values_are_judged_exactly() -> None:
    told = decided(draft(AT_MOST), call(0, amount=50), call(1, amount=51), call(2))
    assert (told.refused.calls, told.unknown.calls) == (1, 1)


def test_an_argument_that_was_not_there_is_known_by_the_names_alone() -> None:
    rule = '{"require": [{"conditions": [{"path": "args.ticket", "op": "exists", "value": true}]}]}'
    assert decided(draft(rule), call()).refused.calls == 1
    without_names = RecordedCall(0, ONE, "refund", "passed", None)
    assert decided(draft(rule), without_names).unknown.calls == 1
    assert decided(draft(rule), call(0, ticket=MISSING)).refused.calls == 1


def test_that_nothing_stood_below_an_argument_may_mean_that_nothing_could() -> None:
    rule = '{"deny_if": [{"conditions": [{"path": "args.owner.team", "op": "eq", "value": "x"}]}]}'
    told = RecordedCall(0, ONE, "refund", "refused", frozenset({"owner"}), {("owner", "team"): MISSING})
    seen = decided(draft(rule), told)
    assert (seen.unknown.calls, seen.changed) == (1, 0)
    assert decided(draft(rule), call(0, owner={})).changed == 0
    without = RecordedCall(0, ONE, "refund", "refused", frozenset(), {("owner", "team"): MISSING})
    assert decided(draft(rule), without).passed.calls == 1


def test_nothing_is_read_where_every_call_is_denied() -> None:
    told = decided(draft(AT_MOST.replace("{", '{"action": "deny", ', 1)), call())
    assert (told.refused.calls, told.unknown.calls) == (1, 0)


def test_a_value_that_a_limit_adds_up_has_to_be_known() -> None:
    rule = (
        '{"limits": [{"counter": "sum", "window": "hour", "max": 100, "scope": "grant",'
        ' "increment_from": "args.amount"}]}'
    )
    assert decided(draft(rule), call()).unread_named == ["args.amount"]
    told = decided(draft(rule), call(0, amount=60), call(1, amount=41), call(2, amount=40))
    assert (told.refused.calls, told.unknown.calls) == (1, 0)


def test_ends_that_no_policy_had_a_say_in_stay_as_they_are() -> None:
    told = decided(draft('{"action": "deny"}'), call(became="other"))
    assert (told.calls, told.changed, told.unknown.calls) == (1, 0, 0)


def test_the_whole_of_the_arguments_is_not_known() -> None:
    rule = '{"deny_if": [{"conditions": [{"path": "args", "op": "length_gte", "value": 9}]}]}'
    assert decided(draft(rule), call(0, amount=1)).unknown.calls == 1


def test_a_policy_that_takes_too_long_is_not_waited_for_and_that_is_said() -> None:
    calls = tuple(call(at) for at in range(200))
    seen = replay(draft("{}"), Traffic(calls, 0, True), budget_seconds=-1)
    assert (seen.calls, seen.whole) == (0, False)
    assert replay(draft("{}"), Traffic(calls, 0, True)).whole
