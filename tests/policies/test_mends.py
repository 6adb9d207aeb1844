"""A mend is one press: it changes the text in place, takes the problem away and touches nothing else."""

from __future__ import annotations

import json

import pytest
from django.urls import reverse

from policies.beside import NOTHING_BESIDE
from policies.builder.fields import Fields
from policies.builder.rows import key_of
from policies.language.text_edit import CannotEdit
from policies.mends import Found, mend_of, mended
from policies.models import Policy
from policies.outlook import facts_of
from policies.services import Judgement, judge
from servers.models import Tool
from tests.cast import POLICY, Acme, Cast, inside
from tests.policies.screens import HTMX, SignedIn, page, words


def tool(name: str, tool_class: str, required: str = "amount") -> Tool:
    schema = {
        "type": "object",
        "properties": {"amount": {"type": "number"}, "owner": {"type": "string"}},
        "required": [required],
        "additionalProperties": False,
    }
    return Tool(name=name, tool_class=tool_class, input_schema=schema, digest="")


TOOLS = [tool("refund", "Financial"), tool("delete_user", "Destructive"), tool("look", "Read")]


def judged(text: str) -> Judgement:
    return judge(text, [facts_of(each) for each in TOOLS])


def everything(text: str) -> list[Found]:
    judgement = judged(text)
    return [*judgement.problems, *judgement.findings]


def found_in(text: str, code: str) -> Found:
    return next(each for each in everything(text) if each.code == code)


def policy(inner: str, default: str = "deny") -> str:
    return f'{{ "version": "1",\n  "default": "{default}",\n  {inner} }}'


REFUND = '"refund": { "action": "require_approval" }'
CASES = [
    ("unknown_key", policy('"toools": {}'), "Write tools", policy('"tools": {}')),
    ("key_case", policy('"Tools": {}'), "Write tools", policy('"tools": {}')),
    ("key_case", policy('"classes": {"read": {}}'), "Write Read", policy('"classes": {"Read": {}}')),
    ("key_case", policy('"tools": {"look": {"Action": "deny"}}'), "Write action", None),
    ("unknown_key", policy('"zzz": 1, "tools": {}'), "Take zzz out", policy('"tools": {}')),
    ("unknown_key", policy('"tools": {}, "zzz": [1, 2]'), "Take zzz out", policy('"tools": {}')),
    ("duplicate_key", policy('"hide": [], "hide": ["a"]'), "Take the second one out", policy('"hide": []')),
    ("bad_value", policy('"tools": {}', "dney"), "Write deny", policy('"tools": {}')),
    ("bad_version", '{"version": "2", "default": "deny"}', "Write 1", '{"version": "1", "default": "deny"}'),
    ("wrong_type", '{"version": 1, "default": "deny"}', "Write 1", '{"version": "1", "default": "deny"}'),
    ("missing_key", '{"version": "1"}', "Add default: deny", '{"version": "1", "default": "deny"}'),
    ("missing_key", '{"default": "deny"}', "Add version: 1", '{"version": "1", "default": "deny"}'),
    ("bad_json", policy('"hide": ["a",]'), "Take the comma out", policy('"hide": ["a"]')),
    ("bad_json", policy('"hide": ["a" "b"]'), "Put a comma before it", policy('"hide": ["a", "b"]')),
    ("bad_json", policy('"hide": [] // why\n'), "Take the comment out", policy('"hide": [] \n')),
    ("bad_json", '{"a": True}', "Write true", '{"a": true}'),
    (
        "unknown_tool",
        policy('"tools": { "delete_usr": {"action": "deny"} }'),
        "Write delete_user",
        policy('"tools": { "delete_user": {"action": "deny"} }'),
    ),
    ("unknown_tool", policy('"hide": ["lok"]'), "Write look", policy('"hide": ["look"]')),
    ("all_tools_allow", policy('"all_tools": { "action": "allow", "reason": "x" }'), "Take it out", None),
    (
        "shadowed_rule",
        policy('"tools": { "refund": {"action": "deny"}, "refun*": {} }'),
        "Take this rule out",
        None,
    ),
    ("hide_and_rule", policy('"hide": ["look"], "tools": { "look": {} }'), "Take this rule out", None),
    ("unguarded_tool", policy('"tools": { "refund": {} }'), "Use the recommended rule", None),
]


@pytest.mark.parametrize(("code", "text", "label", "after"), CASES)
def test_one_press_mends_it(code: str, text: str, label: str, after: str | None) -> None:
    found = found_in(text, code)
    mend = mend_of(text, found, TOOLS)
    assert mend is not None
    assert mend.label == label
    new = mend.apply()
    if after:
        assert new == after
    assert (code, found.pointer) not in [(each.code, each.pointer) for each in everything(new)]


