"""The builder's forms: what nobody touched comes back byte for byte, and an act stays in its place."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from policies.builder.acts import act
from policies.builder.arguments import Argument, arguments_of, shared_arguments
from policies.builder.card import Card, LimitRow, PredicateRow, card_of
from policies.builder.fields import Fields
from policies.builder.look import Look
from policies.builder.page import page_of
from policies.builder.rows import address_of, key_of, pointer_of
from policies.builder.values import field_of, fitting, read_field
from policies.language.blocks import Number, read_blocks
from policies.language.board import Address, Verb, read_board
from policies.language.canonical import canonical_text
from policies.language.compile import compile_policy
from policies.language.decide import decide
from policies.language.decision import Outcome, ToolCall
from policies.language.parse import parse_policy
from policies.language.problems import PolicyInvalid
from policies.language.text_edit import CannotEdit
from policies.language.text_tree import TextTree, members
from policies.outlook import Outlook, facts_of
from servers.models import Tool
from tests.examples import examples
from tests.policies.language.strategies import damaged, policies

SCHEMA = {
    "type": "object",
    "required": ["x", "n"],
    "properties": {
        "x": {"type": "string"},
        "n": {"type": "integer", "minimum": 1, "maximum": 9},
        "l": {"type": "array", "items": {"type": "object", "properties": {"x": {"type": "string"}}}},
        "kind": {"type": "string", "enum": ["a", "b"]},
        "on": {"type": "boolean"},
    },
}
TOOLS = [
    Tool(name="a", tool_class="Read", input_schema=SCHEMA),
    Tool(name="b", tool_class="Write", input_schema=SCHEMA),
    Tool(name="del/ete", tool_class="Destructive", input_schema={}),
]
texts = st.builds(
    lambda policy, indent: json.dumps(policy, indent=indent, ensure_ascii=False),
    policies,
    st.sampled_from([None, 2, "\t"]),
)
NOTHING = Outlook((), (), (), 0, False)


def done(text: str, **fields: str | list[str]) -> str:
    sent = {key: value if isinstance(value, list) else [value] for key, value in fields.items()}
    return act(text, Fields(sent), TOOLS)


def cards_of(text: str) -> list[Card]:
    board = read_board(text, [facts_of(tool) for tool in TOOLS])
    rows = (board.all_tools, *board.classes, *board.patterns, *board.tools)
    return [card_of(row, board, TOOLS, [], "") for row in rows if row.rule is not None]


def as_sent(card: Card, section: str, predicate: PredicateRow) -> dict[str, Any]:
    """What a browser sends when nothing was touched."""
    fields: dict[str, Any] = {"do": "predicate", "row": card.key, "section": section}
    fields |= {"index": str(predicate.index), "path": [], "op": [], "control": [], "value": []}
    for row in predicate.conditions:
        fields["path"].append(row.argument.path if not row.source else "")
        fields["op"].append(row.op)
        fields["control"].append(row.value.control if not row.source else "kept")
        fields["value"].append(row.value.text)
        fields[f"token-{row.index}"] = [*row.value.tokens]
    if section != "approve_if" and predicate.on_deny.typable:
        fields["on_deny"] = predicate.on_deny.value
    return fields


def limit_as_sent(card: Card, limit: LimitRow) -> dict[str, Any]:
    fields: dict[str, Any] = {"do": "limit", "row": card.key, "index": str(limit.index)}
    fields |= {"max": limit.most, "window": limit.window, "scope": limit.scope}
    named = {"counter": limit.counter, "key": limit.key}
    named |= {"increment_from": limit.increment_from, "on_deny": limit.on_deny}
    if not limit.short:
        fields |= {name: field.value for name, field in named.items() if field.typable}
    return fields


def every_form(text: str) -> list[dict[str, Any]]:
    forms: list[dict[str, Any]] = []
    for card in cards_of(text):
        if not card.own:
            continue
        for phase in card.phases:
            forms += [as_sent(card, phase.section, row) for row in phase.rows if not row.source]
        forms += [limit_as_sent(card, limit) for limit in card.limits if not limit.source]
        if card.reason.typable:
            forms.append({"do": "reason", "row": card.key, "reason": card.reason.value})
    return forms


def _forms_change_nothing(text: str) -> None:
    for form in every_form(text):
        assert done(text, **form) == text, form


@given(texts)
@examples(20)
def test_a_form_sent_back_untouched_changes_no_byte(text: str) -> None:
    _forms_change_nothing(text)


@pytest.mark.slow
@pytest.mark.timeout(1800)
@given(texts)
@settings(max_examples=10_000, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_a_form_sent_back_untouched_changes_no_byte_often(text: str) -> None:
    _forms_change_nothing(text)


def _sources(text: str, section: str) -> dict[str, str]:
    tree = TextTree(text)
    found = tree.find(section)
    return {member.key: tree.source(member.node) for member in members(found)} if found else {}


def _stays_in_its_place(text: str, address: Address, verb: Verb) -> None:
    try:
        new = done(text, do="verb", row=key_of(address.pointer), verb=str(verb))
    except CannotEdit:
        return
    for section in ("tools", "classes"):
        before, after = _sources(text, section), _sources(new, section)
        untouched = {name for name in before if (section, name) != (address.section, address.name)}
        assert {name: after[name] for name in untouched} == {name: before[name] for name in untouched}
    assert read_blocks(new).default == read_blocks(text).default


addresses = st.sampled_from(
    [
        *(Address("tools", name) for name in ("a", "b", "del/ete", "get_*")),
        Address("classes", "Write"),
        Address("all_tools"),
    ]
)


@given(texts, addresses, st.sampled_from(Verb))
@examples(20)
def test_a_verb_leaves_every_other_rule_byte_for_byte(text: str, address: Address, verb: Verb) -> None:
    _stays_in_its_place(text, address, verb)


@pytest.mark.slow
@pytest.mark.timeout(1800)
@given(texts, addresses, st.sampled_from(Verb))
@settings(max_examples=10_000, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_a_verb_leaves_every_other_rule_byte_for_byte_often(text: str, address: Address, verb: Verb) -> None:
    _stays_in_its_place(text, address, verb)


@given(damaged())
@examples(20)
def test_a_policy_with_problems_is_shown_and_its_forms_change_nothing(text: str) -> None:
    try:
        read_blocks(text)
    except PolicyInvalid:
        assert page_of(text, NOTHING, None, TOOLS, Look()) is None
        return
    _forms_change_nothing(text)


POLICY = """{ "version": "1", "default": "deny",
  "tools": {
    "a": { "deny_if": [ { "conditions": [ { "path": "args.x", "op": "in", "value": ["one","two"] } ] } ],
           "limits": [ { "counter": "c", "window": 60, "max": 3e1, "scope": "grant" } ] }
  } }"""


def sent(**changes: Any) -> dict[str, Any]:
    base: dict[str, Any] = {"do": "predicate", "row": "/tools/a", "section": "deny_if", "index": "0"}
    base |= {"path": "args.x", "op": "in", "control": "tokens", "value": "", "token-0": ["one", "two"]}
    return base | changes


@pytest.mark.parametrize(
    ("changes", "value"),
    [
        ({"more-0": "three"}, '"in", "value": ["one","two", "three"]'),
        ({"drop-token": "0-0"}, '"in", "value": ["two"]'),
        ({"op": "not_in"}, '"not_in", "value": ["one","two"]'),
        ({"op": "exists"}, '"exists", "value": true'),
        ({"path": "args.n"}, '"in", "value": ["one","two"]'),
        ({"path": "args.on"}, '"eq", "value": true'),
        ({"path": "args.kind", "op": "eq"}, '"eq", "value": "one"'),
    ],
)
def test_a_condition_is_changed_where_it_stands(changes: dict[str, Any], value: str) -> None:
    new = done(POLICY, **sent(**changes))
    assert value in new
    assert '"window": 60, "max": 3e1' in new


KINDS: list[tuple[dict[str, Any], list[Any]]] = [
    ({"type": "string"}, ["", "a"]),
    ({"type": "string", "enum": ["all", "one"]}, ["all", "one"]),
    ({"type": "integer"}, [0, 1]),
    ({"type": "integer", "minimum": 1}, [1]),
    ({"type": "boolean"}, [True, False]),
    ({"type": "object"}, [{}]),
    ({"type": "object", "properties": {"on": {"type": "boolean"}}}, [{}, {"on": True}]),
    ({"type": "array"}, [[]]),
    ({"type": "array", "items": {"type": "string"}}, [[], [""], ["a"]]),
    ({}, ["", None, 0]),
]


@pytest.mark.parametrize("rule", [None, {"action": "deny"}])
@pytest.mark.parametrize("is_required", [True, False])
@pytest.mark.parametrize(("schema", "values"), KINDS)
def test_rules_deny_every_call_of_a_denied_tool_until_the_row_says_more(
    schema: dict[str, Any], values: list[Any], is_required: bool, rule: dict[str, Any] | None
) -> None:
    whole = {"type": "object", "properties": {"x": schema}, "required": ["x"] if is_required else []}
    tool = Tool(name="wipe", tool_class="Destructive", input_schema=whole)
    denied = json.dumps({"version": "1", "default": "deny", "tools": {"wipe": rule} if rule else {}})
    ways: list[dict[str, list[str]]] = [
        {"do": ["verb"], "row": ["/tools/wipe"]},
        {"do": ["verb"], "row": ["/classes/Destructive"]},
        {"do": ["bulk"], "rows": ["/tools/wipe"]},
    ]
    for fields in ways:
        begun = act(denied, Fields({**fields, "verb": ["rules"]}), [tool])
        compiled = compile_policy(parse_policy(begun), [facts_of(tool)])
        for arguments in ({}, *({"x": value} for value in values)):
            assert decide(compiled, ToolCall("wipe", arguments)).outcome is Outcome.DENY, (begun, arguments)


def test_what_rules_begin_with_is_filled_in_value_by_value() -> None:
    begun = done('{"version": "1", "default": "deny"}', do="verb", row="/tools/a", verb="rules")
    asked = {"path": "args.x", "op": "in", "value": []}
    assert json.loads(begun)["tools"] == {"a": {"require": [{"conditions": [asked]}]}}
    (card,) = cards_of(begun)
    form = as_sent(card, "require", card.phases[0].rows[0])
    filled = json.loads(done(begun, **form, **{"more-0": "u_7"}))
    assert filled["tools"]["a"]["require"][0]["conditions"] == [asked | {"value": ["u_7"]}]


def test_what_a_list_contains_is_compared_as_its_elements_are() -> None:
    items: dict[str, Any] = {"type": "array", "items": {"type": "integer"}}
    (ids, _) = arguments_of({"type": "object", "properties": {"ids": items}})
    assert fitting("7", "contains", ids) == Number("7")
    assert fitting("", "contains", ids) == Number("0")
    assert fitting("7", "contains", Argument("args.l", "list", element="text")) == "7"


def test_a_condition_is_added_and_taken_out_again() -> None:
    more = done(POLICY, **sent(**{"add-condition": "1"}))
    assert '"path": "args.x", "op": "eq", "value": ""' in more
    both: dict[str, Any] = {"path": ["args.x"] * 2, "op": ["in", "eq"], "control": ["tokens", "text"]}
    assert done(more, **sent(**both, value=["", ""], **{"drop-condition": "1"})) == POLICY


def test_the_last_condition_cannot_go_alone_for_then_every_call_would_be_meant() -> None:
    with pytest.raises(CannotEdit, match="Remove the whole row"):
        done(POLICY, **sent(**{"drop-condition": "0"}))


def test_a_limit_keeps_its_spelling_but_for_what_was_changed() -> None:
    base = {"do": "limit", "row": "/tools/a", "index": "0", "window": "minute", "scope": "grant"}
    assert '"window": 60, "max": 5, "scope"' in done(POLICY, **base, max="5")
    assert '"window": "hour", "max": 3e1' in done(POLICY, **{**base, "window": "hour"}, max="3e1")
    with pytest.raises(CannotEdit, match="A number is written like"):
        done(POLICY, **base, max="many")


@pytest.mark.parametrize(
    "row", ["/classes/Read", "/tools/a", "/tools/get_*", "/tools/" + "n" * 99, "/all_tools"]
)
def test_a_short_limit_written_out_counts_where_it_counted(row: str) -> None:
    rate: Any = {"rate_limit": {"max": 5, "window": "minute"}}
    _, section, *name = row.split("/")
    text = json.dumps({"version": "1", "default": "deny", section: {name[0]: rate} if name else rate})
    written = done(text, do="limit", row=row, index="0", max="5", window="minute", write_out="1")
    assert '"limits"' in written
    assert canonical_text(parse_policy(written)) == canonical_text(parse_policy(text))


HIDES_WRONGLY = '{"version": "1", "default": "allow", "hide": ["a", 5]}'
TWICE = """{"version": "1", "default": "allow", "hide": ["a"], "hide": ["b"],
  "tools": {"a": {"action": "allow", "action": "deny", "limits": []}, "b": {}},
  "resources": {"default": "allow", "deny": ["x"], "deny": ["y"]}}"""


@pytest.mark.parametrize(
    ("text", "fields"),
    [
        (HIDES_WRONGLY, {"do": "verb", "row": "/tools/b", "verb": "hide"}),
        (HIDES_WRONGLY, {"do": "bulk", "rows": ["/tools/b"], "verb": "hide"}),
        (HIDES_WRONGLY, {"do": "verb", "row": "/classes/Write", "verb": "hide"}),
        (TWICE, {"do": "verb", "row": "/tools/a", "verb": "allow"}),
        (TWICE, {"do": "reason", "row": "/tools/a", "reason": "No."}),
        (TWICE, {"do": "limit-add", "row": "/tools/a"}),
        (TWICE, {"do": "bulk", "rows": ["/tools/b"], "verb": "deny"}),
        (TWICE, {"do": "follow", "row": "/tools/a"}),
        (TWICE, {"do": "access", "section": "resources", "default": "allow", "deny": "z"}),
    ],
)
def test_an_act_beside_something_that_reads_two_ways_settles_it_for_nobody(
    text: str, fields: dict[str, Any]
) -> None:
    with pytest.raises(CannotEdit, match="twice"):
        done(text, **fields)


def test_adding_a_row_never_opens_anything() -> None:
    new = done(POLICY, do="add-row", name="get_*")
    rule = (read_blocks(new).tools or {})["get_*"]
    assert getattr(rule, "action", "") == "deny"
    with pytest.raises(CannotEdit, match="already"):
        done(new, do="add-row", name="get_*")


def test_a_class_in_a_bulk_act_stands_for_its_tools() -> None:
    new = done(POLICY, do="bulk", rows=["/classes/Write", "/tools/del~1ete"], verb="deny")
    named = read_blocks(new).tools or {}
    assert [getattr(named[name], "action", "") for name in ("b", "del/ete")] == ["deny", "deny"]
    assert read_blocks(new).classes is None


def test_the_recommended_rule_of_what_deletes_asks_a_person() -> None:
    new = done(POLICY, do="bulk", rows=["/tools/del~1ete"], verb="recommended")
    assert getattr((read_blocks(new).tools or {})["del/ete"], "action", "") == "require_approval"


@pytest.mark.parametrize(
    "fields",
    [
        {"do": "verb", "row": "/tools/", "verb": "deny"},
        {"do": "verb", "row": "/tools/%ED%A0%80", "verb": "deny"},
        {"do": "limit-add", "row": "/tools/%ED%A0%80"},
        {"do": "bulk", "rows": ["/tools/%ED%A0%80"], "verb": "hide"},
        {"do": "verb", "row": "/classes/None", "verb": "deny"},
        {"do": "verb", "row": "/tools/a", "verb": "explode"},
        {"do": "verb", "row": "/default", "verb": "limit"},
        {"do": "bulk", "rows": []},
        {"do": "predicate", "row": "/tools/a", "section": "deny_if", "index": "7"},
        {"do": "predicate", "row": "/tools/a", "section": "deny_if", "index": "0", "path": ["x", "y"]},
        sent(op="eq"),
        {"do": "predicate-drop", "row": "/tools/a", "section": "tools", "index": "0"},
        {"do": "limit-drop", "row": "/tools/a", "index": "99999999999999999"},
        {"do": "access", "section": "tools"},
        {"do": "start", "start": "over"},
    ],
)
def test_what_cannot_be_done_says_so(fields: dict[str, Any]) -> None:
    with pytest.raises(CannotEdit):
        done(POLICY, **fields)


def test_names_that_no_field_can_hold_stay_where_the_default_is_changed() -> None:
    text = '{"version": "1", "default": "deny", "resources": {"default": "allow", "deny": ["keys "]}}'
    changed = done(text, do="access", section="resources", default="deny")
    assert changed == text.replace('"default": "allow"', '"default": "deny"')
    assert "keys" not in done(text, do="access", section="resources", default="allow", allow="", deny="")


@pytest.mark.parametrize("name", ["a", "del/ete", "t~x", "\n\x00", "\ud800", "é%2F", "<b>", "a" * 256])
def test_a_row_of_any_name_is_found_by_its_key(name: str) -> None:
    pointer = Address("tools", name).pointer
    assert key_of(pointer).isascii()
    assert pointer_of(key_of(pointer)) == pointer
    assert address_of(key_of(pointer)) == Address("tools", name)


def test_arguments_come_from_any_schema_and_are_bounded() -> None:
    found = {argument.path: argument for argument in arguments_of(SCHEMA)}
    assert found["args.x"].words == "args.x (text, required)"
    assert found["args.l[*].x"].kind == "text"
    assert found["args.kind"].choices == ("a", "b")
    assert (found["args.n"].minimum, found["args.n"].maximum) == ("1", "9")
    deep: Any = {"type": "object"}
    for _ in range(400):
        deep = {"type": "object", "properties": {"a": deep, "\u202e": {"type": ["string", "null"]}}}
    paths = [argument.path for argument in arguments_of(deep)]
    assert len(paths) < 20 and "\u202e" not in "".join(paths)
    many = {"type": "object", "properties": {f"a{n}": {} for n in range(5000)}}
    assert len(arguments_of(many)) == 100
    line = {"type": "object", "properties": {"tags": {"type": "array", "items": {"type": "string"}}}}
    lines = {"type": "object", "properties": {"lines": {"type": "array", "items": line}}}
    assert "args.lines[*].tags[*]" in {argument.path for argument in arguments_of(lines)}
    full = {"type": "object", "properties": {f"a{n}": {} for n in range(200)}}
    crowded = {"type": "object", "properties": {"first": full, "last": {"type": "string"}}}
    assert "args.last" in {argument.path for argument in arguments_of(crowded)}
    odd: Any
    for odd in (None, [], "x", {"properties": 5}, {"type": 7, "properties": {"a": []}}, {"$ref": "#"}):
        arguments_of(odd)


def test_an_argument_with_dots_in_its_name_is_not_pushed_out_by_parts_of_another() -> None:
    parts = {"type": "object", "properties": {f"q{number}": {} for number in range(120)}}
    schema = {"type": "object", "properties": {"p": parts, "a.b.c.d.e": {}}, "required": ["a.b.c.d.e"]}
    found = arguments_of(schema)
    assert [each.path for each in found[:2] + found[-1:]] == ["args.p", "args.p.q0", 'args["a.b.c.d.e"]']
    assert len(found) == 100


def test_a_tool_of_many_arguments_is_not_read_to_its_end() -> None:
    read = []

    class Watched(dict[str, Any]):
        def items(self) -> Any:
            for name, inner in super().items():
                read.append(name)
                yield name, inner

    schema = {"type": "object", "properties": Watched({f"a{number}": {} for number in range(1200)})}
    assert len(shared_arguments([schema] * 3)) == 100
    assert len(read) <= 3 * 101


def test_lists_of_different_elements_are_still_lists() -> None:
    def lists(**items: Any) -> dict[str, Any]:
        return {"type": "object", "properties": {"ids": {"type": "array", **items}}}

    text, number, bare = lists(items={"type": "string"}), lists(items={"type": "integer"}), lists()
    for schemas, element in (([text, text], "text"), ([text, number, text], "any"), ([text, bare], "any")):
        (ids, *_) = shared_arguments(schemas)
        assert (ids.kind, ids.element) == ("list", element)


@pytest.mark.parametrize(
    "value",
    ["", "one", "two\nlines", True, None, Number("1e2"), ["a", "b"], [Number("1")], [None], {"a": []}],
)
def test_a_value_shown_and_read_is_the_same(value: Any) -> None:
    field = field_of(value, Argument("args.x", "any"))
    assert read_field(field.control, field.text, [*field.tokens]) == value


@pytest.mark.parametrize(
    "op", ["eq", "in", "lt", "exists", "starts_with", "under_path", "host_in", "length_lte"]
)
@pytest.mark.parametrize("value", ["", "x", True, Number("5"), ["a"], [], {"a": "b"}, None])
@pytest.mark.parametrize("kind", ["text", "number", "yesno", "any"])
def test_a_value_fits_the_operator_it_is_given(op: str, value: Any, kind: Any) -> None:
    fitted = fitting(value, op, Argument("args.x", kind))
    wanted = {"in": list, "host_in": list, "lt": Number, "length_lte": Number, "exists": bool}
    wanted |= {"starts_with": str, "under_path": str}
    if op in wanted:
        assert isinstance(fitted, wanted[op])


def test_what_a_policy_is_for_is_said_in_its_place() -> None:
    said = done(POLICY, do="description", description="Agents look after keys.")
    assert '"description": "Agents look after keys."' in said
    assert done(said, do="description", description="Agents look after keys.") == said
    assert done(said, do="description", description=" ") == POLICY
