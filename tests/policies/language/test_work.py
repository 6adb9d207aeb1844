"""No policy keeps its judge long: what is counted, what is refused, and what is told beforehand."""

import json
from itertools import product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.language.amount import amount_read, reading_of
from policies.language.compile import CompiledPolicy, ToolFacts, compile_policy
from policies.language.decide import decide
from policies.language.decision import Call, Decision, PromptGet, ResourceRead, ToolCall
from policies.language.document import Condition
from policies.language.hosts import HostIndex, parse_host_pattern
from policies.language.lint import lint
from policies.language.matching import Pattern, PatternIndex, is_too_much
from policies.language.offloading import light_size, needs_offloading
from policies.language.parse import find_problems, parse_policy
from policies.language.paths import Path, parse_path
from policies.language.patterns import PatternJudge, Patterns
from tests.examples import examples
from tests.policies.naive.paths import ends
from tests.policies.naive.rules import Judge

from .adapter import read_arguments

LARGE = "(?s).{0,1000}"


def policy(rule: dict[str, Any], **more: Any) -> CompiledPolicy:
    text = json.dumps({"version": "1", "default": "deny", "tools": {"t": rule}, **more})
    return compile_policy(parse_policy(text), [ToolFacts("t", None)])


def asking(*conditions: tuple[str, str, Any], section: str = "require") -> CompiledPolicy:
    listed = [{"path": path, "op": op, "value": value} for path, op, value in conditions]
    return policy({section: [{"conditions": [condition]} for condition in listed]})


def asked(compiled: CompiledPolicy, arguments: Any) -> Decision:
    return decide(compiled, ToolCall("t", read_arguments(json.dumps(arguments))))


# The bounds


def test_texts_are_counted_for_the_bound_on_regexes_even_where_too_many_values_stand() -> None:
    compiled = asking(("args.name", "regex", "^a"), ("args.list[*]", "regex", "a"), section="deny_if")
    few = {"name": "b", "list": ["b"] * 20_000}
    assert asked(compiled, few).code is None
    # Of 20,001 values nothing is said, but their texts are short, so that the name is still judged.
    assert asked(compiled, {"name": "a", "list": ["b"] * 20_001}).rule == "/tools/t/deny_if/0"
    assert asked(compiled, {"name": "a", "list": ["b"] * 20_001}).code == "denied"
    assert asked(compiled, {"name": "b", "list": ["b"] * 20_001}).rule == "/tools/t/deny_if/1"
    assert asked(compiled, {"name": "a", "list": ["bbbb"] * 20_001}).code == "undecidable"


SMALL, LARGE_PATTERN = "b", "[^c]{150}b"


@pytest.mark.parametrize("path", ["args.x", "args.l[*]"])
def test_the_larger_a_pattern_the_less_text_it_reads(path: str) -> None:
    size = Patterns().size_of(Condition(_parsed(path), "regex", LARGE_PATTERN))
    most = 5_242_880 // size
    assert 1000 < most < 65_536
    for length, code in ((most, None), (most + 1, "undecidable")):
        arguments = {"x": "a" * length, "l": ["a" * (length - 5), "a" * 5]}
        large = asking((path, "regex", LARGE_PATTERN), section="deny_if")
        assert asked(large, arguments).code == code
        # One that reads little is undecidable with it: which of them is too much nobody could say.
        both = asking(("args.y", "regex", SMALL), (path, "regex", LARGE_PATTERN), section="deny_if")
        assert asked(both, {**arguments, "y": ""}).code == code
        assert asked(asking((path, "regex", SMALL), section="deny_if"), arguments).code is None


@pytest.mark.parametrize("op", ["contains", "not_contains"])
@pytest.mark.parametrize("path", ["args.x", "args.l[*]"])
def test_a_long_text_is_searched_so_often_and_a_short_one_always(path: str, op: str) -> None:
    section, times = "deny_if" if op == "contains" else "require", 64
    many = asking(*[(path, op, f"b{number}") for number in range(times)], section=section)
    most = 2**24 // times
    for length, code in ((most, None), (most + 1, "undecidable")):
        # Texts of 256 characters are not counted.
        arguments = {"x": "a" * length, "l": ["a" * length, *["a" * 256] * 100]}
        assert asked(many, arguments).code == code
        rule = {section: [_one(path, op, f"b{number}") for number in range(times)]}
        naive = Judge([rule], arguments)
        assert naive.predicate(rule[section][0], section == "require") is (
            None if code else section == "require"
        )
    assert asked(many, {"x": "a" * 256, "l": ["a" * 256] * 200}).code is None
    element = asking((path, op, "b"), (path, op, 5), section=section)
    assert asked(element, {"x": ["a" * 300], "l": [["a" * 300]]}).code is None


