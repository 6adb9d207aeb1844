"""The first page shows six calls and the policy that judged them; the engine says the same of each."""

from __future__ import annotations

import html
import re

import pytest
from django.template.loader import render_to_string

from policies.language.compile import ToolFacts, compile_policy
from policies.language.decide import decide, is_listed
from policies.language.decision import Decision, Outcome, ToolCall
from policies.language.effects import effects
from policies.language.parse import parse_policy

TOOLS = (
    "list_pull_requests",
    "create_or_update_file",
    "merge_pull_request",
    "create_access_key",
    "delete_repository",
)


def policy_text() -> str:
    return html.unescape(re.sub(r"<[^>]+>", "", render_to_string("pages/_policy.html")))


@pytest.fixture(scope="module")
def compiled() -> object:
    return compile_policy(parse_policy(policy_text()), [ToolFacts(tool, None) for tool in TOOLS])


def judged(compiled: object, tool: str, **arguments: object) -> Decision:
    return decide(compiled, ToolCall(tool, arguments))  # type: ignore[arg-type]


def test_the_calls_that_reach_the_server_in_the_figure_are_allowed(compiled: object) -> None:
    assert judged(compiled, "list_pull_requests", repo="web").outcome is Outcome.ALLOW
    assert judged(compiled, "create_or_update_file", branch="agent/fix-nav").outcome is Outcome.ALLOW


def test_the_call_that_never_left_the_gate_is_denied_with_the_words_shown(compiled: object) -> None:
    decision = judged(compiled, "create_or_update_file", branch="main")
    assert (decision.outcome, decision.code) == (Outcome.DENY, "denied")
    answer = html.unescape(re.sub(r"<[^>]+>", "", render_to_string("pages/_answer.html")))
    assert f"[POLICY DENIED] {decision.reason}" in answer


def test_the_call_that_waits_for_a_person_asks_one(compiled: object) -> None:
    assert judged(compiled, "merge_pull_request", pullNumber=418).outcome is Outcome.APPROVAL


def test_the_thirty_first_call_in_a_minute_has_no_room(compiled: object) -> None:
    (quota,) = judged(compiled, "create_access_key").quotas
    assert (getattr(quota, "max", None), getattr(quota, "window_seconds", None)) == (30, 60)


def test_the_hidden_tool_is_not_in_the_list(compiled: object) -> None:
    assert not is_listed(compiled, "delete_repository")  # type: ignore[arg-type]
    assert judged(compiled, "delete_repository", repo="web").code == "hidden"


def test_the_figures_glyphs_are_what_the_policy_does_to_each_tool(compiled: object) -> None:
    assert effects(compiled, TOOLS) == {  # type: ignore[arg-type]
        "list_pull_requests": "allowed",
        "create_or_update_file": "conditional",
        "merge_pull_request": "needs_approval",
        "create_access_key": "limited",
        "delete_repository": "hidden",
    }
