"""Adding to a row that follows another rule: nothing that held before may stop to hold."""

from __future__ import annotations

import json
from typing import Any

import pytest

from policies.builder.acts import act
from policies.builder.fields import Fields
from policies.language.board import read_board
from policies.language.board_edit import is_closed
from policies.language.text_edit import CannotEdit
from policies.outlook import facts_of
from servers.models import Tool

SCHEMA = {"type": "object", "properties": {"amount": {"type": "number"}}, "required": ["amount"]}
TOOLS = [
    Tool(name="pay", tool_class="Financial", input_schema=SCHEMA),
    Tool(name="look", tool_class="Read", input_schema=SCHEMA),
]
DAILY = {"counter": "money", "window": "day", "max": 5, "scope": "organization"}
ADDING = (
    {"do": "limit-add"},
    *({"do": "predicate-add", "section": section} for section in ("require", "deny_if", "approve_if")),
)


def policy(**parts: Any) -> str:
    return json.dumps({"version": "1", "default": "deny", **parts})


def added(text: str, row: str, fields: dict[str, str]) -> Any:
    new = json.loads(
        act(text, Fields({key: [value] for key, value in {**fields, "row": row}.items()}), TOOLS)
    )
    return new["tools"]["pay"] if row == "/tools/pay" else new["classes"]["Financial"]


@pytest.mark.parametrize("fields", ADDING, ids=lambda fields: fields.get("section", "limit"))
def test_what_is_added_keeps_the_rule_that_the_tool_followed(fields: dict[str, str]) -> None:
    followed = {"action": "require_approval", "reason": "Ask Alice.", "limits": [DAILY]}
    for parts in ({"classes": {"Financial": followed}}, {"tools": {"p*": followed}}):
        rule = added(policy(**parts), "/tools/pay", fields)
        assert {"action": rule["action"], "reason": rule["reason"]} == {
            "action": "require_approval",
            "reason": "Ask Alice.",
        }
        assert rule["limits"][0] == DAILY


ASKED = {"conditions": [{"path": "args.amount", "op": "lte", "value": 5}]}
FOLLOWED = {"action": "require_approval", "require": [ASKED], "limits": [DAILY]}


@pytest.mark.parametrize(
    ("verb", "kept"),
    [
        ("rules", {"require": [ASKED], "limits": [DAILY]}),
        ("limit", {"limits": [DAILY]}),
        ("approval", FOLLOWED),
        ("allow", {}),
    ],
)
@pytest.mark.parametrize(
    "parts",
    [
        {"classes": {"Financial": FOLLOWED}},
        {"tools": {"p*": FOLLOWED}},
        {"classes": {"Financial": FOLLOWED}, "hide": ["pay"]},
    ],
)
def test_a_verb_begins_with_the_rule_that_the_tool_followed(
    verb: str, kept: dict[str, Any], parts: dict[str, Any]
) -> None:
    assert added(policy(**parts), "/tools/pay", {"do": "verb", "verb": verb}) == kept
    many = {"do": ["bulk"], "verb": [verb], "rows": ["/tools/pay", "/tools/look"]}
    assert json.loads(act(policy(**parts), Fields(many), TOOLS))["tools"]["pay"] == kept


def test_a_verb_begins_anew_where_the_rule_that_the_tool_followed_lets_nothing_through() -> None:
    text = policy(classes={"Financial": FOLLOWED | {"action": "deny"}})
    assert "limits" not in added(text, "/tools/pay", {"do": "verb", "verb": "approval"})


def test_a_short_limit_that_is_kept_counts_where_it_counted() -> None:
    short = {"rate_limit": {"max": 5, "window": "day"}}
    fields = {"do": "predicate-add", "section": "require"}
    of_class = added(policy(classes={"Financial": short}), "/tools/pay", fields)
    assert of_class["limits"] == [DAILY | {"counter": "class:Financial_rate", "scope": "grant"}]
    of_pattern = added(policy(tools={"pay*": short, "p*": {}}), "/tools/pay", fields)
    assert of_pattern["limits"][0]["counter"].startswith("t-") and "rate_limit" not in of_pattern


