"""What a description or a hint may say beside a name that leaves open what is done."""

import pytest

from catalog.classifier.vocabulary import ToolClass
from catalog.classify import ToolInput, classify

TAKEN_FOR_GRANTED = {
    "readOnlyHint": False,
    "destructiveHint": True,
    "idempotentHint": False,
    "openWorldHint": True,
}


@pytest.mark.parametrize(
    ("name", "description"),
    [
        ("collection_search", ""),
        ("board_price", "Get current prices of board games."),
        ("frobnicate", "Find details of a user."),
        ("frobnicate", ""),
        ("delete_user", ""),
        ("manage_user", ""),
    ],
)
def test_hints_that_spell_out_what_the_protocol_takes_for_granted_say_nothing(
    name: str, description: str
) -> None:
    silent = classify(ToolInput(name, description))
    assert classify(ToolInput(name, description, annotations=TAKEN_FOR_GRANTED)) == silent


@pytest.mark.parametrize("left_out", TAKEN_FOR_GRANTED)
def test_hints_of_which_one_is_left_out_were_meant(left_out: str) -> None:
    hints = {hint: value for hint, value in TAKEN_FOR_GRANTED.items() if hint != left_out}
    assert classify(ToolInput("frobnicate", annotations=hints)) != classify(ToolInput("frobnicate"))


@pytest.mark.parametrize(
    ("name", "description", "tool_class"),
    [
        ("open_task_details", "Get details of a task.", ToolClass.READ),
        ("type-analysis", "Analyzes Python types and provides mappings.", ToolClass.READ),
        # It comes to do what the name says.
        ("close_ticket", "Find the ticket and close it.", ToolClass.WRITE),
        ("close_ticket", "Find the ticket. Close it.", ToolClass.WRITE),
        ("merge_branches", "Compare two branches, merging them at the end.", ToolClass.WRITE),
        # These may come before a deed, or after it.
        ("close_ticket", "Validate a ticket.", ToolClass.WRITE),
        ("close_ticket", "Returns the ticket.", ToolClass.WRITE),
        # A plain verb, and whatever runs, destroys or pays, is no noun.
        ("update_ticket", "Get a ticket.", ToolClass.WRITE),
        ("run_ticket", "Get a ticket.", ToolClass.EXECUTE),
        ("clean_ticket", "Get a ticket.", ToolClass.DESTRUCTIVE),
        ("transfer_funds", "Get a receipt.", ToolClass.FINANCIAL),
        ("open_shell", "Get a shell.", ToolClass.EXECUTE),
    ],
)
def test_a_word_that_is_as_often_a_noun_gives_way_to_a_description_that_only_looks(
    name: str, description: str, tool_class: ToolClass
) -> None:
    assert classify(ToolInput(name, description)).tool_class is tool_class


@pytest.mark.parametrize(
    ("name", "description", "tool_class"),
    [
        ("extract_document", "Extract a document and store in a database.", ToolClass.WRITE),
        ("extract_frames", "Extract frames as sequential image files.", ToolClass.WRITE),
        ("extract_frames", "Extract frames of a film.", ToolClass.READ),
        ("load_default_prompts", "Loads all prompts into the active prompt directory.", ToolClass.WRITE),
        ("load_default_prompts", "Loads all prompts.", ToolClass.READ),
    ],
)
def test_what_is_fetched_and_kept_is_written(name: str, description: str, tool_class: ToolClass) -> None:
    assert classify(ToolInput(name, description)).tool_class is tool_class


@pytest.mark.parametrize(
    ("description", "tool_class"),
    [
        ("Apply mental models to analyze problems.", ToolClass.READ),
        ("Apply debugging approaches to identify and resolve issues.", ToolClass.READ),
        ("Apply a format to get a table.", ToolClass.WRITE),
        ("Apply filters for leads and searches.", ToolClass.WRITE),
        ("Apply a patch to update a deployment.", ToolClass.WRITE),
    ],
)
def test_what_is_only_applied_to_think_changes_nothing(description: str, tool_class: ToolClass) -> None:
    assert classify(ToolInput("frobnicate", description)).tool_class is tool_class


@pytest.mark.parametrize(
    ("name", "tool_class"),
    [
        ("run_report", ToolClass.READ),
        ("run_realtime_report", ToolClass.READ),
        ("run_report_job", ToolClass.EXECUTE),
        ("sandbox_initialize", ToolClass.EXECUTE),
        ("initialize_project", ToolClass.WRITE),
        ("postgres-reload", ToolClass.EXECUTE),
        ("test_notification_system", ToolClass.EXECUTE),
        ("test_webhook", ToolClass.EXECUTE),
        ("test_connection", ToolClass.READ),
        ("snipe_token", ToolClass.FINANCIAL),
        ("fund_data", ToolClass.READ),
        ("fund_wallet", ToolClass.FINANCIAL),
        ("generate_cursor_instructions", ToolClass.READ),
        ("move_avatar", ToolClass.EXECUTE),
        ("move_card", ToolClass.WRITE),
        ("look_direction", ToolClass.EXECUTE),
        ("look_up", ToolClass.READ),
        ("rollback_transaction", ToolClass.WRITE),
        ("rollback_release", ToolClass.EXECUTE),
    ],
)
def test_what_a_verb_is_done_to_tells_what_it_means(name: str, tool_class: ToolClass) -> None:
    assert classify(ToolInput(name)).tool_class is tool_class


def test_numbers_that_are_numbered_in_words_are_only_reckoned_with() -> None:
    numbers = (("first_number", "number", True), ("second_number", "number", True))
    assert classify(ToolInput("add_numbers", params=numbers)).tool_class is ToolClass.READ
    named = (("number", "number", True), ("title", "string", True))
    assert classify(ToolInput("add_number", params=named)).tool_class is ToolClass.WRITE


def test_what_begins_with_launching_runs_whatever_its_name_calls_it() -> None:
    tool = ToolInput("create_environment", "Launches a machine.")
    assert classify(tool).tool_class is ToolClass.EXECUTE


@pytest.mark.parametrize(
    ("name", "description", "tool_class"),
    [
        ("check", "Run tests on a target. Save a report.", ToolClass.EXECUTE),
        ("report_result", "Run configured commands and inspect the state.", ToolClass.EXECUTE),
        ("get_result", "Run configured commands and inspect the state.", ToolClass.READ),
        ("query_dataset", "Run a query against a dataset.", ToolClass.READ),
    ],
)
def test_a_loose_word_that_reads_gives_way_to_a_description_that_sets_something_going(
    name: str, description: str, tool_class: ToolClass
) -> None:
    assert classify(ToolInput(name, description)).tool_class is tool_class


def test_what_is_generated_decides_in_any_language() -> None:
    described = "为特定文件生成简单的改造指令"
    assert classify(ToolInput("generate_instructions", described)).tool_class is ToolClass.READ
    assert classify(ToolInput("frobnicate", described)).tool_class is ToolClass.WRITE
