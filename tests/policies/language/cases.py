"""The case files, and how a case is asked."""

import base64
import json
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from . import adapter

Case: TypeAlias = dict[str, Any]
CASES = Path(__file__).parents[2] / "cases" / "policy"


def families() -> list[str]:
    return sorted(path.stem for path in CASES.glob("*.json"))


def every_case() -> list[Any]:
    return [
        pytest.param(case, id=f"{family}: {case['name']}")
        for family in families()
        for case in json.loads((CASES / f"{family}.json").read_text(encoding="utf-8"))
    ]


def policy_texts() -> list[str]:
    """Every text of the corpus that is a policy, once."""
    texts: dict[str, None] = {}
    for param in every_case():
        (case,) = param.values
        if case.get("policy") is not None:
            texts[policy_text(case)] = None
        elif case.get("canonical"):
            texts[case["canonical"]] = None
    return list(texts)


def policy_text(case: Case) -> str:
    policy = case["policy"]
    return policy if isinstance(policy, str) else json.dumps(policy)


def source(case: Case) -> str | bytes:
    if "text" in case:
        text: str = case["text"]
        return text
    if "text_base64" in case:
        return base64.b64decode(case["text_base64"])
    made = case["text_gen"]
    repeated = (made["repeat"].replace("{i}", str(index)) for index in range(made["times"]))
    return str(made["prefix"] + made.get("sep", "").join(repeated) + made["suffix"])


def arguments_text(step: Case) -> str:
    if "arguments_text" in step:
        return str(step["arguments_text"])
    if "arguments_fill" in step:
        return json.dumps({key: fill["char"] * fill["count"] for key, fill in step["arguments_fill"].items()})
    return json.dumps(step["arguments"])


def answers(case: Case, policy: str | None) -> list[tuple[int, dict[str, object]]]:
    """What the calls of a case got, by their index."""
    world, made, got = adapter.start(policy, case.get("tools", [])), list[dict[str, str]](), []
    for index, step in enumerate(case["calls"]):
        at = Decimal(str(step["at"]))
        if "event" in step:
            world.answer(made[step["call"]], step["event"], at)
            made.append({})
            continue
        keys = ("organization", "server", "grant", "tool", "resource", "prompt")
        call = {key: step[key] for key in keys if key in step}
        if "tool" in step:
            call["arguments"] = arguments_text(step)
        made.append(call)
        got.append((index, world.call(call, at)))
    return got
