"""The classifier: which class, how bad, and the words it says so for."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from catalog import prose
from catalog.classifier.clauses import sentences_of, without_accents
from catalog.classifier.inflected import INFLECTED
from catalog.classifier.leeway import ONLY_LOOKS, leaves_open
from catalog.classifier.verbs import RANK
from catalog.classifier.vocabulary import BASE_SEVERITY, LOOSE, PLAIN, ToolClass, word_set
from catalog.classify import ToolInput, classify, words_of

CASES = Path(__file__).parent.parent / "cases" / "classify" / "examples.json"


def tool_of(case: dict[str, Any]) -> ToolInput:
    return ToolInput(
        name=case["tool"],
        description=case.get("description", ""),
        params=tuple((name, kind, required) for name, kind, required in case.get("params", [])),
        annotations=case.get("annotations", {}),
        siblings=tuple(case.get("siblings", [])),
    )


def examples() -> Iterator[Any]:
    for number, case in enumerate(json.loads(CASES.read_text())):
        yield pytest.param(case, id=f"{number}-{case['tool'] or 'nameless'}")


@pytest.mark.parametrize("case", list(examples()))
def test_an_example_is_classed_as_written(case: dict[str, Any]) -> None:
    found = classify(tool_of(case))
    told = {
        "class": str(found.tool_class),
        "severity": found.severity.label,
        "signals": list(found.signals),
        "needs_review": found.needs_review,
    }
    assert {key: told[key] for key in told if key in case} == {key: case[key] for key in told if key in case}


_SPOKEN = [
    *INFLECTED,
    *LOOSE,
    *["and", "or", "the", "of", "not", "list", "user", "x", ",", ".", "-", "("] * 20,
]
spoken = st.lists(st.sampled_from(_SPOKEN), max_size=9).map(" ".join)
tools = st.builds(
    ToolInput,
    name=st.text(max_size=40) | st.lists(st.sampled_from([*PLAIN, *LOOSE]), max_size=4).map("_".join),
    description=st.text(max_size=60) | spoken,
    params=st.lists(st.tuples(st.text(max_size=10), st.just("string"), st.booleans()), max_size=3).map(tuple),
    annotations=st.dictionaries(
        st.sampled_from(["readOnlyHint", "destructiveHint", "openWorldHint"]),
        st.booleans() | st.none() | st.text(max_size=3),
    ),
    siblings=st.lists(st.text(max_size=10), max_size=3).map(tuple),
)


# The first text ever drawn reads the tables of Unicode, which takes a second on a busy machine.
@settings(suppress_health_check=[HealthCheck.too_slow])
@given(tools)
def test_the_same_tool_always_gets_the_same_answer_with_its_reasons(tool: ToolInput) -> None:
    found = classify(tool)
    assert found == classify(tool)
    assert found.evidence
    assert all(evidence.sentence for evidence in found.evidence)
    assert BASE_SEVERITY[found.tool_class] <= found.severity <= 4
    assert 0 < found.confidence < 1


@given(tools)
@example(ToolInput("", "REDELEGATING"))
def test_evidence_quotes_words_that_stand_in_the_definition(tool: ToolInput) -> None:
    sources = {
        "name": tool.name.lower(),
        "description": without_accents(tool.description).lower(),
        "params": " ".join(name for name, _, _ in tool.params),
        "annotations": " ".join(tool.annotations),
    }
    for evidence in classify(tool).evidence:
        assert all(word in sources[evidence.field] for word in evidence.words), evidence


@given(tools)
def test_a_severity_above_its_class_says_what_raised_it(tool: ToolInput) -> None:
    found = classify(tool)
    steps = [e.sentence for e in found.evidence if e.sentence.startswith("Raised to ")]
    assert len(steps) <= found.severity - BASE_SEVERITY[found.tool_class]
    assert bool(steps) == (found.severity > BASE_SEVERITY[found.tool_class])
    assert not steps or steps[-1].startswith(f"Raised to {found.severity.label}: ")


@given(tools)
def test_a_hint_never_lowers_what_the_name_says(tool: ToolInput) -> None:
    silent = ToolInput(tool.name, tool.description, tool.params, {}, tool.siblings)
    before, after = classify(silent), classify(tool)
    if before.evidence[0].field == "name" and not before.needs_review:
        worst_last = list(ToolClass)
        assert worst_last.index(after.tool_class) >= worst_last.index(before.tool_class)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("getHTTPResponse", ("get", "http", "response")),
        ("k8s__apply-manifest.v2", ("k", "8", "s", "apply", "manifest", "v", "2")),
        ("SLACK_START_CALL", ("slack", "start", "call")),
        ("获取_status", ("获取", "status")),
    ],
)
def test_a_name_is_read_in_any_of_its_spellings(name: str, words: tuple[str, ...]) -> None:
    assert words_of(name) == words


def test_the_evidence_of_a_raised_badge_reads_like_a_sentence() -> None:
    found = classify(ToolInput("create_access_key"))
    assert [evidence.sentence for evidence in found.evidence] == [
        "“create” in the name: it creates or changes something.",
        "Raised to High: “access” and “key” in the name; it changes who may do what.",
    ]


def test_what_is_critical_by_its_class_is_not_said_to_be_raised() -> None:
    found = classify(ToolInput("delete_all_users"))
    assert (found.severity.label, found.signals) == ("Critical", ("credentials", "bulk"))
    assert [evidence.sentence for evidence in found.evidence] == [
        "“delete” in the name: what it removes may be gone for good.",
        "“users” in the name; it changes who may do what.",
        "“all” in the name; one call affects many things.",
    ]
    assert prose.raised(found) == ""
    assert prose.badge_sentence(found).endswith("starts at Critical, which is the highest.")


AMOUNT, CURRENCY = ("amount", "number", True), ("currency_code", "string", True)


@pytest.mark.parametrize(
    ("tool", "tool_class"),
    [
        (ToolInput("capture_payment"), "Financial"),
        (ToolInput("void_transaction"), "Financial"),
        (ToolInput("capture_screenshot"), "Read"),
        (ToolInput("reverse_geocoding"), "Read"),
        (
            ToolInput(
                "ssh_transfer", params=(("localPath", "string", True), ("privateKeyPath", "string", False))
            ),
            "Write",
        ),
        (
            ToolInput("transfer", params=(("keyfile", "string", True), AMOUNT, ("to", "string", True))),
            "Financial",
        ),
        (ToolInput("create_boleto", params=(AMOUNT, ("payer", "object", True))), "Financial"),
        (
            ToolInput("execute_route", params=(("amountIn", "string", True), ("tokenOut", "string", True))),
            "Financial",
        ),
        (
            ToolInput("create_order", params=(("side", "string", True), ("symbol", "string", True))),
            "Financial",
        ),
        (
            ToolInput("cancel_order", params=(("side", "string", True), ("symbol", "string", True))),
            "Financial",
        ),
        (ToolInput("create_order", params=(("items", "array", True),)), "Write"),
        (ToolInput("create_expense", params=(AMOUNT, CURRENCY)), "Write"),
        (
            ToolInput(
                "create_transaction",
                params=(AMOUNT, ("payeeId", "string", False), ("budgetId", "string", True)),
            ),
            "Write",
        ),
        (ToolInput("convert_money", params=(AMOUNT, CURRENCY)), "Read"),
        (ToolInput("reset_database"), "Destructive"),
        (ToolInput("reset_layout"), "Write"),
    ],
)
def test_money_and_loss_are_seen_where_the_name_alone_does_not_say_them(
    tool: ToolInput, tool_class: str
) -> None:
    assert classify(tool).tool_class == tool_class


def test_the_arguments_that_make_a_tool_financial_are_named() -> None:
    found = classify(ToolInput("create_fee", params=(AMOUNT, CURRENCY)))
    assert found.evidence[-1].words == ("amount", "currency_code")
    assert found.evidence[-1].field == "params"
    sold = classify(
        ToolInput("create_sale", params=(("payment", "object", True), ("customer", "object", True)))
    )
    assert (sold.tool_class, sold.evidence[-1].words) == ("Financial", ("payment",))


@pytest.mark.parametrize("unknown", ["frobnicate", "xyzzy"])
@pytest.mark.parametrize(
    "rest", ["documents", "all_rooms", "data", "results", "recent_files", "to_text", "host_by_id", "status"]
)
def test_what_a_word_nobody_knows_does_to_things_is_not_taken_for_reading(unknown: str, rest: str) -> None:
    found = classify(ToolInput(f"{unknown}_{rest}"))
    assert found.tool_class != "Read" or found.evidence[0].words == ("status",)


@pytest.mark.parametrize(
    ("name", "tool_class"),
    [
        *(("trial_searcher", "Read"), ("code_validation", "Read"), ("user_analysis", "Read")),
        *(
            ("cves_by_product", "Read"),
            ("is_contract", "Read"),
            ("whoAmI", "Read"),
            ("html_to_markdown", "Read"),
        ),
        *(("build_status", "Read"), ("log_groups", "Read"), ("log_work", "Write"), ("mark_no_show", "Write")),
        *(("power_on_server", "Execute"), ("go_back", "Execute"), ("port_forward_pod", "Execute")),
        *(("close_position", "Financial"), ("wrap_eth", "Financial"), ("attach_payment_method", "Write")),
        *(
            ("transfer_workflow", "Write"),
            ("transfer_funds", "Financial"),
            ("python_code_execution", "Execute"),
        ),
        *(("terminal_wait", "Read"), ("wait_for_reply", "Read"), ("check_launch_task", "Read")),
        *(("call_tree", "Read"), ("block_number", "Read"), ("fund_holdings", "Read"), ("get_resume", "Read")),
        *(("crawl_cancel", "Write"), ("email_validator", "Read"), ("log_progress", "Write")),
        *(("generate_movie_from_text", "Write"), ("generate_video_titles", "Read"), ("make_call", "Execute")),
        *(("clone_voice", "Write"), ("clone_repository", "Write"), ("create_prediction", "Execute")),
        *(("lock_door", "Execute"), ("lock_issue", "Write"), ("delegate_task", "Execute")),
        *(("wire_pins", "Write"), ("wire_funds", "Financial")),
        *(("cancel_order", "Financial"), ("cancel_work_order", "Write"), ("cancel_domain_transfer", "Write")),
        *(("confirm_order", "Financial"), ("create_charge", "Financial"), ("order_food", "Financial")),
        *(("create_pix", "Financial"), ("create_pix_key", "Write"), ("deploy_token_contract", "Execute")),
        *(("sign_transaction", "Financial"), ("sign_message", "Write"), ("issue_certificate", "Write")),
        *(("issue_nft", "Financial"), ("disable_recurrence", "Financial"), ("create_bill", "Financial")),
        *(("cancel_mf_sip", "Financial"), ("create_sip_trunk", "Write"), ("deploy_design_tokens", "Execute")),
        *(("load_messages", "Read"), ("load_more_hotels", "Read"), ("load_sprite", "Write")),
        *(("chat_completion", "Read"), ("create_chat_completion", "Read"), ("generate_code", "Read")),
        *(("create_completion_record", "Write"), ("generate_code_and_commit", "Write")),
        *(
            ("load_messages_into_queue", "Write"),
            ("load_docker_image", "Write"),
            ("create_charge_point", "Write"),
        ),
        *(("create_event_recurrence", "Write"), ("create_bill_of_materials", "Write"), ("get_bills", "Read")),
        *(
            ("cancel_db_transaction", "Write"),
            ("confirm_picking_order", "Write"),
            ("start_auth_server", "Execute"),
        ),
        *(("sign_transaction_report", "Write"), ("subscribe_fund_news", "Write")),
        *(("request_references", "Read"), ("request_refund", "Financial"), ("start_oauth", "Write")),
        *(("start_timer", "Write"), ("start_server", "Execute"), ("execute_jql", "Read")),
        ("type_analysis", "Read"),
        ("clearWebsiteCacheV1", "Write"),
        *(("zendesk_log_time", "Write"), ("pg_ps", "Read"), ("upgrade_risk_report", "Read")),
        ("regenerate_pass", "Write"),
    ],
)
def test_a_name_says_more_than_its_verb(name: str, tool_class: str) -> None:
    assert classify(ToolInput(name)).tool_class == tool_class


@pytest.mark.parametrize(
    ("description", "tool_class"),
    [
        ("State of the printer.", "Read"),
        ("Dispose of the container.", "Write"),
        ("Create an execution plan.", "Write"),
        ("Drafts a letter and returns its text.", "Read"),
        ("When a law is named by its title, resolve it to one id.", "Read"),
        ("Is this address worth sending to? Syntax and domain.", "Read"),
        ("Re-run the workflow that made it.", "Execute"),
        ("Alias for other_tool. Invoke an action of the element.", "Execute"),
        ("Run a Lighthouse analysis for one page.", "Read"),
        ("Run a script for one page.", "Execute"),
        ("Generate speech from text with a voice.", "Write"),
        ("Generate video captions.", "Read"),
        ("Split a song into its stems with AI.", "Write"),
        ("Download a model to the right subdirectory.", "Write"),
        ("Returns a verdict - BUY SELL HOLD and a reason.", "Read"),
        ("Call AFTER validate_company to screen it against all lists. Returns a verdict.", "Read"),
        ("Use this tool when you need to delete a page.", "Destructive"),
        ("Company intelligence: owners, filings. $0.75/call.", "Read"),
        ("PAID $0.01 via x402. Sends the report to everybody.", "Write"),
        ("ADVANCED: Update a contact by its raw card.", "Write"),
        ("[blueprint] Create a new graph.", "Write"),
        ("BATCH mode: delete up to 50 pages.", "Destructive"),
        ("Top file extensions by total size.", "Read"),
        ("Ticket requests queue.", "Read"),
        ("The keys that may be used to delete a volume.", "Read"),
        ("Deletion of a volume.", "Destructive"),
        ("Runs of a workspace.", "Read"),
        ("Runs the checks of a workspace.", "Execute"),
        ("Find and merge duplicates.", "Write"),
        ("Select columns of each line.", "Read"),
        ("Call the chat API and return the reply.", "Read"),
        ("Pauses a campaign.", "Write"),
        ("Pauses a container.", "Execute"),
        ("Remove a breakpoint by its number.", "Write"),
        ("Clean a prompt of what is suspicious.", "Read"),
        ("Clean the build directory.", "Destructive"),
        ("Turns on the lights.", "Execute"),
        ("Turns a light on or off.", "Execute"),
        ("Turns notes into slides on a page.", "Write"),
        ("AML compliance screening — CLEAN / SUSPICIOUS", "Read"),
        ("Server volumes — delete one by its number.", "Destructive"),
        ("SSH command execution on a host.", "Execute"),
        ("Honeypot and rug-pull risk score for a token.", "Read"),
        ("Trust score of an agent.", "Read"),
        ("Console messages of the page.", "Read"),
        ("Collects every instance of a class.", "Read"),
        ("Collects the rewards of a validator.", "Financial"),
        ("Manages notes. Supports reading, creating, and deleting notes.", "Destructive"),
        ("Full CRUD for cards.", "Destructive"),
        ("Create, list, inspect and delete volumes.", "Destructive"),
        ("Add, rename or remove a label.", "Write"),
        ("Get issue and label details.", "Read"),
        ("Deploy critics to destroy your design.", "Read"),
        ("Deploy agents to a cluster.", "Execute"),
        ("Animate an image with a model. Returns a task ID.", "Write"),
        ("Rewrite a paragraph in another tone.", "Read"),
        ("Order a pizza.", "Financial"),
        ("Release locked funds.", "Financial"),
        ("Audita formalmente el borrador.", "Read"),
        ("Löscht einen Eintrag.", "Destructive"),
        ("Envía un mensaje.", "Write"),
        ("Удаляет запись.", "Destructive"),
        ("Получить список записей.", "Read"),
        ("Renders a page. Use the returned cursor and delete nothing.", "Read"),
        ("주문 목록을 조회합니다", "Read"),
        ("予約一覧を取得します。", "Read"),
        ("予約を作成します", "Write"),
        ("浏览器控制台消息列表", "Read"),
        ("买入指定数量的股票", "Financial"),
        ("Xóa một tệp", "Destructive"),
        ("Durchsucht die Wissensbasis", "Read"),
        ("Permite consultar el saldo de una cuenta", "Read"),
        ("Permite crear una tarea", "Write"),
        ("Enables searching across all notes", "Read"),
        ("Enables agents to delete a note", "Destructive"),
        ("A tool for running shell commands", "Execute"),
        ("(Beta) Looks up a company", "Read"),
        ("Use this to permanently delete a record", "Destructive"),
        ("Given a script, runs it in a sandbox", "Execute"),
        ("Takes an address and returns coordinates", "Read"),
        ("Connects to a database and lists its tables", "Read"),
        ("Connects to a channel and posts a message", "Write"),
        ("Sends a GET request to an endpoint", "Read"),
        ("Sends a DELETE request for an id", "Destructive"),
        ("Send a prompt to a model", "Read"),
        ("Turns a question into SQL", "Read"),
        ("Turns a feature flag on", "Write"),
        ("Turns a lamp on", "Execute"),
    ],
)
def test_a_description_is_read_as_sentences(description: str, tool_class: str) -> None:
    assert classify(ToolInput("frobnicate", description)).tool_class == tool_class


_ABOUT_TOOLS = word_set("a api can enables for it lets list simple that the this to tool use when")


@given(st.lists(st.sampled_from(sorted(_ABOUT_TOOLS)), max_size=6).map(" ".join))
@example("A simple test tool.")
@example("This test tool that")
def test_whatever_is_said_of_the_tool_itself_is_read(description: str) -> None:
    assert classify(ToolInput("frobnicate", description)).evidence


def test_a_sentence_that_begins_with_a_verb_nobody_knows_says_nothing() -> None:
    assert classify(ToolInput("frobnicate", "Frobs the list of users. Returns it.")).needs_review


@pytest.mark.parametrize(
    ("name", "description", "tool_class"),
    [
        ("resolve_import", "Resolve an import to its file.", "Read"),
        ("keyword_create_preview", "Preview the creation of a keyword.", "Read"),
        ("create_keyword", "Preview the creation of a keyword.", "Write"),
        ("scale", "Resize a video.", "Write"),
        ("generate_barcode", "Generate a barcode. Saves the image to the folder.", "Write"),
        ("generate_barcode", "Generate a barcode.", "Read"),
        ("download_model", "Download a model to the models directory.", "Write"),
        ("download_report", "Download a report.", "Read"),
        ("generate_image", "Generate an image from a prompt.", "Write"),
        ("run_report", "Runs an API report of the visits.", "Read"),
        ("run_report", "Run the job.", "Execute"),
        ("v1_message_list", "Messaging - list what was said.", "Read"),
        ("create_completion", "Create a chat completion.", "Read"),
        ("format_text", "Format a range of text.", "Write"),
        ("run_transaction", "Execute a SQL transaction.", "Execute"),
        ("run_transaction", "Execute a transaction against a database.", "Execute"),
        ("run_transaction", "Execute a transaction.", "Financial"),
        ("run_it", "Execute a swap against a pool.", "Financial"),
        ("remove_user_from_team", "Remove a user from a team.", "Write"),
        ("flush_cache", "Flush the cache of a site.", "Write"),
        (
            "asset_tool",
            "Designer tool - Asset tool to perform actions like create folder, list folders",
            "Write",
        ),
        ("asset_tool", "Asset tool to perform actions such as list folders, delete a folder", "Destructive"),
        ("open_search_call", "Call any endpoint of it.", "Execute"),
        ("ai_inference", "Run inference on a model.", "Read"),
        ("pull_image", "Invoke the pull_image operation.", "Write"),
        ("frobnicate", "Invoke the delete_image operation.", "Destructive"),
        ("frobnicate", "ACL policy summary: groups, rules and owners.", "Read"),
        ("frobnicate", "ACL policy summary: deletes the rules.", "Destructive"),
        ("net_scan", "Start a scan of a host in the background.", "Execute"),
        ("load_model", "Load a model. Some parts may be lost.", "Write"),
        ("load_model", "Load a model. The old one is lost.", "Destructive"),
        ("write_method", "Execute a write.\nIrreversible\noperations are in another tool.", "Write"),
        ("preview_order", "Shows the body that create_order would send (money in cents).", "Read"),
        ("generate_image", "Generate an image of a map.", "Write"),
        ("generate_music", "Generate music for a scene.", "Write"),
        ("yield-optimizer", "Best yields of a network — live data", "Read"),
        ("strategy_apply", "Apply a plan to a project.", "Execute"),
        ("task_swap", "Swap tokens.", "Financial"),
        ("wallet_transfer", "Transfer a task.", "Financial"),
        ("prepare_swap", "Prepare an unsigned transaction.", "Read"),
        ("query_data", "Execute a SQL query (SELECT, INSERT, DELETE).", "Execute"),
        ("query_data", "Execute a SQL query.", "Execute"),
        ("query_data", "Execute a SQL SELECT query.", "Read"),
        ("query_data", "Query the data of a chart.", "Read"),
        ("execute_query", "Execute a SQL query.", "Execute"),
        ("query_data", "Execute a SQL query; only SELECT statements are allowed.", "Read"),
        ("code_generate", "Suggest code for a task.", "Read"),
        ("ad_group_pause_preview", "", "Read"),
        ("execute_plan", "Execute a read-only plan.", "Execute"),
        ("generate_song_lyrics", "Generate song lyrics with a model.", "Read"),
        ("prepare_metadata", "Run the extraction again.", "Execute"),
        ("refresh_all", "Trigger a refresh of all queries.", "Execute"),
        ("hover", "Trigger hover states.", "Write"),
        ("get_report", "Run a report.", "Read"),
        ("get_link", "Creates a link that opens the deployment.", "Write"),
        ("get_changes", "Update history of a page.", "Read"),
        ("get_changes", "Updates of a page.", "Read"),
        ("simulate_input", "Sends input to the game.", "Write"),
        ("create_job_template", "", "Write"),
        ("create_job", "", "Execute"),
        ("finish", "Copy the draft. Wipes the folder first.", "Destructive"),
        ("state_plan", "Generate the read-only plan of what would run.", "Read"),
        ("manage_tags", "Add or remove tags on items.", "Write"),
        ("manage_items", "Add or remove items.", "Destructive"),
        ("warehouse_connect", "Returns a list of databases.", "Read"),
        ("lot_optimize", "Which lots to sell first, and when.", "Read"),
        ("shell.waiting", "List all requests that wait.", "Read"),
        ("send_status", "Check what became of a letter.", "Read"),
        ("gate_change", "Judges a change and returns the verdict.", "Read"),
        ("process_text", "Converts text to upper case and returns it.", "Read"),
        ("process_text", "Saves a text.", "Write"),
        ("load_context", "Loads what is known of a project.", "Read"),
        ("report_finding", "Describes a weakness.", "Write"),
        ("build_spec", "", "Read"),
        ("build_deck", "", "Write"),
        ("build_app", "", "Execute"),
        ("reload_registry", "", "Write"),
        ("reload_page", "", "Execute"),
        ("computer_click", "", "Execute"),
        ("click", "Click at screen coordinates.", "Execute"),
        ("click", "Clicks an element of a page.", "Write"),
        ("send_console_input", "Types text.", "Execute"),
        ("set_volume", "", "Execute"),
        ("attach_volume", "", "Write"),
        ("xfrob_job", "Organizes a job.", "Write"),
        ("xfrob_job", "Settles a job, releasing payment to the agent.", "Financial"),
        ("add_hook", "Adds a hook for a payment event. Sends payment reminders.", "Write"),
        ("xfrob_doctor", "Run health checks: ping all hosts.", "Read"),
        ("add_liquidity", "", "Financial"),
        ("place_bid", "", "Financial"),
        ("set_stop_loss", "", "Financial"),
        ("hire_agent", "", "Financial"),
        ("hover", "The signature of what stands there.", "Read"),
        ("hover", "Hovers over an element.", "Write"),
        ("type_definition", "Where a type is declared.", "Read"),
        ("setup_plan", "Preview what would be set up.", "Read"),
        ("process_receipt", "Extract and file one receipt.", "Write"),
        ("create_scan", "", "Execute"),
        ("create_scan_template", "", "Write"),
        ("move_remote_item", "", "Write"),
        ("flow_observe", "Store an observation.", "Write"),
        ("xfrob_doctor", "Run a health check job.", "Execute"),
    ],
)
def test_a_name_and_its_description_are_read_together(name: str, description: str, tool_class: str) -> None:
    assert classify(ToolInput(name, description)).tool_class == tool_class


def test_a_hint_of_destruction_does_not_outdo_what_is_plainly_said() -> None:
    hints = {"destructiveHint": True}
    assert classify(ToolInput("frobnicate", "Launch the viewer", annotations=hints)).tool_class == "Execute"
    assert classify(ToolInput("frobnicate", annotations=hints)).tool_class == "Destructive"


@pytest.mark.parametrize(
    "description", ["Alert get issue and label", "Cache stats list and tag", "<b>alert(1)</b> lists"]
)
def test_a_description_that_begins_with_what_is_also_a_noun_is_read_like_any(description: str) -> None:
    assert classify(ToolInput("ui_get", description)).evidence


@pytest.mark.parametrize(
    ("name", "description", "tool_class"),
    [
        ("delete", "Returns the deleted item.", ToolClass.DESTRUCTIVE),
        ("purge", "Gets rid of what is old and returns how much that was.", ToolClass.DESTRUCTIVE),
        ("execute", "Gets the result of a command.", ToolClass.EXECUTE),
        ("execute_query", "Execute a query; only SELECT statements are allowed.", ToolClass.EXECUTE),
        ("call_contract", "Read-only call.", ToolClass.EXECUTE),
        ("server_run", "Lists the runs.", ToolClass.EXECUTE),
        ("sanitize_disk", "Show a disk.", ToolClass.DESTRUCTIVE),
        ("cancel_booking", "Preview a cancellation.", ToolClass.WRITE),
        ("hotel_cancel_booking", "Preview a cancellation.", ToolClass.WRITE),
        ("booking_cancel", "Preview a cancellation.", ToolClass.WRITE),
        ("create_transaction", "Prepare an unsigned transaction.", ToolClass.WRITE),
        ("update", "Get the latest release.", ToolClass.WRITE),
        ("delete_preview", "Preview what would be deleted.", ToolClass.DESTRUCTIVE),
        ("select_page", "Switch between pages.", ToolClass.EXECUTE),
        ("payout", "Returns a receipt.", ToolClass.FINANCIAL),
        ("process_payment", "Returns a receipt.", ToolClass.FINANCIAL),
        ("open_shell", "Lists shells.", ToolClass.EXECUTE),
        ("shell", "Returns the output of a command.", ToolClass.EXECUTE),
        ("update_status", "Returns the status.", ToolClass.WRITE),
        ("transfer", "Get the receipt of a transfer.", ToolClass.FINANCIAL),
    ],
)
def test_no_description_talks_a_dangerous_name_away(
    name: str, description: str, tool_class: ToolClass
) -> None:
    assert classify(ToolInput(name, description)).tool_class is tool_class
    assert classify(ToolInput(name, description, annotations={"readOnlyHint": True})).tool_class is tool_class


@given(tools)
@example(ToolInput("open_x", "list"))
def test_nothing_said_beside_a_name_that_does_something_takes_it_for_reading(tool: ToolInput) -> None:
    bare = classify(ToolInput(tool.name, "", tool.params, {}, tool.siblings))
    by, named = bare.evidence[0], words_of(tool.name)
    begins = next((INFLECTED.get(said[0]) for said in sentences_of(tool.description)), None)
    is_looked_at = by.rule == "name.word" and bare.tool_class is ToolClass.WRITE and begins in ONLY_LOOKS
    if (
        by.rule in ("name.verb", "name.word")
        and bare.confidence > 0.5
        and by.words[0] in named[:-1]
        and not leaves_open(by.words[0], named, plain=by.rule == "name.verb")
        and not is_looked_at
    ):
        assert RANK[classify(tool).tool_class] >= RANK[bare.tool_class]


def test_a_raised_badge_says_why_in_a_sentence() -> None:
    found = classify(ToolInput("get_secret_value"))
    assert prose.badge_sentence(found) == (
        "Read, High. A Read tool starts at Low; this one is rated higher because it may return a secret."
    )


@pytest.mark.parametrize(
    ("name", "does"),
    [
        ("search", "It returns what it finds and changes nothing."),
        ("list_users", "It returns what it finds about “users” and changes nothing."),
        ("retrieve_a_page", "It returns what it finds about “page” and changes nothing."),
        ("review_cluster", "It returns what it finds about “cluster” and changes nothing."),
        ("git_status", "It returns what it finds about “git status” and changes nothing."),
        ("health_check", "It returns what it finds about “health check” and changes nothing."),
        ("generate_area_chart", "It returns “area chart”, made from what it is given, and changes nothing."),
        ("convert", "It returns something, made from what it is given, and changes nothing."),
        ("create", "Each call creates or changes something; its name does not say what."),
        ("delete_user", "Each call removes something: “user”. It may be gone for good."),
    ],
)
def test_what_a_tool_does_is_a_sentence_also_where_its_name_is_a_verb_alone(name: str, does: str) -> None:
    assert prose.does(name, classify(ToolInput(name))) == does
