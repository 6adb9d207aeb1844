"""“Limit this tool” on a public page leads to the policy in the editor, whoever follows it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.fixtures.servers.start import RunningToy, running_toy
from tests.journeys.browser import browser_page, chromium
from tests.journeys.product import RunningProduct, running_product

pytestmark = [pytest.mark.journey, pytest.mark.browser, pytest.mark.timeout(400)]

TOOL = "/tools/awslabs-iam-mcp-server/create_access_key/"
OTHER = "/tools/awslabs-iam-mcp-server/delete_user/"
PASSWORD = "correct horse battery"
TOKEN = "toy-needs-this"


def test_the_button_of_a_tool_leads_to_its_policy_however_one_comes_by(tmp_path: Path) -> None:
    chromium()
    with (
        running_product(tmp_path) as product,
        running_toy("--token", TOKEN) as toy,
        browser_page(tmp_path) as page,
    ):
        _a_stranger_signs_up_and_registers_a_server_that_needs_a_header(page, product, toy)
        _leaves(page, product)
        _signs_in_instead_after_a_wrong_password_and_uses_the_server_there_is(page, product)
        _goes_to_another_organization_without_losing_the_way(page, product, toy)


def _a_stranger_signs_up_and_registers_a_server_that_needs_a_header(
    page: Page, product: RunningProduct, toy: RunningToy
) -> None:
    page.goto(product.web + TOOL)
    page.get_by_role("link", name="Limit this tool").click()
    page.get_by_label("E-mail").fill("alice@example.com")
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_label("Organization").fill("Acme")
    page.get_by_role("button", name="Create account").click()
    _arrived_for(page, "create_access_key")
    expect(page.get_by_label("Name", exact=True)).to_have_value("AWS IAM MCP Server")
    _registers(page, toy)
    _the_policy_waits(page, "create_access_key", "limit")


def _arrived_for(page: Page, tool: str) -> None:
    expect(page.get_by_role("heading", level=1)).to_have_text(f"A policy for {tool}")


def _registers(page: Page, toy: RunningToy) -> None:
    page.get_by_label("Server URL").fill(toy.url)
    page.get_by_label("Headers").check()
    page.get_by_label("Value of header 1").fill(f"Bearer {TOKEN}")
    page.get_by_role("button", name="Connect and open the policy").click()


def _the_policy_waits(page: Page, *words: str) -> None:
    page.wait_for_url(re.compile("/policies/pol_"))
    page.get_by_role("button", name="JSON").click()
    for word in words:
        expect(page.locator(".cm-content")).to_contain_text(word)


def _leaves(page: Page, product: RunningProduct) -> None:
    page.goto(f"{product.web}/accounts/logout/")
    page.get_by_role("main").get_by_role("button", name="Sign out").click()


def _signs_in_instead_after_a_wrong_password_and_uses_the_server_there_is(
    page: Page, product: RunningProduct
) -> None:
    page.goto(product.web + OTHER)
    page.get_by_role("link", name="Gate this tool").click()
    page.get_by_role("link", name="Sign in").first.click()
    page.get_by_label("E-mail").fill("alice@example.com")
    page.get_by_label("Password", exact=True).fill("not my password at all")
    page.get_by_role("button", name="Sign in", exact=True).click()
    expect(page.get_by_role("alert").first).to_contain_text("You are not signed in")
    page.get_by_label("E-mail").fill("alice@example.com")
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Sign in", exact=True).click()
    _arrived_for(page, "delete_user")
    expect(page.get_by_text("It lists delete_user.")).to_be_visible()
    page.get_by_role("button", name="Use it on AWS IAM MCP Server").click()
    _the_policy_waits(page, "delete_user", "require_approval")


def _goes_to_another_organization_without_losing_the_way(
    page: Page, product: RunningProduct, toy: RunningToy
) -> None:
    page.goto(f"{product.web}/organizations/new/")
    page.get_by_label("Name").fill("Beta")
    page.get_by_role("button", name=re.compile("organization", re.IGNORECASE)).last.click()
    page.goto(product.web + TOOL)
    page.get_by_role("link", name="Limit this tool").click()
    _arrived_for(page, "create_access_key")
    expect(page.get_by_role("button", name="Use it on AWS IAM MCP Server")).to_have_count(0)
    page.get_by_label("Go to another organization").click()
    page.get_by_role("button", name="Acme").click()
    _arrived_for(page, "create_access_key")
    page.get_by_role("button", name="Use it on AWS IAM MCP Server").click()
    _the_policy_waits(page, "create_access_key")
