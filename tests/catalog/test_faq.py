"""The six answers about a tool are true of it and of the policy beside them."""

from __future__ import annotations

import json

import pytest

from catalog.advice import Listed, advise
from catalog.classify import ToolInput, classify
from catalog.faq import questions
from catalog.prose import reached
from policies.language.compile import compile_policy
from policies.language.effects import Effect
from policies.language.explain import explanation
from policies.language.parse import parse_policy

PROGRAM = reached(["stdio", "sse"], hosted=False, withdrawn=False)


def answers(name: str, how: str = PROGRAM) -> list[str]:
    found = classify(ToolInput(name))
    advice = advise(Listed(name, (), found), ())
    return [asked.answer for asked in questions(name, "Mill", "mill/mill", found, advice, how)]


def test_a_server_that_is_a_program_is_not_said_to_need_nothing() -> None:
    assert "nothing to install" not in answers("get_wheel")[1]
    assert "The server is a program" in answers("get_wheel")[1]
    assert "nothing to install" in answers("get_wheel", reached(["sse"], hosted=True, withdrawn=False))[1]
    assert "ask them for its address" in reached([], hosted=True, withdrawn=True)


def test_only_what_its_client_starts_is_said_to_be_a_program() -> None:
    over_http = answers("get_wheel", reached(["streamable-http"], hosted=False, withdrawn=False))[1]
    assert "is a program" not in over_http and "whoever runs it can tell you its address" in over_http
    assert "if it is a program" in answers("get_wheel", reached([], hosted=False, withdrawn=False))[1]


@pytest.mark.parametrize("name", ["get_wheel", "delete_wheel", "get_secret"])
def test_the_limit_that_is_named_can_be_added_to_the_recommended_rule(name: str) -> None:
    rate = answers(name)[3]
    example = json.loads(f"{{{rate[rate.index('add ') + 4 : rate.index(' to its rule')]}}}")
    policy = json.loads(advise(Listed(name, (), classify(ToolInput(name))), ()).text)
    policy["tools"][name] |= example
    compiled = compile_policy(parse_policy(json.dumps(policy)), ())
    assert "10 calls per minute" in " ".join(explanation(compiled, name).details)


def test_a_rate_is_named_only_where_the_recommended_policy_has_it() -> None:
    recommended = advise(Listed("add_wheel", (), classify(ToolInput("add_wheel"))), ())
    assert recommended.effect is Effect.LIMITED and recommended.sentences == (
        "At most 30 calls per minute for each grant.",
    )
    assert "allows 30 calls a minute" in answers("add_wheel")[3]
    assert "10 calls a minute" in answers("run_wheel")[3]
    assert answers("add_*")[3].startswith("Not by itself")
