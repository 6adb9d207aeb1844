"""What the linter finds is shown; its errors block publishing, its warnings do not."""

from __future__ import annotations

import pytest

from policies.language.problems import PolicyInvalid
from policies.services import judge, publish_policy, save_draft, tool_facts
from policies.starts import starts
from servers.models import Tool
from tests.cast import Acme, Cast, inside

UNKNOWN_TOOL = """{
  "version": "1",
  "default": "allow",
  "tools": {
    "delete_usr": { "action": "deny" }
  }
}"""
UNGUARDED = '{"version": "1", "default": "deny", "tools": {"delete_user": {}}}'


def test_a_denied_tool_that_is_not_there_blocks_publishing_and_is_named_with_its_place(
    cast: Cast, acme: Acme
) -> None:
    with inside(cast.alice):
        policy = save_draft(cast.alice, acme.policy, UNKNOWN_TOOL)
        with pytest.raises(PolicyInvalid) as invalid:
            publish_policy(cast.alice, policy)
    (problem,) = invalid.value.problems
    assert (problem.code, problem.line, problem.column) == ("unknown_tool", 5, 5)
    assert "delete_user" in problem.message
    with inside(cast.alice):
        policy.refresh_from_db()
        assert policy.published_revision is None


def test_a_warning_is_shown_and_does_not_block(cast: Cast, acme: Acme) -> None:
    with inside(cast.alice):
        findings = judge(UNGUARDED, tool_facts(acme.server)).findings
        assert [(found.code, found.severity) for found in findings] == [("unguarded_tool", "warning")]
        assert publish_policy(cast.alice, acme.policy, UNGUARDED).number == 1


def test_every_start_can_be_published_as_it_is(cast: Cast, acme: Acme) -> None:
    with inside(cast.alice):
        tools = list(Tool.objects.filter(server=acme.server))
        facts = tool_facts(acme.server)
        blocked = {start.key: judge(start.document, facts).blocking for start in starts(tools)}
    assert blocked == dict.fromkeys(("recommended", "ask", "read-only", "empty"), ())


def test_a_read_tool_whose_answer_holds_secrets_waits_for_a_person_in_the_recommended_start(
    cast: Cast, acme: Acme
) -> None:
    with inside(cast.alice):
        Tool.objects.filter(name="list_users").update(signals=["secret_result"])
        tools = list(Tool.objects.filter(server=acme.server))
        recommended = starts(tools)[0].document
        assert judge(recommended, tool_facts(acme.server)).effects["list_users"] == "needs_approval"
