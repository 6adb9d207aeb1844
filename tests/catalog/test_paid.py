"""What pays, orders or stakes, and what is lost for good, by the words of many countries and trades."""

import pytest

from catalog.classifier.vocabulary import ToolClass
from catalog.classify import Param, ToolInput, classify

AMOUNT: Param = ("amount", "number", True)
RATE: Param = ("annual_rate", "number", True)


def classes(names: str) -> dict[str, str]:
    return {name: classify(ToolInput(name)).tool_class.value for name in names.split()}


@pytest.mark.parametrize(
    "names",
    [
        pytest.param(
            "webpay_commit_transaction oneclick_authorize tabby_capture mpesa_stk_push "
            "send_upi_collect send_spei alipay_create_order create_direct_debit execute_mandate "
            "create_ach_debit create_standing_order create_sepa_transfer initiate_transfer "
            "transfer_make tranfer_usdc make_transfer",
            id="by the ways money travels",
        ),
        pytest.param(
            "cancel_subscription upgrade_plan renew_server charge_customer fund_card add_credits "
            "credit_wallet create_credit_note enable_auto_topup create_savings_plan "
            "provision_phone_number order_esim settle_up approve_bill approve_reimbursement "
            "issue_check void_check book_tickets sponsor_user",
            id="by what is owed",
        ),
        pytest.param(
            "open_trade modify_order execute_order place_gtt square_off copy_trade start_grid_bot "
            "create_recurring_buy limit_order gamble enter_lottery subscribe_ipo",
            id="by what is traded",
        ),
        pytest.param(
            "delegate_stake merge_stake freeze_balance lock_tokens decrease_liquidity approve_erc20 zap_in "
            "flash_loan create_escrow superfluid_create_flow register_ens create_amm_pool create_erc20_token "
            "create_memecoin send_ton make_collection_offer sign_typed_data send_user_operation melt_tokens",
            id="by what is on a chain",
        ),
        pytest.param(
            "payment bulk_payment do_payment crypto_withdrawal faucet order_groceries",
            id="by a noun alone",
        ),
        pytest.param(
            "emitir_boleto emitir_nfse criar_assinatura crear_pedido realizar_compra "
            "retirar_fondos fazer_pix enviar_dinero creer_facture pagare_fattura geld_senden "
            "odeme_yap siparis_ver zhuanzhang tijiao_dingdan oplatit 创建支付订单",
            id="in other languages",
        ),
    ],
)
def test_what_moves_money_is_financial_whatever_it_is_called(names: str) -> None:
    found = classes(names)
    assert found == dict.fromkeys(found, "Financial")


def test_what_is_lost_for_good_is_destructive_whatever_it_is_called() -> None:
    found = classes(
        "remove_member_permanently archive_permanently remove_from_disk reset_workspace "
        "reset_project kill_vm kill_database cancel_server overwrite_database sanitize_disk "
        "recall_message unsend_message unlink_file record_deletion bulk_removal git_push_force "
        "migrate_fresh self_destruct rmtree docker_rmi mkfs release_phone_number "
        "empty_recycle_bin qingkong shanchu_wenjian udalit_fail poista_tiedosto"
    )
    assert found == dict.fromkeys(found, "Destructive")


def test_what_only_sounds_like_money_or_loss_is_a_write() -> None:
    found = classes(
        "reset_project_settings archive_channel overwrite_cell transfer_ownership "
        "create_data_transfer add_trade_note create_trade_journal_entry change_plan_title "
        "change_meal_plan renew_token approve_access_token add_white_balance add_balance_sheet "
        "create_paypal_webhook create_pix_key register_pix_webhook lock_card_position "
        "cancel_topic_subscription pause_membership_emails split_stakeholders "
        "create_connection_pool create_wire_diagram sign_message follow_user create_capacity_plan "
        "apply_note_style create_credit_card_template"
    )
    assert found == dict.fromkeys(found, "Write")


def test_what_tells_about_money_or_loss_is_neither() -> None:
    found = classes(
        "check_refund_status refund_history bet_odds drop_rate get_swap_quote removal_statistics "
        "payment_status"
    )
    assert {"Financial", "Destructive"}.isdisjoint(found.values())


def test_a_payment_that_is_only_worked_out_is_not_made() -> None:
    paid = classify(ToolInput("card_payment", params=(AMOUNT,)))
    assert paid.tool_class is ToolClass.FINANCIAL
    assert paid.evidence[0].words == ("payment",)
    for name, params in (("card_payment", (AMOUNT, RATE)), ("monthly_payment", (AMOUNT,))):
        assert classify(ToolInput(name, params=params)).tool_class is not ToolClass.FINANCIAL
    # An argument that says only which payment says nothing of one that is made.
    which: Param = ("payment_id", "string", True)
    assert classify(ToolInput("card_payment", params=(which,))).tool_class is not ToolClass.FINANCIAL


def test_a_way_of_paying_without_a_verb_pays_if_it_is_told_how_much() -> None:
    assert classify(ToolInput("mpesa_b2c", params=(AMOUNT,))).tool_class is ToolClass.FINANCIAL
    assert classify(ToolInput("mpesa_b2c")).tool_class is not ToolClass.FINANCIAL


def test_charging_a_battery_is_not_charging_a_card() -> None:
    assert classify(ToolInput("charge_battery")).tool_class is ToolClass.EXECUTE
    assert classify(ToolInput("charge_card")).tool_class is ToolClass.FINANCIAL


def test_what_fills_up_again_or_is_easily_put_back_is_only_written() -> None:
    found = classes(
        "clear_cache cache_clear purge_dependency_cache flush_cache delete_breakpoint "
        "delete_issue_emoji_reaction remove_annotation remove_unused_imports"
    )
    assert found == dict.fromkeys(found, "Write")
    # What is kept elsewhere is lost with its cache only on a server that is nothing else.
    kept = classify(ToolInput("clear_cache", server="acme-cache-server"))
    assert kept.tool_class is ToolClass.DESTRUCTIVE
    assert classify(ToolInput("delete_cache_cluster")).tool_class is ToolClass.DESTRUCTIVE


def test_correcting_or_mailing_a_bill_moves_no_money() -> None:
    found = classes("update_invoice update_payment update_checkout send_invoice_email create_payment_source")
    assert found == dict.fromkeys(found, "Write")
    paid = classes("send_invoice send_payment_lightning_address create_invoice update_order_payment")
    assert paid == dict.fromkeys(paid, "Financial")


def test_closing_a_browsers_session_ends_it() -> None:
    found = classes("close_session close_sandbox browserbase_session_close playwright_close")
    assert found == dict.fromkeys(found, "Execute")
