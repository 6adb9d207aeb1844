"""Tests kept beside a policy. They run whenever its text is judged, and one that fails blocks publishing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from django.db import transaction

from accounts.audit import record_event
from accounts.models import Membership
from accounts.permissions import May, require, require_still
from common.errors import InvalidInput, NotFound, Stale
from common.held import held
from policies.language.cases import Expectation, PolicyTest, TestsInvalid, read_tests, tests_text
from policies.language.parse import LARGEST_TEXT
from policies.language.problems import PolicyInvalid
from policies.models import Policy

# Each may be as much work as the most expensive call, and all of them run on every save.
MOST_KEPT: Final = 200
_LONGEST_SHOWN: Final = 80


def kept_tests(policy: Policy) -> tuple[PolicyTest, ...]:
    return read_tests(policy.tests)


@transaction.atomic
def replace_tests(by: Membership, policy: Policy, text: str, *, seen: str | None = None) -> Policy:
    """Replaces all tests with this JSON list. Raises Stale if the tests kept now are no longer `seen`.

    Raises PolicyInvalid with every problem of the text, placed in that text.
    """
    require(by, May.EDIT_POLICIES)
    tests = _read(text)
    policy = _locked(by, policy)
    if seen is not None and policy.tests != seen:
        raise Stale("Someone changed the tests of this policy while you were editing them.")
    return _keep(by, policy, tests)


@transaction.atomic
def keep_test(by: Membership, policy: Policy, test: PolicyTest) -> Policy:
    """Adds one test after the others. Raises PolicyInvalid if it could not be read back."""
    require(by, May.EDIT_POLICIES)
    policy = _locked(by, policy)
    return _keep(by, policy, (*kept_tests(policy), *_read(tests_text([test]))))


@transaction.atomic
def drop_test(by: Membership, policy: Policy, name: str) -> Policy:
    require(by, May.EDIT_POLICIES)
    policy = _locked(by, policy)
    before = kept_tests(policy)
    after = tuple(test for test in before if test.name != name)
    if len(after) == len(before):
        raise NotFound(f"{policy.name} has no test with this name.")
    return _keep(by, policy, after)


@transaction.atomic
def change_expectation(by: Membership, policy: Policy, name: str, expect: Expectation, rule: str) -> Policy:
    """Changes what one test expects, and no other test. `rule` is used only if the test names a rule."""
    require(by, May.EDIT_POLICIES)
    policy = _locked(by, policy)
    before = kept_tests(policy)
    test = next((test for test in before if test.name == name), None)
    if test is None:
        raise NotFound(f"{policy.name} has no test with this name.")
    wanted = replace(test, expect=expect, rule=test.rule and (rule or test.rule))
    _read(tests_text([wanted]))
    return _keep(by, policy, tuple(wanted if each is test else each for each in before))


def _read(text: str) -> tuple[PolicyTest, ...]:
    try:
        return read_tests(text)
    except TestsInvalid as invalid:
        raise PolicyInvalid(invalid.problems) from None


def _locked(by: Membership, policy: Policy) -> Policy:
    policy = held(Policy.objects.select_for_update(no_key=True).filter(pk=policy.pk))
    require_still(by, May.EDIT_POLICIES)
    return policy


def _keep(by: Membership, policy: Policy, tests: Sequence[PolicyTest]) -> Policy:
    text = tests_text(tests)
    _refuse_too_many(tests, text)
    if text == policy.tests:
        return policy
    before = {test.name: test for test in kept_tests(policy)}
    added = sum(test.name not in before for test in tests)
    removed = len(before) + added - len(tests)
    changed = sum(test.name in before and test != before[test.name] for test in tests)
    policy.tests = text
    policy.save(update_fields=["tests"])
    counts = {"added": added, "removed": removed, "changed": changed}
    record_event(by, "policy.tests_changed", policy.public_id, policy.name, **counts)
    return policy


def _refuse_too_many(tests: Sequence[PolicyTest], text: str) -> None:
    if len(tests) > MOST_KEPT:
        raise InvalidInput({"tests": f"A policy keeps at most {MOST_KEPT} tests; these are {len(tests):,}."})
    if len(text.encode()) > LARGEST_TEXT:
        raise InvalidInput({"tests": f"The tests of a policy have at most {LARGEST_TEXT:,} bytes."})
    name, times = Counter(test.name for test in tests).most_common(1)[0] if tests else ("", 0)
    if times > 1:
        shown = name if len(name) <= _LONGEST_SHOWN else f"{name[:_LONGEST_SHOWN]}..."
        raise InvalidInput({"tests": f'{times} tests are named "{shown}"; give each a name of its own.'})
