"""Calls of 2026-07-28 that take several rounds: the server asks for input and the client retries with it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import mcp_types as types
from mcp.server.context import ServerRequestContext
from mcp.shared.exceptions import MCPError

from tests.conformance.fixture_content import (
    CONFIRM,
    ROOTS,
    Json,
    asks_for,
    content,
    elicitation,
    sampling,
    text,
)

Context = ServerRequestContext[Any, Any]
Answers = dict[str, Any]
Round = Callable[[Context, Answers, str | None], Json]


def required(requests: Json, state: str | None = None) -> Json:
    asked: Json = {"resultType": "input_required", "inputRequests": requests}
    return asked if state is None else {**asked, "requestState": state}


def done(said: str) -> Json:
    return content(text(said))


def _by_elicitation(_: Context, answers: Answers, __: str | None) -> Json:
    name = _accepted(answers, "user_name").get("name")
    if name is None:
        return required({"user_name": asks_for("What is your name?", "name")})
    return done(f"Hello, {name}!")


def _by_sampling(_: Context, answers: Answers, __: str | None) -> Json:
    if "capital_question" not in answers:
        return required({"capital_question": sampling("What is the capital of France?")})
    return done(f"The model said {answers['capital_question'].content}.")


def _by_roots(_: Context, answers: Answers, __: str | None) -> Json:
    if "client_roots" not in answers:
        return required({"client_roots": ROOTS})
    return done(f"The roots are {[str(root.uri) for root in answers['client_roots'].roots]}.")


def _with_state(_: Context, answers: Answers, state: str | None) -> Json:
    if "confirm" not in answers or state != "asked":
        return required({"confirm": elicitation("Please confirm", CONFIRM)}, "asked")
    return done("state-ok")


def _several(_: Context, answers: Answers, state: str | None) -> Json:
    requests = {
        "user_name": asks_for("What is your name?", "name"),
        "greeting": sampling("Generate a greeting", 50),
        "client_roots": ROOTS,
    }
    if not requests.keys() <= answers.keys() or state != "asked":
        return required(requests, "asked")
    return done("All three were answered.")


def _two_rounds(_: Context, answers: Answers, state: str | None) -> Json:
    if "step2" in answers and state == "second":
        return done("Both steps were answered.")
    if "step1" in answers and state == "first":
        return required({"step2": asks_for("Step 2: What is your favorite color?", "color")}, "second")
    return required({"step1": asks_for("Step 1: What is your name?", "name")}, "first")


def _by_capability(ctx: Context, answers: Answers, _: str | None) -> Json:
    if answers:
        return done("What could be asked was answered.")
    can = ctx.session.client_capabilities or types.ClientCapabilities()
    requests: Json = {}
    if can.sampling is not None:
        requests["sampled"] = sampling("What can you do?")
    if can.elicitation is not None:
        requests["asked"] = elicitation("Please confirm", CONFIRM)
    return required(requests) if requests else done("This client can be asked nothing.")


ROUNDS: dict[str, Round] = {
    "test_input_required_result_elicitation": _by_elicitation,
    "test_input_required_result_sampling": _by_sampling,
    "test_input_required_result_list_roots": _by_roots,
    "test_input_required_result_request_state": _with_state,
    "test_input_required_result_multiple_inputs": _several,
    "test_input_required_result_multi_round": _two_rounds,
    "test_input_required_result_tampered_state": _with_state,
    "test_input_required_result_capabilities": _by_capability,
    "test_streaming_elicitation": _with_state,
}


def in_rounds(ctx: Context, params: types.CallToolRequestParams) -> Json:
    return ROUNDS[params.name](ctx, dict(params.input_responses or {}), params.request_state)


def prompt_in_rounds(params: types.GetPromptRequestParams, given: dict[str, str]) -> Json | None:
    """Ask for the context; once it is known, put it among the arguments and return None."""
    context = _accepted(dict(params.input_responses or {}), "user_context").get("context")
    if context is None:
        return required({"user_context": asks_for("What context should the prompt use?", "context")})
    given["context"] = str(context)
    return None


def _accepted(answers: Answers, key: str) -> Json:
    answer = answers.get(key)
    if answer is None:
        return {}
    if not isinstance(answer, types.ElicitResult):
        raise MCPError(types.INVALID_PARAMS, f"The answer to {key} is none to an elicitation.")
    return dict(answer.content or {})
