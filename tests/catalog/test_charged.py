"""What takes money or ends something is said to do so, and what only tells of it is not."""

from __future__ import annotations

import pytest

from catalog.classify import ToolInput, classify

PAYS = (
    ("deep_research", "Answers with sources. Costs $0.30 a call, paid from the agent wallet."),
    ("company_dossier", "Full dossier. Costs 12 credits, deducted from your balance."),
    ("background_check", "Orders a check; your card is billed $29."),
    ("fetch_resource", "Fetches a resource, paying with x402 automatically."),
    ("file_return", "File the return and pay what is owed."),
    ("accept_offer", "Accept a buyer's offer; the sale is binding and payment is taken."),
    ("flatten", "Close every open position at market price."),
    ("open_box", "Spends 100 coins to open a box."),
    ("execute_request", "Executes a real-money trade."),
    ("launch_campaign", "Launch a campaign. Spends real money."),
    ("create_number", "Provision a number (this will incur charges)."),
    ("create_instance", "Create a GPU instance. Billing starts immediately."),
    ("place_call", "Place a call, billed per minute."),
    ("update_offer", "Submits a binding offer to the seller."),
    ("raise_bid", ""),
    ("run_payroll", ""),
    ("go_short", ""),
    ("add_collateral", ""),
    ("issue_gift_card", ""),
    ("apply_for_loan", ""),
    ("effettua_bonifico", ""),
    ("gebot", "Gibt ein Gebot bei einer Auktion ab."),
    ("furikomi", "指定した口座に振込を実行します。"),
    ("oplata", "Оплачивает счёт."),
)
ENDS = (
    ("offboard_user", "Remove a user and delete all data they own."),
    ("unlink_keys", "Delete keys in the background."),
    ("restore_backup", "Restore a backup over the database; newer data is lost."),
    ("import_dump", "Imports a dump, overwriting the database."),
    ("cancel_booking", "Cancel a booking. WARNING: this action is irreversible."),
    ("merge_branches", "Merge two branches. This can't be undone."),
    ("archive_contact", "Archives a contact; it cannot be restored."),
    ("archive_contact", "Archives a contact permanently."),
    ("finish_job", "Finishes. This is a destructive operation."),
    ("set_retention", "Set retention. Older messages are removed forever."),
    ("transfer_site", "Transfers a site. This operation is not reversible."),
    ("merge_users", "Merges two users. There is no way to undo this."),
    ("migrate_store", "Migrates the store. Irreversible!"),
    ("force_push", ""),
    ("release_elastic_ip", ""),
    ("schedule_key_deletion", ""),
    ("recreate_collection", ""),
    ("revert_to_snapshot", ""),
    ("papierkorb_leeren", ""),
    ("reset", "将设备恢复出厂设置，所有数据将被清除。"),
)
NEITHER = (
    ("quote_api", "Get the exact price of a call for free: nothing is charged.", "Read"),
    ("fx_rates", "PAID $0.001 via x402. Live exchange rates.", "Read"),
    ("list_charges", "List what customers were charged. Filter by $ amount.", "Read"),
    ("trade_history", "Trades of a market.", "Read"),
    ("ad_spend_report", "Spend by campaign.", "Read"),
    ("bet_slip", "The bets on a slip.", "Read"),
    ("create_webhook", "Create a webhook that is called once an invoice is paid.", "Write"),
    ("soft_delete_document", "", "Write"),
    ("cancel_deletion", "", "Write"),
    ("set_hook", "Set what is called before a file is deleted.", "Write"),
    ("set_lock_state", "Sets Open or Locked. 'Locked' is irreversible.", "Write"),
    ("update_page", "Update a page. The change can be undone.", "Write"),
    ("rename_page", "Renames a page. If it cannot be reverted an error is returned.", "Write"),
    ("add_paper_fill", "Adds a paper fill. No real money is used.", "Write"),
    ("add_cluster", "Adds a cluster. It may incur charges.", "Write"),
    ("update_label", "Updates a label. A non-destructive operation.", "Write"),
    ("archive_page", "Archives a page. It is not removed forever.", "Write"),
    ("lock_page", "Locks a page. Archived pages stay until they are permanently deleted.", "Write"),
    ("besked", "Gibt die Bestellung zurück.", "Read"),
    ("busqueda", "Realiza una búsqueda en el catálogo.", "Read"),
)


@pytest.mark.parametrize(("name", "description"), PAYS)
def test_what_takes_money_in_passing_is_financial(name: str, description: str) -> None:
    assert classify(ToolInput(name, description)).tool_class == "Financial"


@pytest.mark.parametrize(("name", "description"), ENDS)
def test_what_ends_something_in_passing_is_destructive(name: str, description: str) -> None:
    assert classify(ToolInput(name, description)).tool_class == "Destructive"


@pytest.mark.parametrize(("name", "description", "tool_class"), NEITHER)
def test_what_only_tells_of_it_is_not(name: str, description: str, tool_class: str) -> None:
    assert classify(ToolInput(name, description)).tool_class == tool_class


def test_a_word_that_is_money_by_itself_is_named_once() -> None:
    sentence = classify(ToolInput("refund_order")).evidence[0].sentence
    assert sentence.startswith("“refund” in the name: it moves money")
