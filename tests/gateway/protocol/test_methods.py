"""Every method of every revision has a verdict; a revision that adds one fails here."""

from __future__ import annotations

import pytest
from mcp.types import methods as sdk
from mcp.types.version import KNOWN_PROTOCOL_VERSIONS

from gateway.protocol.methods import METHODS, REVISIONS, Verdict, verdict_of

CLIENT_REQUESTS = sorted(sdk.CLIENT_REQUESTS)
CLIENT_NOTIFICATIONS = sorted(sdk.CLIENT_NOTIFICATIONS)
FROM_SERVER = sorted([*sdk.SERVER_REQUESTS, *sdk.SERVER_NOTIFICATIONS])


def test_the_revisions_are_those_of_the_protocol() -> None:
    assert set(KNOWN_PROTOCOL_VERSIONS) == set(REVISIONS)


@pytest.mark.parametrize(("name", "revision"), CLIENT_REQUESTS)
def test_every_request_of_a_client_has_a_verdict(name: str, revision: str) -> None:
    assert revision in METHODS[name].revisions
    assert verdict_of(name, notification=False) is not Verdict.REFUSE


@pytest.mark.parametrize(("name", "revision"), CLIENT_NOTIFICATIONS)
def test_every_notification_of_a_client_passes(name: str, revision: str) -> None:
    assert revision in METHODS[name].revisions
    assert verdict_of(name, notification=True) is Verdict.PASS


@pytest.mark.parametrize(("name", "revision"), FROM_SERVER)
def test_every_method_of_a_server_is_known(name: str, revision: str) -> None:
    assert revision in METHODS[name].revisions


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
        ("tasks/result", Verdict.REFUSE),
        ("sampling/createMessage", Verdict.REFUSE),
    ],
)
def test_what_reads_or_does_something_is_judged(name: str, verdict: Verdict) -> None:
    assert verdict_of(name, notification=False) is verdict


@pytest.mark.parametrize(
    "name", ["tools/Call", "tools/call ", "TOOLS/CALL", "tools//call", "", "rpc.discover"]
)
def test_an_unknown_method_is_refused(name: str) -> None:
    assert verdict_of(name, notification=False) is Verdict.REFUSE
    assert verdict_of(name, notification=True) is Verdict.REFUSE


def test_a_request_sent_as_a_notification_is_refused() -> None:
    assert verdict_of("tools/call", notification=True) is Verdict.REFUSE
    assert verdict_of("notifications/initialized", notification=False) is Verdict.REFUSE
