"""Bob has a keyboard, a narrow window and no pointer: the focus is always seen and never lost."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.journeys.browser import FLAGS, chromium
from tests.journeys.filled import Filled, filled
from tests.journeys.product import running_product

pytestmark = [pytest.mark.journey, pytest.mark.browser, pytest.mark.timeout(900)]

# True if something that is not part of it lies over the middle of what has the focus.
COVERED = """() => {
    const one = document.activeElement, box = one.getBoundingClientRect();
    if (one === document.body || box.height > innerHeight / 2) return null;
    const top = document.elementFromPoint(box.x + box.width / 2, box.y + box.height / 2);
    const isSeen = one.contains(top) || top?.contains(one) || one.labels?.[0]?.contains(top);
    return isSeen ? null : one.outerHTML.slice(0, 90);
}"""


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Browser, Filled]]:
    chromium()
    folder = tmp_path_factory.mktemp("product")
    with (
        running_product(folder) as product,
        filled(product, hostile=False) as world,
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(executable_path=chromium(), args=FLAGS.split())
        yield browser, world
        browser.close()


@pytest.fixture
def bob(world: tuple[Browser, Filled]) -> Iterator[Page]:
    browser, filled = world
    context = browser.new_context(
        base_url=filled.product.web, viewport={"width": 1440, "height": 900}, reduced_motion="reduce"
    )
    context.set_default_timeout(60_000)
    page = context.new_page()
    page.goto("/accounts/login/")
    page.get_by_label("E-mail").fill(filled.email)
    page.get_by_label("Password", exact=True).fill(filled.password)
    page.keyboard.press("Enter")
    page.wait_for_url(lambda url: "/accounts/" not in url)
    yield page
    context.close()


def press(page: Page, name: str | re.Pattern[str], role: str = "button") -> None:
    page.get_by_role(role, name=name).first.focus()  # type: ignore[arg-type]
    page.keyboard.press("Enter")


def test_nothing_that_has_the_focus_is_below_a_bar(bob: Page, world: tuple[Browser, Filled]) -> None:
    pages = world[1].pages
    found = []
    for width, height, name in ((640, 512, "policy"), (320, 640, "policy"), (640, 512, "server")):
        bob.set_viewport_size({"width": width, "height": height})
        bob.goto(pages[name])
        for key in ("Tab", "Shift+Tab"):
            for _ in range(70):
                bob.keyboard.press(key)
                found += [f"{name} at {width}, {key}: {one}"] if (one := bob.evaluate(COVERED)) else []
    assert found == []


def test_what_a_removed_rule_had_focused_goes_to_its_row(bob: Page, world: tuple[Browser, Filled]) -> None:
    bob.goto(world[1].pages["policy-rule"])
    press(bob, "Remove")
    expect(bob.get_by_role("link", name="Close the rule of put_user_policy")).to_be_focused()
    bob.keyboard.press("Control+z")
    expect(bob.get_by_role("button", name="Remove", exact=True)).to_have_count(1)
    expect(bob.get_by_role("link", name="Close the rule of put_user_policy")).to_be_focused()


def test_a_filter_of_the_board_keeps_the_focus(bob: Page, world: tuple[Browser, Filled]) -> None:
    bob.goto(world[1].pages["policy"])
    press(bob, re.compile("^All"), "link")
    expect(bob.locator(".chip.on")).to_contain_text("All")
    expect(bob.get_by_role("link", name=re.compile("^All"))).to_be_focused()


@pytest.mark.parametrize("leaves", ["Limit", "Esc"])
def test_the_bar_of_a_selection_gives_the_focus_back(
    leaves: str, bob: Page, world: tuple[Browser, Filled]
) -> None:
    bob.goto(world[1].pages["policy"])
    bob.get_by_role("checkbox", name="Select delete_access_key").focus()
    bob.keyboard.press("Space")
    bob.get_by_role("toolbar").get_by_role("button", name=leaves).focus()
    bob.keyboard.press("Enter")
    expect(bob.get_by_role("toolbar")).to_be_hidden()
    expect(bob.get_by_role("checkbox", name="Select delete_access_key")).to_be_focused()


def test_enter_in_the_name_of_a_test_keeps_it(bob: Page, world: tuple[Browser, Filled]) -> None:
    bob.goto(world[1].pages["policy"])
    press(bob, "Try it")
    bob.get_by_text("Keep as test…").focus()
    bob.keyboard.press("Enter")
    bob.get_by_label("Name of the test").fill("Bob's own")
    bob.get_by_label("Name of the test").press("Enter")
    expect(bob.locator("#tests-panel")).to_contain_text("Bob's own")
    expect(bob.locator("#tests-panel")).to_be_focused()


def test_what_a_pasted_text_does_takes_the_focus(bob: Page, world: tuple[Browser, Filled]) -> None:
    bob.goto(world[1].pages["policy-json"])
    press(bob, "Paste or import…", "link")
    field = bob.get_by_label("The policy to paste")
    press(bob, "See what it does")
    expect(field).to_be_focused()
    field.fill('{"version": "1", "default": "deny"}')
    press(bob, "See what it does")
    expect(
        bob.get_by_role("region", name="If you publish this").and_(bob.locator("dialog *"))
    ).to_be_focused()
    bob.keyboard.press("Escape")
    expect(bob.get_by_role("link", name="Paste or import…")).to_be_focused()


def test_a_call_of_the_log_opens_and_closes_where_the_focus_is(bob: Page) -> None:
    bob.goto("/log/?outcome=deny")
    row = bob.locator(".lrow[id]").nth(1)
    row.focus()
    bob.keyboard.press("Enter")
    expect(bob.locator("[data-opened]")).to_be_focused()
    bob.keyboard.press("Escape")
    expect(row).to_be_focused()


def test_an_empty_log_has_no_invisible_stop(bob: Page) -> None:
    bob.set_viewport_size({"width": 640, "height": 512})
    bob.goto("/log/?tool=nothing-is-called-so")
    expect(bob.get_by_role("heading", name="No call matches")).to_be_visible()
    expect(bob.get_by_role("region", name="Decisions, newest first")).to_have_count(0)


def test_an_answered_call_is_named_by_its_answer(bob: Page) -> None:
    bob.goto("/approvals/")
    card = bob.get_by_role("article").first
    tool = str(card.get_attribute("aria-label")).partition(",")[0]
    press(bob, f"Decline {tool}")
    expect(bob.get_by_role("article", name=re.compile(f"^Declined {tool}"))).to_be_focused()


def test_the_sheet_of_keys_opens_on_the_page_of_passkeys(bob: Page) -> None:
    bob.goto("/accounts/2fa/")
    bob.keyboard.press("?")
    expect(bob.get_by_role("dialog", name="Keys")).to_be_visible()
