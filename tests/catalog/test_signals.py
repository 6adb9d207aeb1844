"""What raises a severity, by the company its words keep; and how often it does where it should."""

import os

import pytest

from catalog.classify import Param, ToolInput, classify
from tests.catalog.signals import measured

RAISED = {
    "credentials": """
        create_access_key set_api_key delete_user users_update add_user_to_group revoke_token
        revoke_user_sessions update_member_role promote_to_admin attach_user_policy authenticate logout
        create_invitation reset_password create_object_storage_key atlas-create-db-user
    """,
    "outbound_message": """
        send_email post_comment add_issue_comment create_post publish_linkedin_post reply_to_review
        slack_update_message discord_send send_whatsapp push_notification forward_email invite_member
        create_phone_call broadcast_text_message send_text quote_tweet
    """,
    "bulk": "batch_update_rows delete_all_users truncate_table empty_trash clear_messages cache_set_multi",
    "production": "create_item_live update_live_site set_production_flag",
    "money": "list_invoices get_payment get_bank_statements list_credit_notes get_card_transactions",
    "secret_result": """
        get_secret list_api_keys get_connection_string browser_get_cookies get_env_var list_private_keys
        get_secret_by_id read_kubeconfig
    """,
    "free_form": """
        run_command execute_sql run_python_code execute_script browser_evaluate run_query
        execute_command_on_server run_code_in_session ssh_exec
    """,
}
NOT_RAISED = {
    "credentials": """
        press_key browser_press_key send_keys set_key update_primary_key create_translation_keys
        buy_token issue_fungible_token transfer_tokens follow_user update_user_profile create_user_repo
        set_user_defaults store_user_message create_session close_browser_session update_backup_policy
        create_bank_account track_login authenticate_3ds rename_member generate_data_access_layer
    """,
    "outbound_message": """
        post_document post_v1_users update_post like_post bookmark_tweet move_email mark_message_read
        sign_message set_comment add_assembly_comment create_draft_email add_email_account push_image
        forward_video send_request create_send_as gemini_send_message create_post_install_script
    """,
    "bulk": "create_multi_browser_session update_row clear_status set_canvas",
    "production": "upload_live_photo run_live_session create_production_order update_product",
    "money": """
        list_payment_methods get_payment_forms get_deposit_rate get_ev_charge get_transaction_receipt
        get_block_transactions decode_invoice get_deposit_address
    """,
    "secret_result": """
        validate_api_key check_password get_credential_schema account_by_private_key list_files_in_vault
        generate_password get_public_key get_cookie_consent get_token_count
    """,
    "free_form": """
        block_command open_terminal ssh_disconnect start_code_interpreter_session sql_database_update
        ssh_upload run_saved_query
    """,
}


def _signals(names: dict[str, str]) -> list[tuple[str, str]]:
    return [(signal, name) for signal, all_names in names.items() for name in all_names.split()]


@pytest.mark.parametrize(("signal", "name"), _signals(RAISED))
def test_what_a_word_means_beside_the_others_is_told(signal: str, name: str) -> None:
    found = classify(ToolInput(name))
    assert [each for each in found.signals if each.startswith(signal)], found


@pytest.mark.parametrize(("signal", "name"), _signals(NOT_RAISED))
def test_the_same_word_in_other_company_is_not(signal: str, name: str) -> None:
    found = classify(ToolInput(name))
    assert not [each for each in found.signals if each.startswith(signal)], found.evidence


def _param(name: str, kind: str = "string") -> Param:
    return (name, kind, True)


@pytest.mark.parametrize(
    ("signal", "name", "params"),
    [
        ("outbound_message", "send_file", (_param("chat_id"), _param("path"))),
        ("outbound_message", "conversations_add_message", (_param("channel_id"), _param("text"))),
        ("free_form_sql", "read_query", (_param("query"),)),
        ("free_form_sql", "create_table", (_param("query"),)),
        ("free_form_code", "create_function", (_param("name"), _param("code"))),
        ("free_form_command", "update_task", (_param("command"),)),
        ("money", "search_transactions", (_param("from_date"),)),
        ("secret_parameter", "list_ads", (_param("access_token"),)),
        ("secret_parameter", "import_wallet", (_param("privateKey"),)),
        ("secret_parameter", "get_items", (_param("token"),)),
    ],
)
def test_arguments_tell_what_the_name_leaves_open(signal: str, name: str, params: tuple[Param, ...]) -> None:
    assert signal in classify(ToolInput(name, params=params)).signals


@pytest.mark.parametrize(
    ("signal", "name", "params"),
    [
        ("credentials", "update_key", (_param("key"), _param("value"))),
        ("credentials", "create_token", (_param("symbol"), _param("decimals", "integer"))),
        ("outbound_message", "send_text", (_param("pane"), _param("text"))),
        ("outbound_message", "add_comment", (_param("address"), _param("comment"))),
        ("free_form_code", "get_stock_basics", (_param("code"),)),
        ("free_form_code", "update_product", (_param("code"),)),
        ("free_form_code", "review_code", (_param("code"),)),
        ("free_form_sql", "validate_sql", (_param("sql"),)),
        ("free_form_sql", "search_films", (_param("query"),)),
        ("free_form_sql", "nl_to_sql", (_param("query"),)),
        ("free_form_command", "add_to_whitelist", (_param("command"),)),
        ("money", "get_transaction", (_param("txHash"),)),
        ("secret_parameter", "list_pages", (_param("page_token"), _param("next_token"))),
        ("secret_parameter", "get_price", (_param("token"),)),
        ("secret_parameter", "update_job", (_param("hide_password", "boolean"), _param("secretPath"))),
        ("secret_parameter", "drop_index", (_param("name"), _param("token"))),
    ],
)
def test_arguments_tell_what_only_looks_like_it(signal: str, name: str, params: tuple[Param, ...]) -> None:
    assert signal not in classify(ToolInput(name, params=params)).signals


def test_a_name_without_words_takes_its_arguments_as_they_are() -> None:
    assert classify(ToolInput("__", params=(_param("query"), _param("token")))).severity.label == "Medium"


@pytest.mark.parametrize(
    ("name", "badge"),
    [
        ("create_access_key", ("Write", "High")),
        ("put_user_policy", ("Write", "High")),
        ("policy_generation_start", ("Execute", "High")),
        ("start_security_scan", ("Execute", "High")),
        ("press_key", ("Write", "Medium")),
    ],
)
def test_the_badge_is_the_class_and_what_raises_it(name: str, badge: tuple[str, str]) -> None:
    found = classify(ToolInput(name))
    assert (found.tool_class, found.severity.label) == badge


@pytest.mark.parametrize(("name", "recall"), [("looked at", 0.7), ("aside", 0.7), ("met once", 0.6)])
def test_signals_are_raised_where_a_reader_would(name: str, recall: float) -> None:
    if not os.environ.get("POLICYLAYER_TEST_DATA"):
        pytest.skip("POLICYLAYER_TEST_DATA is not set: signals were not measured")
    for signal, one in measured(name).items():
        assert one.precision >= 0.85, (signal, one.wrongly)
        # Of what is in production hardly any name says so.
        assert one.recall >= recall or signal == "production", (signal, one.not_at_all)
