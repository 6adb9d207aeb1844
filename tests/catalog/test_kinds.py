"""What names mean by kinds that were learnt from the lists of public servers."""

import pytest

from catalog.classifier.vocabulary import ToolClass
from catalog.classify import Param, ToolInput, classify

DESTINATION: Param = ("destinationPath", "string", True)
ENABLED: Param = ("enabled", "boolean", True)


@pytest.mark.parametrize(
    ("tool_class", "names"),
    [
        (
            "Read",
            # What is answered, worked out, drafted or only asked.
            "generate_password generate_html_report generate_reply_to_tweet generate_payout_snippet "
            "optimize_route refine_prompt eth_call run_soql_query execute_select_sql shell_df "
            "open_nodes check_purchase deploy_app_help build_check setup_check decompose_task "
            "product_description user_following is_following zqx_block_get_tree bulk_quotes "
            "resume_score extract_resume process_thought unblock_url measure_upload_speed",
        ),
        (
            "Write",
            "track_event track_password_recovery convert_excel_to_pdf vote_on_poll close_poll "
            "resolve_error vm_snapshot format_cells quote_tweet email_send_preview compose_tweet "
            "click browser_drop generate_app_token create_run_group restore_page zqx_update_listings_list",
        ),
        (
            "Execute",
            "write_query nmap_scan build_sim_name_proj attach_to_process browser_go_forward press_up "
            "process_and_print_stl scan_ports gdb_attach mobile_press_button mobile_wait_and_click "
            "create_predictions promote_deployment revert_migration init_browser reload_agent test_macos "
            "zqx_run_test browser_click puppeteer_fill playwright_hover swipe_up "
            "long_press",
        ),
        (
            "Destructive",
            "zqx_block_delete_block restore_database expire_snapshots zqx_upload_rm",
        ),
        (
            "Financial",
            "add_bounty award_bounty claim_earnings register_domain renew_domain start_airdrop "
            "submit_for_settlement remove_collateral authorize_payment send_payment_to_recipient "
            "generate_and_send_payout approve_spender increase_allowance",
        ),
    ],
)
def test_names_mean_what_such_names_mean_elsewhere(tool_class: str, names: str) -> None:
    found = {name: classify(ToolInput(name)).tool_class.value for name in names.split()}
    assert found == dict.fromkeys(found, tool_class)


@pytest.mark.parametrize("verb", ["download", "export", "extract", "convert", "diff"])
def test_what_is_fetched_to_a_place_is_written_there(verb: str) -> None:
    assert classify(ToolInput(f"{verb}_zqx")).tool_class is ToolClass.READ
    assert classify(ToolInput(f"{verb}_zqx", params=(DESTINATION,))).tool_class is ToolClass.WRITE


@pytest.mark.parametrize("name", ["set_spending_limit", "approve_leave_allowance", "set_budget_spending_cap"])
def test_what_bounds_spending_moves_no_money(name: str) -> None:
    assert classify(ToolInput(name)).tool_class is ToolClass.WRITE


def test_what_plainly_reads_is_no_switch() -> None:
    assert classify(ToolInput("get_zqx", params=(ENABLED,))).tool_class is ToolClass.READ
    assert classify(ToolInput("zqx_profile", params=(ENABLED,))).tool_class is ToolClass.WRITE


def test_an_amount_for_somebody_is_money() -> None:
    params = (("toIds", "array", True), ("amount", "number", True))
    assert classify(ToolInput("send_zqx", params=params)).tool_class is ToolClass.FINANCIAL
    assert classify(ToolInput("send_zqx", params=params[:1])).tool_class is ToolClass.WRITE


@pytest.mark.parametrize(
    "description",
    [
        "Current weather of a place.",
        "List of stations near a place.",
        "The price of a coin.",
        "Daily prices of shares.",
        "Repositories owned by a user.",
        "Issues assigned to me.",
        "Commits between two tags.",
        "Species found in an area.",
    ],
)
def test_a_description_that_names_what_is_shown_makes_a_bare_noun_a_reading(description: str) -> None:
    assert classify(ToolInput("zqx")).needs_review
    shown = classify(ToolInput("zqx", description))
    assert (shown.tool_class, shown.needs_review) == (ToolClass.READ, False)


def test_the_setting_of_the_sun_destroys_nothing() -> None:
    shown = classify(ToolInput("zqx", "Sunrise and sunset times of a place."))
    assert shown.tool_class is not ToolClass.DESTRUCTIVE


def test_a_tool_that_stands_for_many_commands_is_not_known_by_the_name_of_its_area() -> None:
    handed_on: tuple[Param, ...] = (("command", "string", False), ("parameters", "object", False))
    for name in ("compute", "search", "storage", "keyvault"):
        found = classify(ToolInput(name, params=handed_on))
        assert found.needs_review and not found.signals, name
        assert found.evidence[0].words == ("command", "parameters")
    assert classify(ToolInput("get_best_practices", params=handed_on)).tool_class is ToolClass.READ
    assert "free_form_command" in classify(ToolInput("exec", params=handed_on[:1])).signals
    marked = ToolInput("documentation", params=handed_on, annotations={"readOnlyHint": True})
    assert classify(marked).tool_class is ToolClass.READ


def test_kinds_of_secrets_are_no_secret() -> None:
    asked = ToolInput("search_detections", params=(("secretTypes", "array", False),))
    assert "secret_parameter" not in classify(asked).signals
