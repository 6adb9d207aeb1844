"""The rule that is hinted at for an argument is one that can be written for its type."""

from __future__ import annotations

import pytest

from catalog.classify import ToolInput, classify
from catalog.worth import runs, worth_a_rule

DEEDS = ("get", "delete")


@pytest.mark.parametrize(
    ("name", "kind", "choices", "begins"),
    [
        ("to", "string", (), "Only your own domain"),
        ("toRevision", "number", (), ""),
        ("user_id", "string", (), "Only what is yours"),
        ("user_id", "integer", (), ""),
        ("id", "integer|string", (), "Only what is yours"),
        ("issue_key", "string", (), "Only names your agents own"),
        ("limit", "integer", (), "An upper bound"),
        ("entry_limit", "string", (), ""),
        ("amount", "number", (), "Set a ceiling"),
        ("amount", "any", (), "Set a ceiling"),
        ("limit", "integer|string", (), "An upper bound"),
        ("value", "string", (), ""),
        ("max_size", "boolean", (), ""),
        ("force", "boolean", (), "A yes the caller gives itself"),
        ("include_path", "boolean", (), ""),
        ("repository", "object", (), ""),
        ("action", "string", DEEDS, "Only what your agents are there for"),
        ("action", "string", (), ""),
        ("colour", "string", DEEDS, ""),
        ("branch", "string", DEEDS, "Not main or release"),
    ],
)
def test_a_hint_fits_the_argument(name: str, kind: str, choices: tuple[str, ...], begins: str) -> None:
    hint = worth_a_rule((name, kind, True), choices)
    assert hint.startswith(begins) and bool(hint) == bool(begins)


@pytest.mark.parametrize(
    ("name", "begins"),
    [
        ("next_token", ""),
        ("client_request_token", ""),
        ("token", "A secret in the call"),
        ("approval_password", "A secret in the call"),
        ("secret_id", "Only what is yours"),
        ("secretTypes", ""),
        ("link_type", ""),
        ("issue_link_id", "Only what is yours"),
        ("directoryObjectId", "Only what is yours"),
        ("query_execution_id", "Only what is yours"),
        ("run_group_id", "Only what is yours"),
        ("channel_id", "Only channels"),
        ("policy_arn", "Only rights"),
        ("policy_document", ""),
        ("role_name", "Only roles"),
        ("file_content", ""),
        ("confirm_json", "A yes the caller gives itself"),
        ("phone_number", "Only numbers you know"),
        ("recipient_email", "Only your own domain"),
        ("timeZone", ""),
        ("time_in_force", ""),
        ("availability_zone", "Keep production out"),
        ("group_by", ""),
        ("event_source", ""),
        ("source_branch", "Not main or release"),
        ("date_to", ""),
    ],
)
def test_a_hint_is_about_what_the_argument_holds_and_not_about_a_word_in_its_name(
    name: str, begins: str
) -> None:
    hint = worth_a_rule((name, "string", True))
    assert hint.startswith(begins) and bool(hint) == bool(begins)


def test_a_query_is_said_to_be_run_only_where_the_tool_runs_it() -> None:
    query, sql = ("query", "string", True), ("sql", "string", True)
    assert worth_a_rule(query) == ""
    assert worth_a_rule(query, runs=True).startswith("What is written here is run")
    assert worth_a_rule(sql).startswith("What is written here is run")


def test_a_ref_is_one_of_code_only_beside_a_repository() -> None:
    ref = ("ref", "string", True)
    assert worth_a_rule(ref, beside=["element", "ref"]) == ""
    assert worth_a_rule(ref, beside=["project_id", "ref"]).startswith("Not main")


def test_a_source_is_a_place_only_beside_a_destination() -> None:
    source = ("source", "string", True)
    assert worth_a_rule(source, beside=["amount", "source"]) == ""
    assert worth_a_rule(source, beside=["source", "destination"]).startswith("Keep it in one folder")


@pytest.mark.parametrize(
    ("tool", "is_run"),
    [
        (ToolInput("run_query"), True),
        (ToolInput("search_papers"), False),
        (ToolInput("storage", params=(("command", "string", True), ("parameters", "object", False))), False),
    ],
)
def test_what_is_written_is_run_by_tools_known_to_run_things(tool: ToolInput, is_run: bool) -> None:
    assert runs(classify(tool)) is is_run