@pytest.mark.parametrize("length", [1, 2, 900, 131_072, 200_000])
def test_a_text_is_found_in_a_long_one_wherever_it_stands(length: int) -> None:
    wanted = "b" * length
    compiled = asking(("args.x", "contains", wanted))
    for at in (0, 131_072 - length, 131_071, 131_072, 262_143, 300_000 - length):
        text = "a" * max(0, at) + wanted + "a" * max(0, 300_000 - at - length)
        assert asked(compiled, {"x": text}).code is None, at
        assert asked(compiled, {"x": text.replace(wanted, wanted[1:], 1)}).code == "requirement_failed", at
    assert asked(asking(("args.x", "contains", "")), {"x": "a" * 300_000}).code is None


def _one(path: str, op: str, value: Any) -> dict[str, Any]:
    return {"conditions": [{"path": path, "op": op, "value": value}]}


paths = st.lists(st.sampled_from([".a", ".b", "[0]", "[1]", "[*]"]), min_size=1, max_size=5).map(
    lambda steps: "args" + "".join(steps)
)
trees = st.recursive(
    st.sampled_from(["", "x", "é", 5, None, True]),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.sampled_from(["a", "b"]), inner, max_size=2)
    ),
    max_leaves=12,
)


@given(st.lists(st.tuples(paths, st.sampled_from(["regex", "eq", "contains"])), max_size=6), trees)
@examples(135)
def test_one_walk_counts_what_each_condition_would_read(asks: list[tuple[str, str]], arguments: Any) -> None:
    conditions = [(condition(path, op), 10 if op == "regex" else 0) for path, op in asks]
    reading = reading_of(conditions)
    texts = [
        end for path, op in asks if op == "regex" for end in ends(arguments, path) if isinstance(end, str)
    ]
    values = sum(len(ends(arguments, path)) for path, _ in asks if "[*]" in path)
    read = amount_read(reading, arguments) if reading else None
    assert (read.regex_bytes if read else 0) == sum(len(text.encode()) for text in texts)
    assert (read.each_values if read else 0) == values


def condition(path: str, op: Any) -> Condition:
    return Condition(_parsed(path), op, "x")


def _parsed(path: str) -> Path:
    parsed = parse_path(path)
    assert parsed is not None
    return parsed


# Patterns


def test_one_large_pattern_is_a_pattern_and_hundreds_are_refused() -> None:
    judge = PatternJudge()
    problems = [judge.problem(f"{LARGE * 4}{number}") for number in range(200)]
    assert problems[0] is None
    assert problems[-1] == (
        "The patterns of this policy together take too long to prepare. Ask for fewer repetitions."
    )


def test_a_document_of_many_usual_patterns_is_accepted() -> None:
    usual = [f"^[a-z0-9._-]{{1,64}}@team{number}[.]example$" for number in range(2000)]
    listed = [{"path": "args.x", "op": "matches", "value": pattern} for pattern in usual]
    text = json.dumps(
        {"version": "1", "default": "deny", "tools": {"t": {"require": [{"conditions": listed}]}}}
    )
    assert find_problems(text) == ()


@pytest.mark.parametrize(
    ("pattern", "problem"),
    [
        ("a" * 1000, None),
        ("a" * 1001, "at most 1,000"),
        ("(", "not an RE2 pattern"),
        ("(?=a)", "not an RE2 pattern"),
        (r"(a)\1", "not an RE2 pattern"),
        (r"\pL{1000}", "too much memory"),
        (r"\pL{200}", None),
        ("(?:.{1000}){50}", "not an RE2 pattern"),
    ],
)
def test_a_pattern_is_one_that_re2_runs(pattern: str, problem: str | None) -> None:
    said = PatternJudge().problem(pattern)
    assert said is None if problem is None else said is not None and problem in said


# Hosts


@pytest.mark.parametrize(
    ("url", "found"),
    [
        ("https://a.example", []),
        ("https://b.a.example", [0]),
        ("https://c.b.a.example", [0, 2]),
        ("https://d.c.b.a.example", [0, 1, 2]),
        ("https://ba.example", []),
        ("https://x.example.org", []),
        ("https://10.0.0.1", [2]),
        ("https://[::ffff:10.0.0.1]", [2]),
    ],
)
def test_a_host_is_found_in_every_list_that_has_it(url: str, found: list[int]) -> None:
    index = HostIndex()
    lists = [["*.a.example"], ["*.c.b.a.example", "org"], ["10.0.0.1", "*.b.a.example", "c.b.a.example"]]
    bits = [index.add(filter(None, map(parse_host_pattern, hosts))) for hosts in lists]
    matched = index.lists_with(url)
    assert matched is not None
    assert [number for number, bit in enumerate(bits) if matched & bit] == found


