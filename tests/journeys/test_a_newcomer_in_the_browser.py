"""A newcomer's steps 2 to 7 as a person does them: one browser, one agent, one real server."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.cast import POLICY
from tests.driving import drive
from tests.fixtures.servers.start import RunningToy, running_toy
from tests.journeys.api import gateway_status, wait_until
from tests.journeys.browser import browser_page, chromium
from tests.journeys.product import RunningProduct, running_product

pytestmark = [pytest.mark.journey, pytest.mark.browser, pytest.mark.timeout(900)]

POLICY_WITH_HIDDEN = POLICY.replace('"default": "deny",', '"default": "deny",\n  "hide": ["delete_user"],')


def test_a_newcomer_puts_a_first_agent_behind_a_rule(tmp_path: Path) -> None:
    chromium()
    record = tmp_path / "arrived.jsonl"
    with (
        running_product(tmp_path) as product,
        running_toy(record=record) as toy,
        browser_page(tmp_path) as page,
    ):
        _signs_up(page, product)
        _registers_the_server(page, product, toy)
        _publishes_the_policy(page)
        url, token = _issues_a_grant(page)
        _the_agent_calls(url, token, toy)
        _reads_the_log(page, product)
        _sees_every_step_done(page, product)
        _revokes_the_grant(page, product, url, token)


def _signs_up(page: Page, product: RunningProduct) -> None:
    page.goto(product.web)
    page.get_by_role("link", name="Create free account").first.click()
    page.get_by_label("E-mail").fill("alice@example.com")
    page.get_by_label("Password", exact=True).fill("correct horse battery")
    page.get_by_label("Organization").fill("Acme")
    page.get_by_role("button", name="Create account").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Get your first agent behind a rule")
    expect(page.locator("#steps > ol > li")).to_have_count(4)


def _registers_the_server(page: Page, product: RunningProduct, toy: RunningToy) -> None:
    page.get_by_role("link", name="Register a server").click()
    page.get_by_label("Name", exact=True).fill("AWS IAM")
    page.get_by_label("Server URL").fill("http://no-such-host.invalid/mcp")
    page.get_by_role("button", name="Connect").click()
    expect(page.locator("#scan")).to_contain_text("no-such-host.invalid")
    expect(page.get_by_role("heading", level=1)).to_have_text("AWS IAM is not connected")
    page.get_by_label("Server URL").fill(toy.url)
    page.get_by_role("button", name="Connect again").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("AWS IAM is connected")
    expect(page.get_by_role("link", name="create_access_key")).to_be_visible()
    expect(page.get_by_role("row", name=re.compile("delete_user"))).to_contain_text("Destructive")


def _publishes_the_policy(page: Page) -> None:
    page.get_by_role("link", name="Put a policy on it").click()
    page.get_by_label("Name", exact=True).fill("agents")
    page.get_by_role("button", name="Start from this", exact=True).last.click()
    expect(page.get_by_role("heading", level=1)).to_have_text("agents")
    page.get_by_role("button", name="JSON").click()
    _types(page, POLICY_WITH_HIDDEN.replace('"window"', '"windw"'))
    expect(page.locator("#judgement")).to_contain_text("windw")
    _types(page, POLICY_WITH_HIDDEN)
    judgement = page.locator("#judgement")
    expect(judgement).not_to_contain_text("windw")
    expect(judgement).to_contain_text("Limited")
    expect(judgement).to_contain_text("Hidden")
    page.get_by_role("button", name="Review and publish").click()
    page.get_by_role("button", name=re.compile("^Publish revision 1")).click()
    expect(page.locator("#rollout-title")).to_have_text(
        "Revision 1 is in force on 1 of 1 worker", timeout=15_000
    )


def _types(page: Page, text: str) -> None:
    page.locator(".cm-content").click()
    page.wait_for_load_state()  # the editor appears before the scripts that save and check its text
    page.keyboard.press("ControlOrMeta+a")
    page.keyboard.insert_text(text)


def _issues_a_grant(page: Page) -> tuple[str, str]:
    page.get_by_role("link", name="Issue a grant").click()
    page.get_by_label("Label").fill("laptop")
    page.get_by_role("button", name="Issue the grant").click()
    token = page.locator("#token").inner_text().strip()
    snippets = page.locator("[role=tabpanel]").all_inner_texts()
    assert token.startswith("plg_")
    url = re.search(r"http://127\.0\.0\.1:\d+/mcp/[0-9a-f-]{36}/", " ".join(snippets))
    assert url is not None
    page.reload()
    expect(page.locator("body")).not_to_contain_text(token)
    return url.group(), token


def _the_agent_calls(url: str, token: str, toy: RunningToy) -> None:
    create: list[Any] = ["call_tool", "create_access_key", {"user_name": "eve"}]
    steps = [["initialize"], ["list_tools"], *[create] * 31, ["call_tool", "list_users", {}]]
    answers = drive("mcp-2x", url, token, steps)
    listed = [tool["name"] for tool in answers[1]["result"]]
    assert "create_access_key" in listed
    assert "delete_user" not in listed
    calls = [answer["result"] for answer in answers[2:33]]
    assert [call.get("isError", False) for call in calls] == [False] * 30 + [True]
    assert _decision(calls[30])["code"] == "limit_exceeded"
    assert 1 <= _decision(calls[30])["retry_after_seconds"] <= 60
    denied = answers[33]["result"]
    assert _decision(denied)["code"] == "not_available"
    assert denied["content"][0]["text"] == "[POLICY DENIED] No tool named list_users is available here."
    assert [call["tool"] for call in toy.calls()] == ["create_access_key"] * 30


def _decision(result: dict[str, Any]) -> dict[str, Any]:
    decision: dict[str, Any] = result["_meta"]["policylayer/decision"]
    return decision


def _reads_the_log(page: Page, product: RunningProduct) -> None:
    page.goto(f"{product.web}/log/")
    rows = page.locator("#rows .lrow")
    expect(rows).to_have_count(32, timeout=90_000)
    expect(rows.nth(0)).to_contain_text("list_users")
    expect(rows.nth(1)).to_contain_text("Held back")
    rows.nth(1).click()
    expect(page.locator("body")).to_contain_text("/tools/create_access_key/limits/0")
    expect(page.locator("body")).to_contain_text("create_access_key_rate")


def _sees_every_step_done(page: Page, product: RunningProduct) -> None:
    page.goto(f"{product.web}/get-started/")
    expect(page.locator("#steps li.done")).to_have_count(4)


def _revokes_the_grant(page: Page, product: RunningProduct, url: str, token: str) -> None:
    page.goto(f"{product.web}/log/")
    expect(page.locator("[data-live-status]")).to_contain_text("Live")
    page.goto(f"{product.web}/grants/")
    page.get_by_role("link", name="laptop").click()
    page.get_by_text("Revoke…").click()
    page.get_by_role("button", name="Revoke laptop").click()
    expect(page.locator("body")).to_contain_text("It was revoked")
    grant = {"gateway_url": url, "token": token}
    wait_until(lambda: gateway_status(grant) == 401, "the grant went on working")
    (refused,) = drive("mcp-2x", url, token, [["list_tools"]])
    assert not refused["ok"]