def condition(path: str, op: str = "lte", value: object = 5, section: str = "require") -> str:
    inner = json.dumps({"path": path, "op": op, "value": value})
    return policy(f'"tools": {{ "refund": {{ "{section}": [ {{ "conditions": [ {inner} ] }} ] }} }}')


def test_the_recommended_rule_is_for_the_tool_that_was_found_whatever_its_name_begins_with() -> None:
    longer = tool("refund (Financial) may be", "Financial")
    text = policy(f'"tools": {{"refund": {{"action": "deny"}}, "{longer.name}": {{}}}}')
    tools = [*TOOLS, longer]
    judgement = judge(text, [facts_of(each) for each in tools])
    found = next(each for each in judgement.findings if each.code == "unguarded_tool")
    mend = mend_of(text, found, tools)
    assert mend is not None
    after = json.loads(mend.apply())["tools"]
    assert after["refund"] == {"action": "deny"}
    assert after[longer.name] != {}


@pytest.mark.parametrize(
    ("op", "value", "label", "mended_op", "mended_value"),
    [
        ("eq", "5", "Compare with 5 too", "in", ["5", 5]),
        ("neq", 5, 'Compare with "5" too', "not_in", [5, "5"]),
        ("in", ["x", "5", "6"], "Compare with both types", "in", ["x", "5", "6", 5, 6]),
        ("not_in", ["5", 5, "6"], "Compare with 6 too", "not_in", ["5", 5, "6", 6]),
    ],
)
def test_a_value_of_two_types_is_compared_with_in_both(
    op: str, value: object, label: str, mended_op: str, mended_value: object
) -> None:
    schema = {"type": "object", "properties": {"id": {"anyOf": [{"type": "string"}, {"type": "integer"}]}}}
    tools = [Tool(name="refund", tool_class="Write", input_schema=schema | {"required": ["id"]}, digest="")]
    text = condition("args.id", op, value, "deny_if")

    def findings(given: str) -> list[Found]:
        return [*judge(given, [facts_of(each) for each in tools]).findings]

    (found,) = [each for each in findings(text) if each.code == "other_type"]
    mend = mend_of(text, found, tools)
    assert mend is not None and mend.label == label
    asked = json.loads(mend.apply())["tools"]["refund"]["deny_if"][0]["conditions"][0]
    assert asked == {"path": "args.id", "op": mended_op, "value": mended_value}
    assert "other_type" not in {each.code for each in findings(mend.apply())}


def test_an_argument_that_was_misspelt_is_replaced_in_its_path() -> None:
    text = condition("args.amont")
    mend = mend_of(text, found_in(text, "unknown_argument"), TOOLS)
    assert mend is not None and mend.label == "Write args.amount"
    assert mend.apply() == condition("args.amount")


def test_what_every_element_of_a_list_has_is_asked_of_each() -> None:
    items = {"type": "object", "properties": {"path": {"type": "string"}}}
    files = {"type": "object", "properties": {"files": {"type": "array", "items": items}}}
    pushes = [Tool(name="refund", tool_class="Write", input_schema=files, digest="")]
    text = condition("args.path", "eq", "a")
    judgement = judge(text, [facts_of(each) for each in pushes])
    found = next(each for each in judgement.findings if each.code == "unknown_argument")
    mend = mend_of(text, found, pushes)
    assert mend is not None and mend.label == "Write args.files[*].path"
    assert mend.apply() == condition("args.files[*].path", "eq", "a")


def test_a_misspelt_part_of_an_argument_is_replaced_in_its_place() -> None:
    line = {"type": "object", "properties": {"sizes": {"type": "array", "items": {"type": "integer"}}}}
    orders = {"type": "object", "properties": {"lines": {"type": "array", "items": line}}}
    tools = [Tool(name="refund", tool_class="Write", input_schema=orders, digest="")]
    text = condition("args.lines[*].sizs[*]")
    judgement = judge(text, [facts_of(each) for each in tools])
    found = next(each for each in judgement.findings if each.code == "unknown_argument")
    mend = mend_of(text, found, tools)
    assert mend is not None and mend.label == "Write args.lines[*].sizes[*]"
    assert mend.apply() == condition("args.lines[*].sizes[*]")


def test_an_operator_of_another_language_becomes_ours() -> None:
    text = condition("args.amount", "<=")
    mend = mend_of(text, found_in(text, "unknown_operator"), TOOLS)
    assert mend is not None and mend.apply() == condition("args.amount", "lte")


def test_an_optional_argument_is_asked_for() -> None:
    text = condition("args.owner", "eq", "eve", "deny_if")
    mend = mend_of(text, found_in(text, "unguarded_optional"), TOOLS)
    assert mend is not None and mend.label == "Deny calls without args.owner"
    assert judged(mend.apply()).blocking == ()


def limits(*each: str) -> str:
    return policy('"tools": { "refund": { "limits": [ ' + ", ".join(each) + " ] } }")


