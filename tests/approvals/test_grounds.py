"""Why a person is asked, read from the one rule that asked."""

from __future__ import annotations

import json
from typing import Any

import pytest

from approvals.grounds import grounds_of
from policies.language.canonical import canonical_text
from policies.language.parse import parse_policy

DEAR = {"approve_if": [{"conditions": [{"path": "args.amount", "op": "gt", "value": 0.30}]}]}
AWAY = {"approve_if": [{"conditions": [{"path": "args.to", "op": "eq", "value": 'a "b" \\ c'}]}]}


def stored(**sections: Any) -> str:
    return canonical_text(parse_policy(json.dumps({"version": "1", "default": "deny", **sections})))


@pytest.mark.parametrize(
    ("rule", "sections"),
    [
        ("/tools/pay/approve_if/0", {"tools": {"pay": DEAR, "send": AWAY}}),
        ("/tools/pay~1~0*/approve_if/0", {"tools": {"pay/~*": DEAR, "send": AWAY}}),
        ("/classes/Financial/approve_if/0", {"classes": {"Financial": DEAR}, "tools": {"send": AWAY}}),
        ("/all_tools/approve_if/0", {"all_tools": DEAR, "tools": {"send": AWAY}}),
    ],
)
def test_the_rule_that_asked_is_found_among_others(rule: str, sections: dict[str, Any]) -> None:
    found = grounds_of(rule, "pay", "", stored(**sections))
    assert found.because == "amount is more than 0.3"
    assert found.marks == {"amount": "more than 0.3"}


def test_a_text_in_a_rule_stays_what_it_was() -> None:
    found = grounds_of("/tools/send/approve_if/0", "send", "", stored(tools={"send": AWAY}))
    assert found.marks == {"to": '“a "b" \\ c”'}


@pytest.mark.parametrize(
    ("rule", "document"),
    [
        ("/tools/gone/approve_if/0", stored(tools={"pay": DEAR})),
        ("/tools/pay/approve_if/7", stored(tools={"pay": DEAR})),
        ("/hide/pay/approve_if/0", stored(tools={"pay": DEAR}, hide=["x"])),
        ("/default/pay/approve_if/0", stored(tools={"pay": DEAR})),
        ("/tools/pay/approve_if/0", "{"),
        ("/tools/pay/approve_if/0", None),
    ],
)
def test_a_rule_that_is_not_there_any_more_is_said_in_general(rule: str, document: str | None) -> None:
    assert grounds_of(rule, "pay", "", document).marks == {}
