"""Every method of every revision has a verdict; a revision that adds one fails here."""

from __future__ import annotations

import pytest
from mcp.types import methods as sdk
from mcp.types.version import KNOWN_PROTOCOL_VERSIONS

from gateway.protocol.jsonrpc import KNOWN_PARAMS
from gateway.protocol.methods import METHODS, MODERN, REVISIONS, Verdict, verdict_of
from tests.contracts.methods import load

FACTS = load()
# Methods of io.modelcontextprotocol/tasks, which the revision's schema omits.
OF_EXTENSIONS = {"2026-07-28": {"tasks/get", "tasks/cancel", "tasks/update", "notifications/tasks"}}


def of_group(*groups: str) -> list[tuple[str, str]]:
    return [
        (name, revision)
        for revision, found in FACTS.items()
        for group in groups
        for name in found.get(group, ())
    ]


def is_modern(revision: str) -> bool:
    return revision in MODERN


def test_the_revisions_are_those_of_the_protocol() -> None:
    assert list(FACTS) == list(REVISIONS) == sorted(KNOWN_PROTOCOL_VERSIONS)


def test_the_facts_hold_what_the_official_sdk_knows() -> None:
    assert set(sdk.CLIENT_REQUESTS) <= set(of_group("client_requests"))
    assert set(sdk.CLIENT_NOTIFICATIONS) <= set(of_group("client_notifications"))
    assert set(sdk.SERVER_REQUESTS) <= set(of_group("server_requests"))
    assert set(sdk.SERVER_NOTIFICATIONS) <= set(of_group("server_notifications"))


@pytest.mark.parametrize("revision", REVISIONS)
def test_every_method_of_a_revision_has_a_verdict_and_no_other_has(revision: str) -> None:
    of_schema = {name for group in FACTS[revision].values() for name in group}
    of_table = {method.name for method in METHODS if revision in method.revisions}
    assert of_schema | OF_EXTENSIONS.get(revision, set()) == of_table


@pytest.mark.parametrize(("name", "revision"), of_group("client_requests"))
def test_every_request_of_a_client_has_a_verdict(name: str, revision: str) -> None:
    refused = verdict_of(name, notification=False, modern=is_modern(revision)) is Verdict.REFUSE
    assert refused is (name == "tasks/list")


@pytest.mark.parametrize(("name", "revision"), of_group("client_notifications"))
def test_every_notification_of_a_client_passes(name: str, revision: str) -> None:
    refused = verdict_of(name, notification=True, modern=is_modern(revision)) is Verdict.REFUSE
    assert refused is name.startswith("notifications/tasks/")


@pytest.mark.parametrize("revision", REVISIONS)
def test_a_method_of_the_other_era_is_unknown(revision: str) -> None:
    modern = is_modern(revision)
    of_this = {method.name for method in METHODS if any(is_modern(one) is modern for one in method.revisions)}
    for method in METHODS:
        if method.name not in of_this:
            verdict = verdict_of(method.name, notification=method.notification, modern=modern)
            assert verdict is Verdict.REFUSE


def test_every_name_that_may_stand_in_params_is_guarded_against_twins() -> None:
    names = {
        name.removesuffix("!")
        for found in FACTS.values()
        for group in ("client_requests", "client_notifications")
        for params in found[group].values()
        for name in params
    }
    assert names <= KNOWN_PARAMS


@pytest.mark.parametrize(
    ("name", "verdict"),
    [
        ("tools/call", Verdict.JUDGE_TOOL),
        ("tools/list", Verdict.FILTER_TOOLS),
        ("resources/read", Verdict.JUDGE_RESOURCE),
        ("resources/subscribe", Verdict.JUDGE_RESOURCE),
        ("resources/unsubscribe", Verdict.JUDGE_RESOURCE),
        ("prompts/get", Verdict.JUDGE_PROMPT),
        ("completion/complete", Verdict.JUDGE_REFERENCE),
        ("subscriptions/listen", Verdict.JUDGE_SUBSCRIPTIONS),
        ("tasks/result", Verdict.JUDGE_TASK),
        ("tasks/update", Verdict.JUDGE_TASK),
        ("tasks/list", Verdict.REFUSE),
        ("sampling/createMessage", Verdict.REFUSE),
    ],
)
def test_what_reads_or_does_something_is_judged(name: str, verdict: Verdict) -> None:
    modern = name in ("subscriptions/listen", "tasks/update")
    assert verdict_of(name, notification=False, modern=modern) is verdict


@pytest.mark.parametrize(
    "name", ["tools/Call", "tools/call ", "TOOLS/CALL", "tools//call", "", "rpc.discover"]
)
@pytest.mark.parametrize("modern", [False, True])
def test_an_unknown_method_is_refused(name: str, modern: bool) -> None:
    assert verdict_of(name, notification=False, modern=modern) is Verdict.REFUSE
    assert verdict_of(name, notification=True, modern=modern) is Verdict.REFUSE


def test_a_request_sent_as_a_notification_is_refused() -> None:
    assert verdict_of("tools/call", notification=True, modern=False) is Verdict.REFUSE
    assert verdict_of("notifications/initialized", notification=False, modern=False) is Verdict.REFUSE
