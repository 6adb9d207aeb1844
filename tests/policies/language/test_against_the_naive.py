"""Two evaluators that share no code, asked the same: every answer is the same answer."""

import os
import random
import time
from decimal import Decimal

import pytest

from policies.language.compile import ToolFacts, compile_policy
from policies.language.decision import PromptGet, ResourceRead, ToolCall
from policies.language.parse import parse_policy
from policies.language.simulate import Simulation, Verdict
from policies.language.virtual_counters import Holder
from tests.policies.naive import values
from tests.policies.naive.generate import Generator, Step, dump
from tests.policies.naive.world import Told, World

from .adapter import read_arguments
from .cases import Case, arguments_text, every_case, policy_text

# The slice asks the same every time, so that a failure is the change's; 0 draws a seed of its own.
SEED = int(os.environ.get("LANGUAGE_SEED", "1")) or random.SystemRandom().randrange(1, 2**32)
SLICE_SECONDS = 60
SLICE_POLICIES = 12_000
ALL_POLICIES = 100_000


def ours(simulation: Simulation, step: Step) -> Verdict | None:
    holder = Holder(*step.who)
    if step.kind == "resources":
        return simulation.call(ResourceRead(step.name), Decimal(step.at), holder)
    if step.kind == "prompts":
        return simulation.call(PromptGet(step.name), Decimal(step.at), holder)
    call = ToolCall(step.name, read_arguments(step.arguments))
    if step.kind == "answer":
        simulation.answer(
            call, "approved" if step.said == "approved" else "declined", Decimal(step.at), holder
        )
        return None
    return simulation.call(call, Decimal(step.at), holder)


def theirs(world: World, step: Step) -> Told | None:
    if step.kind in ("resources", "prompts"):
        return world.read(step.kind, step.name)
    arguments = values.read(step.arguments)
    if step.kind == "answer":
        world.answer(step.who, step.name, arguments, step.said, step.at)
        return None
    return world.call(step.who, step.name, arguments, step.at)


def difference(text: str | None, classes: dict[str, str | None], steps: list[Step]) -> str | None:
    compiled = None
    if text is not None:
        compiled = compile_policy(parse_policy(text), [ToolFacts(*known) for known in classes.items()])
    simulation = Simulation(compiled)
    world = World(None if text is None else values.read(text), classes)
    for step in steps:
        got, told = ours(simulation, step), theirs(world, step)
        if got is None or told is None:
            continue
        mine = (str(got.outcome), got.code, got.rule, got.retry_after_seconds)
        naive = (told.outcome, told.code, told.rule, told.retry_after_seconds)
        if mine != naive or (told.reason is not None and told.reason != got.reason):
            return f"{text}\n{classes}\n{step}\nours {mine}\nnaive {naive} {told.reason!r}"
    return None


def compare(policies: int, seconds: float) -> int:
    """As many as there is time for; what was asked is told by the seed and a policy's number alone."""
    until, number = time.monotonic() + seconds, 0
    while number < policies and time.monotonic() < until:
        generator = Generator(random.Random(f"{SEED}:{number}"))
        text, classes, steps = dump(generator.policy()), generator.classes(), generator.steps()
        found = difference(text, classes, steps)
        assert found is None, f"LANGUAGE_SEED={SEED}, policy {number}\n{found}"
        number += 1
    return number


def test_a_slice_of_random_policies_is_decided_alike() -> None:
    print(f"LANGUAGE_SEED={SEED}")
    assert compare(SLICE_POLICIES, SLICE_SECONDS) > 100


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_a_hundred_thousand_random_policies_are_decided_alike() -> None:
    print(f"LANGUAGE_SEED={SEED}")
    assert compare(ALL_POLICIES, 3000) == ALL_POLICIES


def test_the_random_policies_reach_every_answer_there_is() -> None:
    seen: set[tuple[str, str | None]] = set()
    for number in range(1500):
        generator = Generator(random.Random(f"reach:{number}"))
        world = World(generator.policy(), generator.classes())
        world.policy = values.read(dump(world.policy))
        for told in filter(None, (theirs(world, step) for step in generator.steps())):
            seen.add((told.outcome, told.code))
    assert {code for _, code in seen} == {
        None,
        *(
            "hidden",
            "default_deny",
            "malformed",
            "denied",
            "requirement_failed",
            "undecidable",
            "limit_exceeded",
        ),
        *("approval_required", "approval_declined", "approval_expired"),
    }


def _cases() -> list[object]:
    return [param for param in every_case() if "calls" in param.values[0]]


@pytest.mark.parametrize("case", _cases())
def test_the_naive_evaluator_answers_as_the_cases_say(case: Case) -> None:
    """It is held to the same cases, so that it is not wrong in a way of its own."""
    classes = {tool["name"]: tool.get("class") for tool in case.get("tools", [])}
    world = World(None if case["policy"] is None else values.read(policy_text(case)), classes)
    made: list[Step] = []
    for index, step in enumerate(case["calls"]):
        at = str(step["at"])
        if "event" in step:
            call = made[step["call"]]
            made.append(Step("answer", at, call.who, call.name, call.arguments, step["event"]))
        else:
            who = (step["organization"], step["server"], step["grant"])
            kind = "call" if "tool" in step else "resources" if "resource" in step else "prompts"
            name = step.get("tool") or step.get("resource") or step.get("prompt")
            made.append(Step(kind, at, who, name, arguments_text(step) if kind == "call" else "{}"))
        told = theirs(world, made[-1])
        if told is None:
            continue
        for key, expected in step["expect"].items():
            if key != "reason" or told.reason is not None:
                assert getattr(told, key) == expected, f"call {index}"
