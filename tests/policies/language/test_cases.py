"""The language against its cases. What a case means stands beside the case files."""

import pytest

from . import adapter
from .cases import Case, answers, every_case, families, policy_text, source


@pytest.mark.parametrize("case", every_case())
def test_the_language_answers_as_the_case_says(case: Case) -> None:
    if "dialect" in case:
        made = adapter.convert(case["text"], case.get("tools", []))
        assert made == {key: case[key] for key in made}
    elif "problems" in case:
        assert adapter.problems(source(case)) == case["problems"]
    elif "canonical" in case:
        assert adapter.canonical(case["text"]) == case["canonical"]
        assert adapter.canonical(case["canonical"]) == case["canonical"]
    elif "effects" in case:
        assert adapter.effects(policy_text(case), case["tools"]) == case["effects"]
    else:
        _decides_as_expected(case)


def _decides_as_expected(case: Case) -> None:
    given = None if case["policy"] is None else policy_text(case)
    for policy in [given] if given is None else [given, adapter.canonical(given)]:
        for index, got in answers(case, policy):
            expected = case["calls"][index]["expect"]
            assert {key: got[key] for key in expected} == expected, f"call {index}"


def test_every_family_of_cases_is_there() -> None:
    assert len(families()) >= 19
    assert len(every_case()) >= 671