hosts = st.lists(st.sampled_from(["a", "b", "ab", "c-", "z0"]), min_size=1, max_size=4).map(".".join)
host_lists = st.lists(st.lists(st.one_of(hosts, hosts.map(lambda name: f"*.{name}")), max_size=4), max_size=4)


@given(host_lists, hosts)
@examples(100)
def test_a_host_is_found_as_each_of_its_patterns_says(lists: list[list[str]], host: str) -> None:
    index = HostIndex()
    bits = [index.add(filter(None, map(parse_host_pattern, patterns))) for patterns in lists]
    found = index.lists_with(f"https://{host}/")
    assert found is not None
    for bit, patterns in zip(bits, lists, strict=True):
        says = any(host.endswith(name[1:]) if name.startswith("*") else host == name for name in patterns)
        assert (found & bit != 0) is says


def test_what_is_no_url_is_in_no_list_and_not_outside_of_one_either() -> None:
    assert HostIndex().lists_with("a.example") is None


# Long names


def index(*patterns: str) -> PatternIndex:
    return PatternIndex(map(Pattern.of, patterns))


def test_a_name_as_long_as_a_policy_may_hold_is_compared_with_every_pattern() -> None:
    many = index(*(f"{number:x}*" for number in range(100_000)))
    assert not is_too_much("a" * 256, many)
    assert not is_too_much("a" * 200, many, many)
    assert not is_too_much("a" * 1_000_000, index(*(f"{number}*" for number in range(20))))
    assert is_too_much("a" * 1_000_000, index(*(f"{number}*" for number in range(21))))


def test_nothing_is_compared_with_more_than_a_thousand_patterns_of_several_parts() -> None:
    several = [f"get_*_{number}_*" for number in range(1001)]
    assert not is_too_much("a", index(*several[1:]))
    assert is_too_much("a", index(*several))
    assert is_too_much("a", index(*several[:500]), index(*several[500:]))
    assert is_too_much("a", index(*(f"*{number}x*" for number in range(10_001))))
    compiled = policy({}, hide=several)
    assert decide(compiled, ToolCall("t", {})).code == "hidden"
    document = parse_policy(json.dumps({"version": "1", "default": "allow", "hide": several}))
    found = [(each.pointer, each.code, each.severity) for each in lint(document, [])]
    assert ("/hide", "too_many_patterns", "error") in found


def test_where_a_look_up_takes_long_every_known_tool_was_looked_up_before() -> None:
    named = [f"tool_{number}" for number in range(50)]
    slow = [f"get_*_{number}_*" for number in range(1000)]
    for hide, known in (slow, True), (["*_x"], False):
        document = parse_policy(json.dumps({"version": "1", "default": "allow", "hide": hide}))
        compiled = compile_policy(document, [ToolFacts(name, None) for name in named])
        assert all((name in compiled.known) is known for name in named)
        assert not needs_offloading(compiled, ToolCall(named[0], {}))
        assert light_size(compiled, named[0]) > 0
        assert (light_size(compiled, "x" * 100_000) < 0) is known


def test_who_asks_with_an_endless_name_of_many_patterns_is_refused() -> None:
    many = [f"*{number:x}z*" for number in range(1000)]
    compiled = policy(
        {}, hide=many, resources={"default": "allow", "deny": many}, prompts={"default": "allow"}
    )
    long = "a" * 60_000
    assert decide(compiled, ToolCall(long, {})).code == "hidden"
    uri = decide(compiled, ResourceRead(long))
    assert (uri.code, uri.rule) == ("undecidable", "/resources")
    assert uri.reason == "The URI cannot be judged: it is too long for so many patterns."
    assert decide(compiled, PromptGet(long)).code is None
    assert decide(compiled, ResourceRead("a" * 10_000)).code is None


# What is judged off the event loop

MAIL = r"[\w.+-]{1,64}@[a-z0-9.-]{1,255}"


