"""The policies that the tool pages recommend do what the pages say of them."""

import json
from decimal import Decimal
from pathlib import Path

import pytest

from policies.language.compile import ToolFacts, compile_policy
from policies.language.decision import Outcome, ToolCall
from policies.language.parse import find_problems, parse_policy
from policies.language.simulate import Simulation, Verdict
from policies.language.virtual_counters import Holder

from .cases import CASES

SEEDS = sorted((CASES / "seeds").glob("*.json"))
RATES = {
    "create_access_key": 30,
    "put_user_policy": 30,
    "policy_generation_start": 10,
    "start_security_scan": 10,
}
ALICE = Holder("acme", "prometheus", "alice's agent")


def tool_of(seed: Path) -> str:
    return seed.stem.split(".")[1]


def simulation(text: str, tool: str) -> Simulation:
    return Simulation(
        compile_policy(parse_policy(text), [ToolFacts(tool, "Write"), ToolFacts("other", "Read")])
    )


def calls(world: Simulation, tool: str, times: int, at: int = 0) -> list[Verdict]:
    return [world.call(ToolCall(tool, {}), at, ALICE) for _ in range(times)]


def test_there_are_five_pages() -> None:
    assert len(SEEDS) == 5
    assert {tool_of(seed) for seed in SEEDS} == set(RATES)


@pytest.mark.parametrize("seed", SEEDS, ids=lambda seed: seed.stem)
def test_a_recommended_policy_can_be_pasted_as_it_stands(seed: Path) -> None:
    assert find_problems(seed.read_text()) == ()


@pytest.mark.parametrize("seed", SEEDS, ids=lambda seed: seed.stem)
def test_the_tool_stays_usable_but_capped(seed: Path) -> None:
    tool = tool_of(seed)
    most = RATES[tool]
    world = simulation(seed.read_text(), tool)
    assert {verdict.outcome for verdict in calls(world, tool, most)} == {Outcome.ALLOW}
    (refused,) = calls(world, tool, 1, at=48)
    assert (refused.outcome, refused.code, refused.rule) == (
        Outcome.DENY,
        "limit_exceeded",
        f"/tools/{tool}/limits/0",
    )
    assert refused.retry_after_seconds == 12
    assert refused.reason == f"{tool} has reached a limit; try again in 12 s."
    assert world.call(ToolCall(tool, {}), 60, ALICE).outcome is Outcome.ALLOW


@pytest.mark.parametrize("seed", SEEDS, ids=lambda seed: seed.stem)
def test_everything_else_on_the_server_is_denied(seed: Path) -> None:
    (refused,) = calls(simulation(seed.read_text(), tool_of(seed)), "other", 1)
    assert (refused.outcome, refused.code, refused.rule) == (Outcome.DENY, "default_deny", "(default deny)")
    assert refused.reason == "No tool named other is available here."


@pytest.mark.parametrize("tool", RATES)
def test_the_rate_limit_of_the_answers_limits_to_ten_in_a_minute(tool: str) -> None:
    text = json.dumps(
        {"version": "1", "default": "deny", "tools": {tool: {"rate_limit": {"max": 10, "window": 60}}}}
    )
    world = simulation(text, tool)
    assert {verdict.outcome for verdict in calls(world, tool, 10)} == {Outcome.ALLOW}
    (refused,) = calls(world, tool, 1)
    assert (refused.code, refused.retry_after_seconds) == ("limit_exceeded", 60)
    assert world.call(ToolCall(tool, {}), Decimal(60), ALICE).outcome is Outcome.ALLOW


def test_action_deny_blocks_a_tool_with_its_reason() -> None:
    policy = '{"version":"1","default":"allow","tools":{"drop":{"action":"deny","reason":"Ask Alice."}}}'
    (refused,) = calls(simulation(policy, "drop"), "drop", 1)
    assert (refused.outcome, refused.code, refused.reason) == (Outcome.DENY, "denied", "Ask Alice.")
