"""The sentences beside a policy say what calls meet: nothing denied is called allowed, or left out."""

from __future__ import annotations

import json
from typing import Any

import pytest

from policies.builder.plain_words import sentences_of
from policies.builder.trial import read_trial
from policies.language.compile import compile_policy
from policies.language.parse import parse_policy

MANY = [f"file:///{number}/*" for number in range(23)]


def said(policy: dict[str, Any]) -> list[str]:
    compiled = compile_policy(parse_policy(json.dumps({"version": "1", "default": "deny"} | policy)), ())
    return [" ".join((each.lead, *each.names, *each.said)).strip() for each in sentences_of(compiled, ())]


@pytest.mark.parametrize(
    ("access", "sentence"),
    [
        (
            {"default": "deny", "allow": ["file:///*"], "deny": ["file:///etc/*", "file:///root/*"]},
            "Resources are denied, except file:///*. Still denied: file:///etc/*, file:///root/*.",
        ),
        (
            {"default": "allow", "allow": ["file:///*"], "deny": ["file:///etc/*"]},
            "Resources are allowed, except file:///etc/*.",
        ),
        (
            {"default": "deny", "allow": MANY},
            f"Resources are denied, except {', '.join(MANY[:20])} and 3 more.",
        ),
        ({"default": "deny"}, "Resources are denied."),
    ],
)
def test_what_is_allowed_of_resources_is_said_with_what_is_not(access: dict[str, Any], sentence: str) -> None:
    assert sentence in said({"resources": access})


def test_hidden_names_that_are_not_all_told_are_counted() -> None:
    names = [f"t{number}" for number in range(53)]
    assert said({"hide": names})[0].startswith(f"{' '.join(names[:50])} and 3 more are hidden: ")
    assert said({"hide": names[:50]})[0].startswith(f"{' '.join(names[:50])} are hidden: ")


@pytest.mark.parametrize("undecidable", [{"approve_if": True}, {"limits": True}])
def test_a_tried_call_that_cannot_be_judged_is_not_said_to_count(undecidable: dict[str, bool]) -> None:
    condition = {"path": "args.n", "op": "gt", "value": 5}
    limit = {"counter": "c", "window": "minute", "max": 5, "scope": "grant"}
    rule: dict[str, Any] = {"limits": [limit]}
    if "approve_if" in undecidable:
        rule["approve_if"] = [{"conditions": [condition]}]
    else:
        rule["limits"].append({**limit, "counter": "d", "increment_from": "args.n"})
    text = json.dumps({"version": "1", "default": "deny", "tools": {"t": rule}})
    tried = read_trial(text, {"tool": "t", "arguments": "n: some"}, ())
    assert tried.expect == "deny"
    assert [step.state for step in tried.steps] == ["passed", "stopped"]
    assert not any("counts toward" in step.words for step in tried.steps)
