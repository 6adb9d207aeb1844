"""A call of the log becomes a test of the policy that decided it; what the log never kept is asked for."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from html import unescape

import pytest
from django.urls import reverse

from audit.as_test import call_to_test
from audit.models import DecisionRecord
from gateway_config.wire.messages import KeptArgument
from policies.builder.trial import typed_arguments
from policies.kept_tests import kept_tests
from policies.models import Policy
from policies.services import publish_policy
from servers.services import retire_server
from tests.audit.records import arrive, called
from tests.cast import Acme, Cast, inside
from tests.policies.screens import SignedIn, page, words


@dataclass
class Call:
    tool: str = "create_access_key"
    argument_names: list[str] = field(default_factory=list)


def typed(names: list[str], **kept: str) -> tuple[str, tuple[str, ...]]:
    values = [KeptArgument(f"args.{name}", "value", json) for name, json in kept.items()]
    found = call_to_test("pol_x", Call(argument_names=names), values)  # type: ignore[arg-type]
    return found.arguments, found.unknown


def test_kept_values_are_read_again_as_what_they_were() -> None:
    kept = {"branch": '"main"', "count": "3", "deep": '{"a": [1]}', "word": '"true"', "empty": '""'}
    text, unknown = typed(list(kept), **kept)
    arguments = typed_arguments(text)
    assert isinstance(arguments, dict) and unknown == ()
    said = {name: arguments[name] for name in ("branch", "word", "empty")}
    assert said == {"branch": "main", "word": "true", "empty": ""}
    assert str(arguments["count"]) == "3" and list(arguments["deep"]) == ["a"]


def test_a_value_that_was_not_kept_is_named_and_left_open() -> None:
    assert typed(["branch", "path"], branch='"main"') == ('branch: "main"\npath:', ("path",))
    assert typed([]) == ("", ())


def test_a_name_that_no_line_can_hold_makes_it_json() -> None:
    text, unknown = typed(["a b", 'x"y', "plain"], plain="1")
    arguments = typed_arguments(text)
    assert isinstance(arguments, dict) and list(arguments) == ["a b", 'x"y', "plain"]
    assert unknown == ("a b", 'x"y')


@pytest.mark.django_db(transaction=True)
def test_from_the_log_through_the_editor_to_a_test(cast: Cast, acme: Acme, signed_in: SignedIn) -> None:
    path = _logged(cast, acme)
    client = signed_in(cast.carol)
    opened = client.get(path)
    action = reverse("policies:try", args=[acme.policy.public_id])
    assert f'action="{action}#try-panel"' in page(opened)
    match = re.search(r'name="arguments"[^>]*>\n(.*?)</textarea>', page(opened), re.DOTALL)
    assert match is not None
    arguments = unescape(match[1])
    assert arguments == 'user_name: "ada"\nnote:'
    assert "Not kept in the log, so fill in: <span" in words(opened)

    tried = client.post(action, {"tool": "create_access_key", "arguments": arguments, "keeping": "1"})
    assert tried.status_code == 200
    assert unescape(arguments) in unescape(page(tried)), "what was typed stands in the form"
    assert 'id="keep-as-test" open' in page(tried)
    expect = re.search(r'name="expect" value="(\w+)"', page(tried))
    assert expect is not None
    keep = reverse("policies:keep-test", args=[acme.policy.public_id])
    given = {"tool": "create_access_key", "arguments": arguments, "name": "from the log", "expect": expect[1]}
    assert client.post(keep, given).status_code == 302
    with inside(cast.carol):
        [test] = kept_tests(Policy.objects.get(pk=acme.policy.pk))
        assert (test.name, test.call.tool) == ("from the log", "create_access_key")


@pytest.mark.django_db(transaction=True)
def test_only_who_edits_policies_is_offered_it_and_only_while_it_can_be(
    cast: Cast, acme: Acme, signed_in: SignedIn
) -> None:
    path = _logged(cast, acme)
    assert "Keep as test" not in page(signed_in(cast.bob).get(path))
    assert "Keep as test" in page(signed_in(cast.dave).get(path))
    with inside(cast.alice):
        retire_server(cast.alice, acme.server)
    assert "Keep as test" not in page(signed_in(cast.dave).get(path))


@pytest.mark.django_db(transaction=True)
def test_a_link_on_the_page_of_a_tried_call_leads_to_the_editor(
    cast: Cast, acme: Acme, signed_in: SignedIn
) -> None:
    at = reverse("policies:try", args=[acme.policy.public_id])
    answer = signed_in(cast.bob).get(f"{at}?show=all")
    assert (answer.status_code, answer["Location"]) == (
        302,
        reverse("policies:editor", args=[acme.policy.public_id]) + "?show=all",
    )
    assert signed_in(cast.mallory).get(at).status_code == 404


def _logged(cast: Cast, acme: Acme) -> str:
    with inside(cast.alice):
        revision = publish_policy(cast.alice, acme.policy)
    kept = (KeptArgument("args.user_name", "value", '"ada"'),)
    entry = called(acme, argument_names=("user_name", "note"), kept=kept, policy=str(revision.pk))
    arrive(entry)
    with inside(cast.alice):
        return reverse("audit:decision", args=[DecisionRecord.objects.get(pk=entry.id).public_id])
