"""Where a reader is when a form leads back to its page: in a real browser, under the real content policy."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.frontend.pages import Site, serving

pytestmark = pytest.mark.browser
expect.set_options(timeout=60_000)

ROW = """<li class="h-24"><form method="post" action="/rows/%(n)s/"><button>Change %(n)s</button></form>
<details><summary>Remove %(n)s</summary><form method="post" action="/rows/%(n)s/remove/">
<button>Yes, %(n)s</button></form></details></li>"""
ROWS = [ROW % {"n": number} for number in range(40)]
SAID = '<div id="toasts" role="status"><div class="say" data-toast>It is done.</div></div>'
REFUSED = '<p id="refused" role="alert" tabindex="-1" autofocus>Not that one.</p>'


def _page(rows: list[str], before: str = "") -> str:
    listed = f'<section aria-label="Rows"><ul>{"".join(rows)}</ul></section>'
    return (
        '{% extends "base.html" %}{% block title %}Rows{% endblock %}'
        f'{{% block body %}}<main id="main"><h1>Rows</h1>{before}{listed}</main>{{% endblock %}}'
    )


@pytest.fixture
def site() -> Iterator[Site]:
    with serving({"/rows/": _page(ROWS), "/elsewhere/": _page(ROWS)}) as running:
        running.leads_to = "/rows/"
        yield running


@pytest.fixture
def page(browser: Browser, site: Site) -> Iterator[Page]:
    opened = browser.new_page(viewport={"width": 900, "height": 700})
    opened.goto(f"{site.address}/rows/")
    yield opened
    opened.close()


def _top(page: Page, words: str) -> float:
    return float(page.get_by_text(words, exact=True).evaluate("one => one.getBoundingClientRect().top"))


def test_what_was_pressed_is_in_the_same_place_and_has_the_focus(page: Page, site: Site) -> None:
    page.get_by_role("button", name="Change 25").scroll_into_view_if_needed()
    before = _top(page, "Change 25")
    site.pages["/rows/"] = _page(ROWS, '<div class="h-96"></div>')
    page.get_by_role("button", name="Change 25").click()
    expect(page.get_by_role("button", name="Change 25")).to_be_focused()
    assert abs(_top(page, "Change 25") - before) < 2


def test_a_form_that_is_folded_again_leaves_the_focus_on_what_unfolds_it(page: Page) -> None:
    page.get_by_text("Remove 25", exact=True).click()
    page.get_by_role("button", name="Yes, 25").click()
    expect(page.get_by_text("Remove 25", exact=True)).to_be_focused()
    expect(page.get_by_text("Remove 25", exact=True)).to_be_in_viewport()


def test_where_a_row_was_removed_the_others_stay_and_their_section_has_the_focus(
    page: Page, site: Site
) -> None:
    page.get_by_text("Remove 25", exact=True).click()
    before = page.evaluate("scrollY")
    site.pages["/rows/"] = _page(ROWS[:25] + ROWS[26:])
    page.get_by_role("button", name="Yes, 25").click()
    expect(page.get_by_role("region", name="Rows")).to_be_focused()
    assert page.evaluate("scrollY") == before > 0


def test_a_refusal_takes_the_sight_and_the_focus_to_itself(page: Page, site: Site) -> None:
    site.pages["/rows/"] = _page([*ROWS[:30], REFUSED, *ROWS[30:]])
    page.get_by_role("button", name="Change 2", exact=True).click()
    expect(page.locator("#refused")).to_be_focused()
    expect(page.locator("#refused")).to_be_in_viewport()


def test_what_was_pressed_on_a_page_of_a_refusal_is_found_on_the_page_itself(page: Page, site: Site) -> None:
    page.goto(f"{site.address}/elsewhere/")
    page.get_by_role("button", name="Change 25").click()
    page.wait_for_url("**/rows/")
    expect(page.get_by_role("button", name="Change 25")).to_be_focused()


def test_another_page_begins_at_its_beginning(page: Page, site: Site) -> None:
    page.get_by_role("button", name="Change 25").scroll_into_view_if_needed()
    site.leads_to, site.pages["/elsewhere/"] = "/elsewhere/", _page(["<p>Far</p>"] * 200)
    page.get_by_role("button", name="Change 25").click()
    page.wait_for_url("**/elsewhere/")
    assert page.evaluate("scrollY") == 0
    page.goto(f"{site.address}/rows/")
    assert page.evaluate("scrollY") == 0


def test_another_page_at_the_same_address_begins_at_its_beginning_too(page: Page, site: Site) -> None:
    page.get_by_role("button", name="Change 25").scroll_into_view_if_needed()
    site.pages["/rows/"] = _page(["<p>Far</p>"] * 200, "<p>Copy it now.</p>").replace("Rows", "Token")
    page.get_by_role("button", name="Change 25").click()
    expect(page.get_by_text("Copy it now.")).to_be_in_viewport()


def test_a_form_without_an_action_is_not_taken_for_another_one(page: Page, site: Site) -> None:
    form = '<form method="post"><button>Send</button></form>'
    site.leads_to = "/elsewhere/"
    site.pages |= {
        "/rows/": _page(["<p>Far</p>"] * 90, form),
        "/elsewhere/": _page(["<p>Far</p>"] * 90, form),
    }
    page.reload()
    page.get_by_role("button", name="Send").focus()
    page.keyboard.press("Enter")
    page.wait_for_url("**/elsewhere/")
    expect(page.get_by_role("button", name="Send")).not_to_be_focused()


def test_where_rows_share_an_address_the_focus_goes_to_no_other_row(page: Page, site: Site) -> None:
    row = """<li class="h-24"><form method="post" action="/rows/all/">
    <input type="hidden" name="row" value="%(n)s">
    <button>Again to %(n)s</button></form></li>"""
    site.pages["/rows/"] = _page([row % {"n": number} for number in range(20)])
    page.reload()
    page.get_by_role("button", name="Again to 12").press("Enter")
    expect(page.get_by_role("region", name="Rows")).to_be_focused()


def test_a_notice_is_added_to_the_page_so_that_it_is_announced(page: Page, site: Site) -> None:
    page.add_init_script(
        """addEventListener("DOMContentLoaded", () => new MutationObserver((all) => {
            const added = all.flatMap((one) => [...one.addedNodes]).map((one) => one.textContent);
            if (added.includes("It is done.")) document.body.dataset.told = "yes";
        }).observe(document.getElementById("toasts"), { childList: true }));"""
    )
    site.pages["/rows/"] = _page(ROWS, SAID)
    page.goto(f"{site.address}/rows/")
    expect(page.locator("body[data-told=yes]")).to_be_attached()
    expect(page.get_by_role("status")).to_have_text("It is done.")
