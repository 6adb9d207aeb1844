"""Problems: their places, their words, and texts that mean harm."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from policies.language import patterns as language_patterns
from policies.language.canonical import canonical_text
from policies.language.parse import find_problems, parse_policy
from policies.language.problems import PolicyInvalid, Problem
from tests.steps import grows_no_faster_than_its_size

HEAD = '{"version":"1","default":"deny",'


def only(text: str | bytes) -> Problem:
    (problem,) = find_problems(text)
    return problem


def with_value(value: str, op: str = "eq") -> str:
    condition = f'{{"path":"args.x","op":"{op}","value":{value}}}'
    return f'{HEAD}"tools":{{"a":{{"require":[{{"conditions":[{condition}]}}]}}}}}}'


def test_a_problem_says_where_it_stands_in_lines_and_characters() -> None:
    text = '{\n  "version": "1",\n  "default": "deny",\n  "description": "😀", "windw": 1\n}'
    problem = only(text)
    assert (problem.pointer, problem.code) == ("/windw", "unknown_key")
    assert (problem.line, problem.column) == (4, 23)


@pytest.mark.parametrize(
    ("text", "code", "line", "column"),
    [
        ('{"version": "1",\n "default": deny}', "bad_json", 2, 13),
        ('{"version": "1",\n "default": "deny",}', "bad_json", 2, 19),
        ('{"version": "1"\n "default": "deny"}', "bad_json", 2, 2),
        ('{"version": "1", // the first\n"default": "deny"}', "bad_json", 1, 18),
        ('{"version": "1", "default": "deny", "hide": ["\\ud800"]}', "lone_surrogate", 1, 46),
        ('{"version": "1", "default": "deny", "hide": ["\\ud800\\x"]}', "bad_json", 1, 53),
        ("\ufeff{}", "bom", 1, 1),
        (b'{"a\xc3\xa9":\n"\xff"}', "bad_encoding", 2, 2),
        ("[" * 40, "too_deep", 1, 33),
        ("01", "bad_json", 1, 2),
        ('{"a": 1} x', "bad_json", 1, 10),
    ],
)
def test_what_is_wrong_with_the_text_itself_comes_alone(
    text: str | bytes, code: str, line: int, column: int
) -> None:
    problem = only(text)
    assert (problem.pointer, problem.code, problem.line, problem.column) == ("", code, line, column)


def test_a_lone_half_of_a_pair_in_the_text_itself_is_an_encoding_problem() -> None:
    assert only('{"version":"1","default":"deny","description":"\ud83d"}').code == "bad_encoding"


def test_every_problem_is_reported_in_the_order_of_the_text() -> None:
    text = (
        '{"defualt":"deny","Version":"1","tools":{"":{"action":"block"},'
        '"a":{"limits":[{"counter":"a b"}]},"a":{}},"hide":[1]}'
    )
    assert [(problem.pointer, problem.code) for problem in find_problems(text)] == [
        ("", "missing_key"),
        ("", "missing_key"),
        ("/defualt", "unknown_key"),
        ("/Version", "key_case"),
        ("/tools/", "bad_name"),
        ("/tools//action", "bad_value"),
        ("/tools/a/limits/0", "missing_key"),
        ("/tools/a/limits/0", "missing_key"),
        ("/tools/a/limits/0", "missing_key"),
        ("/tools/a/limits/0/counter", "bad_id"),
        ("/tools/a", "duplicate_key"),
        ("/hide/0", "wrong_type"),
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (f'{HEAD}"windw":1}}', '"windw" isn\'t a key here.'),
        (f'{HEAD}"tool":{{}}}}', '"tool" isn\'t a key here. Did you mean "tools"?'),
        (f'{HEAD}"Tools":{{}}}}', 'Keys are written exactly: "tools", not "Tools".'),
        (
            f'{HEAD}"tools":{{"a":{{"rate_limit":{{"max":1,"windw":60,"window":60}}}}}}}}',
            '"windw" isn\'t a key here. Did you mean "window"?',
        ),
        (
            with_value("true", "not_exists"),
            '"not_exists" isn\'t an operator. Write "op": "exists" with "value": false.',
        ),
        (with_value('"a"', "start_with"), '"start_with" isn\'t an operator. Did you mean "starts_with"?'),
        (with_value('"x"', "lt"), '"lt" takes a number; this is a text.'),
        (with_value("1.5", "length_lte"), '"length_lte" takes a whole number from 0; this is a fraction.'),
        ('{"version":1,"default":"deny"}', 'The version is the text "1", in quotes; this is a number.'),
        (
            '{"version":"1","default":"dney"}',
            '"default" is "allow" or "deny", not "dney". Did you mean "deny"?',
        ),
    ],
)
def test_a_message_says_what_would_be_right(text: str, message: str) -> None:
    assert only(text).message == message


def test_a_session_scope_is_answered_with_the_word_to_write() -> None:
    limit = '{"counter":"c","window":"minute","max":1,"scope":"session"}'
    problem = only(f'{HEAD}"tools":{{"a":{{"limits":[{limit}]}}}}}}')
    assert problem.message.endswith("Write grant: one agent session holds one grant.")


def test_a_message_shows_nothing_invisible_and_nothing_long() -> None:
    problem = only(f'{HEAD}"\\u202e\\u001b[31m{"x" * 5000}":1}}')
    assert len(problem.message) < 200
    assert problem.message.isprintable()


def test_the_repeat_of_an_unknown_key_is_only_a_repeat() -> None:
    assert [problem.code for problem in find_problems(f'{HEAD}"x":1,"x":{{}}}}')] == [
        "unknown_key",
        "duplicate_key",
    ]


def test_a_number_that_is_not_exact_keeps_the_value_from_being_judged() -> None:
    assert only(with_value("[1e400]", "lt")).pointer.endswith("/value/0")
    assert only(with_value('{"k":1,"k":2}', "lt")).code == "duplicate_key"


@pytest.mark.parametrize(
    "digits", ["9" * 1_000_000, "1e" + "9" * 1_000_000, "1e-" + "9" * 1_000_000, "0." + "9" * 999_000]
)
def test_a_number_of_a_million_digits_costs_no_more_than_reading_it(digits: str) -> None:
    assert only(with_value(digits, "lt")).code == "number_not_exact"
    assert only(f'{HEAD}"tools":{{"a":{{"rate_limit":{{"window":1,"max":{digits}}}}}}}}}').code in (
        "out_of_range",
        "wrong_type",
    )


def many(part: str, times: int) -> str:
    return ",".join(part.replace("#", str(index)) for index in range(times))


def patterns(pattern: str, times: int) -> str:
    condition = json.dumps({"path": "args.x", "op": "regex", "value": pattern + "#"})
    return f'{HEAD}"tools":{{"a":{{"require":[{{"conditions":[{many(condition, times)}]}}]}}}}}}'


# By how many hundredths of the largest text there may be.
HOSTILE: dict[str, Callable[[int], str]] = {
    "lists": lambda size: "[" * 10_000 * size,
    "objects": lambda size: '{"a":' * 2_000 * size,
    "wrong types": lambda size: HEAD + '"hide":[' + many("0", 5_000 * size) + "]}",
    "unknown keys": lambda size: HEAD + many('"toolz#":1', 600 * size) + "}",
    "a long name": lambda size: (
        HEAD + '"tools":{"' + "n" * 5_000 * size + '":{' + many('"x#":1', 400 * size) + "}}}"
    ),
    "a long path": lambda size: with_value("1").replace("args.x", "args" + ".a" * 5_000 * size + "."),
    "escapes": lambda size: '"' + "\\u0041" * 1_700 * size,
    "blanks": lambda size: " " * 10_485 * size,
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_hostile_text_is_refused_and_the_work_grows_with_its_length_only(kind: str) -> None:
    hostile = HOSTILE[kind]
    assert find_problems(hostile(100))
    assert grows_no_faster_than_its_size(lambda size: find_problems(hostile(size)), 1)


# Each comes to nothing before it is whole, after a tenth of a second; two minutes in all, uncounted.
@pytest.mark.parametrize(
    ("pattern", "times"), [(r"\pL" * 300, 820), (r"[^\pL\pN\pS]{0,30}", 14_000)], ids=["classes", "ranges"]
)
def test_of_many_patterns_that_cost_much_few_are_read(
    pattern: str, times: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[str] = []
    program = language_patterns._program

    def counting(text: str, *more: Any, **kept: Any) -> Any:
        made.append(text)
        return program(text, *more, **kept)

    monkeypatch.setattr(language_patterns, "_program", counting)
    assert find_problems(patterns(pattern, times))
    assert 0 < len(made) < 100


def test_a_canonical_text_may_be_longer_than_what_people_may_bring() -> None:
    dense = HEAD + '"tools":{"a":{"require":[' + many('{"conditions":[]}', 30_000) + "]}}}"
    canonical = canonical_text(parse_policy(dense))
    with pytest.raises(PolicyInvalid):
        parse_policy(canonical)
    assert canonical_text(parse_policy(canonical, stored=True)) == canonical


def test_a_text_of_a_policy_survives_as_it_is() -> None:
    text = 'Zeichen: ä "quoted" \\ tab\tline\n 😀 \u2028 \x80'
    policy = json.dumps({"version": "1", "default": "deny", "description": text})
    document = parse_policy(canonical_text(parse_policy(policy)))
    assert document.description == text


def test_patterns_that_cost_much_are_judged_alike_in_whatever_order_their_classes_stand() -> None:
    def large(repetitions: int, end: str) -> str:
        return "".join(f"{letter}{{0,450}}" for letter in "abcdefghijk"[:repetitions]) + end

    # What the first leave is too little even for the last.
    costly = [large(11, str(number)) for number in range(128)] + [large(n, "!") for n in (10, 9, 8, 5)]
    classes = {"Financial": _denied_where(["z{0,1}"]), "Read": _denied_where(costly)}
    orders = (classes, dict(reversed(classes.items())))
    first, second = (
        find_problems(json.dumps({"version": "1", "default": "deny", "classes": each})) for each in orders
    )
    assert [problem.code for problem in first] == [problem.code for problem in second] == ["bad_regex"]


def _denied_where(patterns: list[str]) -> dict[str, Any]:
    conditions = [{"path": "args.x", "op": "regex", "value": pattern} for pattern in patterns]
    return {"deny_if": [{"conditions": [condition]} for condition in conditions]}
