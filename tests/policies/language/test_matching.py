"""Thousands of patterns are asked as one: the answers are those of one at a time."""

import re
from random import Random

from hypothesis import example, given
from hypothesis import strategies as st

from policies.language.compile import ToolFacts, compile_policy
from policies.language.decide import decide
from policies.language.decision import ToolCall
from policies.language.document import Default, Document, Rule
from policies.language.lint import lint
from policies.language.matching import NameList, Pattern, PatternIndex
from tests.examples import examples

LETTERS = st.text("ab_", max_size=6)
PATTERNS = st.lists(st.text("ab_**", min_size=1, max_size=7).filter(lambda text: "*" in text), max_size=12)
MOST = examples(135)


def alike(pattern: str, name: str) -> bool:
    """As the language says it, in another notation."""
    parts = map(re.escape, pattern.split("*"))
    return re.fullmatch(".*".join(parts), name, re.DOTALL) is not None


@given(PATTERNS, LETTERS)
@example(["ab*", "*ab"], "ab")
@example(["aba*ba", "*"], "aba")
@example(["*a*b*", "*b*a*"], "ab")
@example(["*a", "*a*", "a*"], "a")
@MOST
def test_an_index_finds_what_one_pattern_at_a_time_would(patterns: list[str], name: str) -> None:
    index = PatternIndex(map(Pattern.of, patterns))
    matching = [number for number, pattern in enumerate(patterns) if alike(pattern, name)]
    assert index.every(name) == matching
    assert index.first(name) == (matching[0] if matching else None)


def test_so_it_does_with_thousands_of_them() -> None:
    random = Random(7)
    patterns = list(
        dict.fromkeys("".join(random.choices("abcd*", k=random.randint(2, 9))) + "*" for _ in range(3000))
    )
    index = PatternIndex(map(Pattern.of, patterns))
    for length in (0, 1, 5, 30, 300):
        name = "".join(random.choices("abcd", k=length))
        matching = [number for number, pattern in enumerate(patterns) if alike(pattern, name)]
        assert index.every(name) == matching
        assert index.first(name) == (matching[0] if matching else None)


@given(st.lists(st.text("ab*", min_size=1, max_size=4), max_size=8), LETTERS)
@MOST
def test_the_first_of_a_list_that_matches_is_named(names: list[str], name: str) -> None:
    matching = [place for place, each in enumerate(names) if each == name or alike(each, name)]
    assert NameList.of(names).first_match(name) == (matching[0] if matching else None)


@given(
    st.dictionaries(
        st.text("ab*", min_size=1, max_size=4), st.sampled_from(["allow", "deny"]), min_size=1, max_size=8
    ),
    st.sampled_from(["allow", "deny"]),
    LETTERS,
)
@MOST
def test_the_linter_means_the_rule_that_decides(actions: dict[str, str], default: Default, name: str) -> None:
    rules = {each: Rule(action="deny" if action == "deny" else None) for each, action in actions.items()}
    tool = ToolFacts(name, "Destructive")
    document = Document(default=default, tools=rules)
    decision = decide(compile_policy(document, [tool]), ToolCall(name, {}))
    at = decision.rule.removesuffix("/action")
    open_places = {found.pointer for found in lint(document, [tool]) if found.code == "unguarded_tool"}
    unguarded = "/default" if decision.rule == "(default allow)" else at
    assert open_places == ({unguarded} if decision.code is None else set())