def test_limits_are_mended() -> None:
    wide = '{ "counter": "a", "window": "minute", "max": 50, "scope": "grant" }'
    tight = '{ "counter": "a", "window": "minute", "max": 5, "scope": "grant" }'
    keyed = '{ "counter": "b", "window": "hour", "max": 5, "scope": "grant", "key": "args.amount" }'
    for code, text in [("unreachable_limit", limits(tight, wide)), ("keyed_limit_alone", limits(keyed))]:
        mend = mend_of(text, found_in(text, code), TOOLS)
        assert mend is not None
        assert not any(each.code == code for each in judged(mend.apply()).findings)


def test_a_shared_counter_becomes_the_rules_own() -> None:
    shared = '{ "limits": [ { "counter": "both", "window": "minute", "max": 5, "scope": "grant" } ] }'
    text = policy(f'"tools": {{ "refund": {shared}, "delete_user": {shared} }}')
    mend = mend_of(text, found_in(text, "shared_counter"), TOOLS)
    assert mend is not None
    assert not any(each.code == "shared_counter" for each in judged(mend.apply()).findings)


def test_a_mend_that_came_too_late_is_refused_in_words() -> None:
    text = policy('"toools": {}')
    found = found_in(text, "unknown_key")
    named = {"code": found.code, "pointer": key_of(found.pointer), "line": "3", "column": "3"}
    fields = Fields({name: [value] for name, value in named.items()})
    assert mended("\n\n" + text, fields, TOOLS, NOTHING_BESIDE) == "\n\n" + policy('"tools": {}'), (
        "lines moved"
    )
    with pytest.raises(CannotEdit):
        mended(policy('"tools": {}'), fields, TOOLS, NOTHING_BESIDE)


SLIP = POLICY.replace('"window"', '"windw"')


def fields_of(text: str, code: str) -> dict[str, str]:
    found = next(each for each in judge(text, []).problems if each.code == code)
    named = {"line": str(found.line), "column": str(found.column), "pointer": key_of(found.pointer)}
    return {"do": "mend", "code": found.code, **named}


def test_the_page_offers_the_mend_and_the_builder_makes_it(
    cast: Cast, acme: Acme, signed_in: SignedIn
) -> None:
    client = signed_in(cast.carol)
    path = reverse("policies:builder", args=[acme.policy.public_id])
    sent = {**fields_of(SLIP, "unknown_key"), "version": "1", "document": SLIP}
    answer = client.post(path, sent, headers=HTMX)
    assert answer.status_code == 200
    with inside(cast.alice):
        assert Policy.objects.get(pk=acme.policy.pk).draft == POLICY


def test_without_a_script_the_stored_draft_is_mended(cast: Cast, acme: Acme, signed_in: SignedIn) -> None:
    client = signed_in(cast.carol)
    client.post(reverse("policies:save", args=[acme.policy.public_id]), {"document": SLIP, "version": "1"})
    editor = reverse("policies:editor", args=[acme.policy.public_id])
    for view in ("", "?view=json"):
        assert "Write window" in words(client.get(editor + view))
    sent = {**fields_of(SLIP, "unknown_key"), "version": "2", "view": "json"}
    answer = client.post(reverse("policies:builder", args=[acme.policy.public_id]), sent)
    assert answer.status_code == 302 and answer["Location"].endswith("?view=json")
    with inside(cast.alice):
        assert Policy.objects.get(pk=acme.policy.pk).draft == POLICY


def test_a_rewritten_text_comes_back_and_is_kept_by_nobody(
    cast: Cast, acme: Acme, signed_in: SignedIn
) -> None:
    path = reverse("policies:rewrite", args=[acme.policy.public_id])
    sent = {**fields_of(SLIP, "unknown_key"), "document": SLIP}
    answer = signed_in(cast.carol).post(path, sent)
    assert answer.status_code == 200 and page(answer) == POLICY
    assert answer["Content-Type"].startswith("text/plain")
    again = signed_in(cast.carol).post(path, {**sent, "document": POLICY})
    assert again.status_code == 422 and page(again) == "That is no longer in the text."
    assert signed_in(cast.carol).post(path, {"do": "tidy", "document": "{"}).status_code == 422
    with inside(cast.alice):
        assert Policy.objects.get(pk=acme.policy.pk).draft == POLICY
    assert signed_in(cast.bob).post(path, sent).status_code == 403
    assert signed_in(cast.mallory).post(path, sent).status_code == 404
    assert signed_in(cast.carol).get(path).status_code == 405


def test_a_viewer_is_offered_no_mend(cast: Cast, acme: Acme, signed_in: SignedIn) -> None:
    signed_in(cast.carol).post(
        reverse("policies:save", args=[acme.policy.public_id]), {"document": SLIP, "version": "1"}
    )
    for view in ("", "?view=json"):
        shown = page(signed_in(cast.bob).get(reverse("policies:editor", args=[acme.policy.public_id]) + view))
        assert "windw" in shown and 'value="mend"' not in shown