@pytest.mark.parametrize("fields", ADDING, ids=lambda fields: fields.get("section", "limit"))
@pytest.mark.parametrize(
    ("row", "parts"),
    [
        ("/tools/pay", {}),
        ("/tools/pay", {"classes": {"Financial": {"action": "deny"}}}),
        ("/tools/pay", {"tools": {"p*": {"deny_if": [{"conditions": []}]}}}),
        ("/tools/pay", {"default": "allow", "hide": ["p*"]}),
        ("/classes/Financial", {}),
    ],
)
def test_nothing_is_added_to_what_is_closed(row: str, parts: dict[str, Any], fields: dict[str, str]) -> None:
    with pytest.raises(CannotEdit, match="would open it"):
        added(policy(**parts), row, fields)


def test_a_row_is_closed_only_if_it_has_no_rule_and_lets_nothing_through() -> None:
    text = policy(tools={"pay": {"action": "deny"}}, all_tools={"action": "deny"})
    board = read_board(text, [facts_of(tool) for tool in TOOLS])
    assert {row.address.name: is_closed(row, board) for row in board.tools} == {"pay": False, "look": True}
    assert not is_closed(board.all_tools, board)


@pytest.mark.parametrize("row", ["/tools/pay", "/classes/Financial"])
def test_what_is_open_by_default_can_be_added_to(row: str) -> None:
    rule = added(policy(default="allow"), row, {"do": "limit-add"})
    assert [*rule] == ["limits"] and len(rule["limits"]) == 1


def test_a_limit_beside_an_approval_begins_with_an_hour_because_waiting_holds_a_place() -> None:
    asks = {"approve_if": [{"conditions": [{"path": "args.amount", "op": "gt", "value": 5}]}]}
    for followed, window in (({"action": "require_approval"}, "hour"), (asks, "hour"), ({}, "minute")):
        rule = added(policy(classes={"Financial": followed}), "/tools/pay", {"do": "limit-add"})
        assert rule["limits"][0]["window"] == window


@pytest.mark.parametrize(
    ("row", "parts"),
    [
        ("/tools/pay", {}),
        ("/tools/pay", {"default": "allow", "classes": {"Financial": {"action": "require_approval"}}}),
        ("/tools/gone", {"default": "allow"}),
        ("/tools/p*", {"default": "allow", "tools": {"pay": {"action": "deny"}}}),
        ("/classes/Financial", {}),
    ],
)
def test_a_reason_begins_no_rule_for_it_would_open_the_row(row: str, parts: dict[str, Any]) -> None:
    with pytest.raises(CannotEdit, match="not there any more"):
        added(policy(**parts), row, {"do": "reason", "reason": "Ask Carol."})
    assert act(policy(**parts), Fields({"do": ["reason"], "row": [row], "reason": [""]}), TOOLS) == policy(
        **parts
    )


@pytest.mark.parametrize("fields", ADDING, ids=lambda fields: fields.get("section", "limit"))
@pytest.mark.parametrize("row", ["/tools/gone", "/tools/p*"])
def test_nothing_is_added_to_a_row_that_was_removed_meanwhile(row: str, fields: dict[str, str]) -> None:
    with pytest.raises(CannotEdit, match="not there any more"):
        added(policy(), row, fields)


@pytest.mark.parametrize("fields", (*ADDING, {"do": "reason", "reason": "Ask Carol."}))
@pytest.mark.parametrize(
    ("row", "parts"),
    [
        ("/tools/pay", {"tools": {"pay": "deny"}}),
        ("/classes/Financial", {"classes": {"Financial": ["deny"]}}),
        ("/all_tools", {"all_tools": "deny"}),
    ],
)
def test_what_is_not_a_rule_is_not_replaced_by_what_is_added(
    row: str, parts: dict[str, Any], fields: dict[str, str]
) -> None:
    with pytest.raises(CannotEdit, match="is not a rule"):
        added(policy(**parts), row, fields)


def test_the_rule_for_every_call_may_begin_with_a_reason() -> None:
    sent = Fields({"do": ["reason"], "row": ["/all_tools"], "reason": ["Ask Carol."]})
    assert json.loads(act(policy(), sent, TOOLS))["all_tools"] == {"reason": "Ask Carol."}


@pytest.mark.parametrize(
    "rule",
    [
        {"limits": [DAILY | {"counter": "{tool}_rate"}]},
        {"limits": [DAILY | {"counter": "pay_rate"}]},
        {"rate_limit": {"max": 5, "window": "day"}},
    ],
)
def test_another_limit_of_a_tool_counts_in_a_counter_of_its_own(rule: dict[str, Any]) -> None:
    limits = added(policy(tools={"pay": rule}), "/tools/pay", {"do": "limit-add"})["limits"]
    assert limits[-1]["counter"] == "pay_rate_2"
