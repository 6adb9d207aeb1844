"""What a tool lets its caller choose decides what it can do; titles and arguments where names say nothing."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.classifier.choices import MOST_KEPT, MOST_VALUES, choices_of_rows, choices_of_schema
from catalog.classify import Classification, ToolInput, classify
from tests.steps import grows_no_faster_than_its_size, steps


def schema_of(name: str, *values: object) -> dict[str, Any]:
    return {"type": "object", "properties": {name: {"type": "string", "enum": list(values)}, "id": {}}}


def chosen(tool: str, *values: str, param: str = "action", **more: Any) -> Classification:
    return classify(ToolInput(tool, choices=((param, values),), **more))


@pytest.mark.parametrize(
    ("tool", "values", "tool_class"),
    [
        ("manage_labels", ("list", "get"), "Read"),
        ("manage_issue", ("get", "update"), "Write"),
        ("manage_issue", ("get", "update", "delete"), "Destructive"),
        ("manage_vm", ("start", "list"), "Execute"),
        ("manage_payments", ("list", "refund"), "Financial"),
        ("wiki", ("list", "getPage", "createPage"), "Write"),
        ("wiki", ("list", "get"), "Read"),
        ("wiki", ("list", "frobnicate"), "Write"),
        ("get_calendar", ("get", "delete"), "Destructive"),
        ("compute_vm_power_state", ("start", "deallocate"), "Execute"),
        ("sort_rows", ("order", "filter"), "Read"),
        ("calculator", ("add", "subtract", "multiply"), "Read"),
        ("delete_user", ("get", "list"), "Destructive"),
    ],
)
def test_the_worst_that_can_be_chosen_decides(tool: str, values: tuple[str, ...], tool_class: str) -> None:
    assert chosen(tool, *values).tool_class == tool_class


def test_the_method_of_a_call_that_is_only_written_down_is_not_called() -> None:
    methods = ("GET", "POST", "DELETE")
    assert chosen("createRequest", *methods, param="method").tool_class == "Write"
    assert chosen("send_request", *methods, param="method").tool_class == "Destructive"
    assert chosen("trace_requests", *methods, param="method").tool_class == "Read"


def test_a_choice_that_names_what_is_answered_does_nothing() -> None:
    values = ("slowQueryLogs", "dropIndexSuggestions")
    assert chosen("get_advice", *values, param="operations").tool_class == "Read"


def test_a_choice_that_decides_is_the_evidence() -> None:
    found = chosen("manage_issue", "get", "delete", param="operation")
    assert (found.evidence[0].rule, found.evidence[0].words) == ("params.choice", ("operation",))
    assert "“delete” can be chosen as “operation”" in found.evidence[0].sentence
    assert not found.needs_review


def test_a_server_that_hints_read_only_does_not_talk_away_what_can_be_chosen() -> None:
    found = chosen("issues", "get", "update", annotations={"readOnlyHint": True})
    assert found.tool_class == "Write"


@pytest.mark.parametrize(
    "schema",
    [
        schema_of("action", "get", "delete"),
        schema_of("issueAction", "get", "delete"),
        {"properties": {"op": {"type": "array", "items": {"enum": ["get", "delete"]}}}},
        {"properties": {"op": {"anyOf": [{"const": "get"}, {"const": "delete"}, {"type": "null"}]}}},
        {"properties": {"op": {"allOf": [{"enum": ["get", "delete"]}], "default": "get"}}},
        {
            "properties": {"op": {"$ref": "#/$defs/Op"}},
            "$defs": {"Op": {"enum": ["get", "delete"]}},
        },
    ],
)
def test_choices_are_read_wherever_a_schema_keeps_them(schema: dict[str, Any]) -> None:
    [(_, values)] = choices_of_schema(schema)
    assert values == ("get", "delete")


@pytest.mark.parametrize(
    "schema",
    [
        None,
        [],
        {"properties": []},
        {"properties": {"action": None, 3: {}}},
        {"properties": {"action": {"enum": "delete"}}},
        {"properties": {"action": {"enum": [1, None, {}, "x" * 61, ""]}}},
        {"properties": {"action": {"$ref": "#/properties/action"}}},
        {"properties": {"action": {"anyOf": [{"$ref": "#/a/b"}, 4]}}},
        {"properties": {"": {"enum": ["delete"]}}},
    ],
)
def test_a_schema_without_choices_or_with_odd_ones_gives_none(schema: object) -> None:
    assert choices_of_schema(schema) == ()


def test_a_schema_that_never_ends_is_read_to_an_end() -> None:
    loop: dict[str, Any] = {"enum": [f"do{number}" for number in range(1000)]}
    loop["anyOf"] = [loop] * 1000
    (_, values), *others = choices_of_schema({"properties": {f"{n}_action": loop for n in range(300)}})
    assert len(values) == MOST_VALUES and sum(len(more) for _, more in others) == MOST_KEPT - MOST_VALUES


def test_what_says_what_is_done_is_kept_before_all_else() -> None:
    colours = {f"colour{n}": {"enum": [f"c{n}{m}" for m in range(60)]} for n in range(9)}
    kept = choices_of_schema({"properties": {**colours, "action": {"enum": ["get", "delete"]}}})
    assert kept[0] == ("action", ("get", "delete"))
    assert [name for name, _ in kept[1:]] == ["colour0", "colour1", "colour2", "colour3"]


def test_what_is_kept_is_short_text_on_one_line_each_once() -> None:
    odd = ["get", "get", "de\x00l\nete", "\ud800x", "x" * 61, "x" * 60, "", " ", 7, None, ["get"]]
    assert choices_of_schema(schema_of("a\x00ction", *odd)) == (
        ("a ction", ("get", "de l ete", "x", "x" * 60)),
    )


def test_only_what_says_what_is_done_is_heard() -> None:
    assert chosen("manage_issue", "get", "delete", param="colour").tool_class == "Write"
    assert chosen("manage_issue", "get", "delete", param="issueAction").tool_class == "Destructive"


def test_choices_of_a_line_are_taken_and_odd_ones_left_out() -> None:
    rows = {"action": ["get", 4], "colour": ["red"], "op": "x", "": ["get"], "none": []}
    assert choices_of_rows(rows) == (("action", ("get",)), ("colour", ("red",)))
    assert choices_of_rows(["action"]) == ()


@given(st.text(max_size=20), st.lists(st.text(max_size=12), max_size=4))
def test_whatever_can_be_chosen_is_answered_and_never_lowers_a_plain_name(
    name: str, values: list[str]
) -> None:
    choices = (("action", tuple(values)),)
    assert classify(ToolInput(name, choices=choices)).evidence
    assert classify(ToolInput("delete_it", choices=choices)).tool_class in ("Destructive", "Financial")


@pytest.mark.parametrize(
    ("description", "tool_class"),
    [
        ("Manage issues: list, create, update or delete them.", "Destructive"),
        ("Manage contexts. List, get, or set the current one.", "Write"),
        ("Manage how it looks.", "Write"),
    ],
)
def test_verbs_in_a_row_tell_what_managing_is(description: str, tool_class: str) -> None:
    assert classify(ToolInput("manage_them", description)).tool_class == tool_class


@pytest.mark.parametrize(
    ("title", "tool_class"),
    [
        ("List the widgets", "Read"),
        ("Erase all widgets", "Destructive"),
        ("Refund a widget", "Financial"),
        ("Widgets", "Write"),
    ],
)
def test_a_title_speaks_where_the_name_does_not(title: str, tool_class: str) -> None:
    found = classify(ToolInput("zqx", title=title))
    assert found.tool_class == tool_class
    assert (found.evidence[0].field == "title") == (title != "Widgets")
    assert classify(ToolInput("delete_zqx", title=title)).tool_class in ("Destructive", "Financial")


@pytest.mark.parametrize(
    ("name", "tool_class"),
    [
        *(("check_in_guest", "Write"), ("guest_check_out", "Write"), ("check_inventory", "Read")),
        *(("tear_down_lab", "Destructive"), ("top_up_phone", "Financial"), ("spin_up_lab", "Execute")),
        *(("place_stop_order", "Financial"), ("reset_stop_words", "Write"), ("open_orders", "Read")),
        *(
            ("open_order", "Write"),
            ("get_card_by_set_and_number", "Read"),
            ("create_or_delete_card", "Destructive"),
        ),
        *(("recent_build_issues", "Read"), ("trade_finder", "Read"), ("exercise_option", "Financial")),
        *(("terminate_instances", "Destructive"), ("terminate_process", "Execute")),
        *(("blur_image", "Write"), ("image_blur", "Write"), ("roll_dice", "Read"), ("exit_game", "Execute")),
        *(("liquidate_holdings", "Financial"), ("eradicate_rows", "Destructive"), ("wire_usd", "Financial")),
        *(
            ("git_files", "Read"),
            ("customer_widgets", "Read"),
            ("zqx_widgets", "Write"),
            ("random_zqx", "Read"),
        ),
        *(
            ("convert_lead", "Write"),
            ("convert_units", "Read"),
            ("load_skill", "Read"),
            ("load_data", "Write"),
        ),
        *(("websearch", "Read"), ("smartscraper", "Read"), ("sendemail", "Write"), ("heatmap", "Read")),
        *(("zqx_browser_use_agent", "Execute"), ("zqx_analysis", "Read"), ("home_manager_zqx", "Write")),
        *(("send_transaction", "Financial"), ("show_notification", "Write"), ("show_notifications", "Read")),
        *(("browser_select_option", "Execute"), ("select_tab", "Execute"), ("dbg_exit_process", "Execute")),
        *(("file_share_check_name", "Read"), ("check_share", "Read"), ("create_transaction", "Write")),
        *(("create_devolucao", "Financial"), ("fix_spelling", "Read"), ("fix_bug", "Write")),
    ],
)
def test_names_are_read_as_they_are_meant(name: str, tool_class: str) -> None:
    assert classify(ToolInput(name)).tool_class == tool_class


TEXT, LIMIT, COMMAND = ("text", "string", True), ("limit", "integer", False), ("command", "string", True)
ENABLED, KEPT = ("enabled", "boolean", True), ("outputPath", "string", True)
GAME, AMOUNT = ("game_id", "string", True), ("amount", "number", True)


@pytest.mark.parametrize(
    ("tool", "tool_class", "field"),
    [
        (ToolInput("zqx", params=(LIMIT,)), "Read", "params"),
        (ToolInput("zqx", params=(LIMIT, TEXT)), "Write", "name"),
        (ToolInput("zqx", params=(LIMIT, ("action", "string", True))), "Write", "name"),
        (ToolInput("zqx", params=(COMMAND, LIMIT)), "Execute", "params"),
        (ToolInput("withdraw_from_zqx", params=(GAME,)), "Write", "name"),
        (ToolInput("withdraw_from_zqx", params=(GAME, AMOUNT)), "Financial", "name"),
        (ToolInput("withdraw_from_zqx"), "Financial", "name"),
        (ToolInput("zqx_methods", server="zqx-mcp"), "Read", "name"),
        (ToolInput("zqx_methods", server="other-mcp"), "Write", "name"),
        (ToolInput("purge_methods", server="purge"), "Destructive", "name"),
        (ToolInput("zqx", params=(("question", "string", True),)), "Read", "params"),
        (ToolInput("zqx", params=(("question", "string", True), TEXT)), "Write", "name"),
        (ToolInput("profile_layouts", params=(ENABLED,)), "Write", "params"),
        (ToolInput("query_layouts", params=(ENABLED,)), "Read", "name"),
        (ToolInput("convert_csv", params=(KEPT,)), "Write", "params"),
        (ToolInput("convert_csv", params=(KEPT,), annotations={"readOnlyHint": True}), "Write", "params"),
        (ToolInput("convert_csv", params=(TEXT,)), "Read", "name"),
    ],
)
def test_arguments_speak_where_the_name_does_not(tool: ToolInput, tool_class: str, field: str) -> None:
    found = classify(tool)
    assert (found.tool_class, found.evidence[0].field) == (tool_class, field)


@pytest.mark.parametrize("value", ["v{}", "\x01" * 60 + "{}" + "x" * 60])
def test_a_list_that_a_schema_names_for_everything_is_not_read_for_everything(value: str) -> None:
    listed = {"anyOf": [{"enum": [value.format(n) for n in range(60)]}] * 60}

    def read(many: int) -> object:
        named = {f"p{n}": {"$ref": "#/$defs/x"} for n in range(many)}
        return choices_of_schema({"$defs": {"x": listed}, "properties": named})

    assert steps(lambda: read(200)) < 600_000
    assert grows_no_faster_than_its_size(read, 50)