@pytest.mark.parametrize(
    ("compiled", "arguments", "expected"),
    [
        (asking(("args.x", "regex", "^acct_[a-z0-9]{8}$")), {"x": "acct_ab12cd34"}, False),
        (asking(("args.x", "regex", "a")), {"x": "a" * 8192}, False),
        (asking(("args.x", "regex", "a")), {"x": "a" * 8193}, True),
        (asking(("args.x", "regex", "a"), ("args.x", "matches", "a+")), {"x": "a" * 4097}, True),
        (asking(("args.x", "regex", MAIL)), {"x": "alice@example.com"}, False),
        (asking(("args.x", "regex", LARGE * 4)), {"x": "a" * 100}, True),
        (asking(("args.l[*]", "eq", 1)), {"l": [1] * 2000}, False),
        (asking(("args.l[*]", "eq", 1)), {"l": [1] * 2001}, True),
        (asking(("args.l[*].a", "eq", 1)), {"l": [{}] * 2001}, True),
        (asking(("args.x", "not_contains", "b")), {"x": "a" * 100_000}, False),
        (asking(*[("args.x", "not_contains", f"b{n}") for n in range(1000)]), {"x": "a" * 10_000}, True),
        (asking(("args.x", "neq", {})), {"x": [[1] * 10]}, False),
        (asking(("args.x", "neq", {})), {"x": [[1] * 5000]}, True),
        (asking(("args.x", "length_lte", 5)), {"x": "a" * 1_000_000}, False),
        (asking(("args.x", "under_path", "/a")), {"x": "/a" * 100_000}, True),
        (policy({}), {"x": ["a" * 100_000] * 10}, False),
    ],
)
def test_heavy_calls_are_told_before_they_are_judged(
    compiled: CompiledPolicy, arguments: Any, expected: bool
) -> None:
    assert needs_offloading(compiled, ToolCall("t", arguments)) is expected


@given(
    st.lists(st.tuples(paths, st.sampled_from(["regex", "eq", "contains", "host_in", "lt"])), max_size=6),
    trees,
)
@examples(70)
def test_what_is_light_by_its_size_alone_is_light(asks: list[tuple[str, str]], tree: Any) -> None:
    operands = {"regex": "x{300}", "host_in": ["a.example"], "lt": 5}
    compiled = asking(*[(path, op, operands.get(op, "x")) for path, op in asks])
    arguments = {"a": [tree] * 40, "b": "x" * 800}
    size = len(json.dumps(arguments))
    assert not needs_offloading(compiled, ToolCall("t", arguments)) or size > light_size(compiled, "t")


@given(
    st.lists(st.tuples(paths, st.sampled_from(["regex", "eq", "lt"])), min_size=1, max_size=4),
    st.lists(trees, min_size=1, max_size=4),
    st.integers(0, 3),
)
@examples(20)
def test_whether_it_is_light_is_told_alike_by_who_stops_early_and_who_counts_all(
    asks: list[tuple[str, str]], elements: list[Any], spread: int
) -> None:
    reading = reading_of([(condition(path, op), 10 if op == "regex" else 0) for path, op in asks])
    if reading is None:
        return
    times = (2000, 1000, 500, 667)[spread] // len(asks) // len(elements)
    for more in range(-1, 2):
        arguments = {"a": elements * max(0, times + more)}
        counted = amount_read(reading, arguments)
        told = amount_read(reading, arguments, only_whether_light=True)
        # Who stops early counts what is compared, too: it may call a light one heavy, never the other way.
        assert not told.is_light or counted.is_light
        assert told.is_light or not counted.is_light or not all(op in ("regex", "lt") for _, op in asks)


def test_a_long_list_is_found_long_without_looking_at_what_is_in_it() -> None:
    class Untouched(dict[str, object]):
        def __len__(self) -> int:
            raise AssertionError

        __contains__ = __len__  # type: ignore[assignment]

    reading = reading_of([(condition("args.a[*].b", "eq"), 0)])
    assert reading is not None
    assert not amount_read(reading, {"a": [Untouched()] * 2001}, only_whether_light=True).is_light


@pytest.mark.parametrize("call", [ToolCall("t"), ToolCall("t", [1]), ToolCall("other", {}), PromptGet("p")])
def test_what_is_refused_at_once_is_light(call: Call) -> None:
    assert not needs_offloading(None, call)
    assert not needs_offloading(asking(("args.x", "regex", "a")), call)


def test_paths_that_lead_to_nothing_on_a_thousand_ways_are_heavy_all_the_same() -> None:
    mixes = ["".join(steps) for steps in product(["[0]", "[*]"], repeat=8)][1:]
    inner: Any = [[]] * 9000
    for _ in range(8):
        inner = [inner]
    compiled = asking(*[(f"args.l{steps}[*][*]", "eq", 1) for steps in mixes])
    assert needs_offloading(compiled, ToolCall("t", {"l": inner}))
    assert decide(compiled, ToolCall("t", {"l": inner})).code is None
