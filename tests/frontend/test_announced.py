"""What a screen reader is told of what changes, and where the keyboard goes on: in a real browser."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.frontend.pages import Site, serving

pytestmark = pytest.mark.browser

BODY = """{% extends "base.html" %}{% block body %}<main id="main"><h1>Board</h1>
<form id="asks" action="/nowhere/"><div id="verdict"><p role="status">Allowed.</p></div>
<button>Try it</button></form>
<div id="others" hidden><p role="status">Someone saved this policy.</p></div>
<details data-menu id="menu"><summary>Start from</summary><button>Deny all</button></details>
<button>After</button>
<section data-live="/nowhere/">
<p data-live-status role="status"><span data-words>Not live</span></p></section>
</main>{% endblock %}"""
ANNOUNCED = "() => [...document.querySelectorAll('body > [aria-live] > p')].map((one) => one.textContent)"
DRAW = """(words) => {
    document.querySelector('#verdict').outerHTML = `<div id="verdict"><p role="status">${words}</p></div>`;
}"""


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    with serving({"/": BODY}) as running:
        yield running


@pytest.fixture
def page(browser: Browser, site: Site) -> Iterator[Page]:
    context = browser.new_context()
    page = context.new_page()
    page.goto(site.address)
    yield page
    context.close()


def expect_announced(page: Page, *words: str) -> None:
    page.wait_for_function(f"(words) => JSON.stringify(({ANNOUNCED})()) === words", arg=_as_json(words))


def _as_json(words: tuple[str, ...]) -> str:
    return "[" + ",".join(f'"{each}"' for each in words) + "]"


def test_a_status_that_is_drawn_again_is_announced_if_it_says_something_else(page: Page) -> None:
    page.evaluate(DRAW, "Allowed.")
    page.wait_for_timeout(300)
    assert page.evaluate(ANNOUNCED) == []
    page.evaluate(DRAW, "Denied.")
    expect_announced(page, "Denied.")


def test_the_answer_to_what_was_asked_is_announced_even_if_it_is_the_same(page: Page) -> None:
    page.evaluate(
        "document.getElementById('asks').addEventListener('submit', (event) => event.preventDefault())"
    )
    page.get_by_role("button", name="Try it").click()
    page.evaluate(DRAW, "Allowed.")
    expect_announced(page, "Allowed.")


def test_a_status_that_was_hidden_is_announced_when_it_is_shown(page: Page) -> None:
    page.evaluate("document.getElementById('others').hidden = false")
    expect_announced(page, "Someone saved this policy.")


def test_a_menu_closes_when_the_focus_leaves_it(page: Page) -> None:
    page.get_by_text("Start from").focus()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Deny all")).to_be_focused()
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="After")).to_be_focused()
    expect(page.get_by_role("button", name="Deny all")).to_be_hidden()


def test_that_the_stream_is_lost_is_announced_once_not_every_second(page: Page, site: Site) -> None:
    status = page.locator("[data-live-status]")
    expect(status).to_contain_text("Trying again in")
    expect(status).to_have_attribute("aria-live", "off")
