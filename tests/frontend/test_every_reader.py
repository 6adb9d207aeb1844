"""What is read in a narrow window, without a pointer, in colours of one's own and in other scripts."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.frontend.pages import Site, serving

pytestmark = pytest.mark.browser

LABEL = "وكيل الدعم"
ENDLESS = "a_name_that_does_not_end_" * 4
BODY = f"""{{% extends "base.html" %}}{{% block body %}}
<header class="topbar"><button popovertarget="nav">Open menu</button>
<span class="brand min-w-0">{{% include "components/mark.html" %}}
<span class="truncate">{ENDLESS}</span></span>
</header><nav class="nav" id="nav" popover><div class="in"><a href="#a" aria-current="page">Servers</a>
<a href="#b">Grants</a></div></nav>
<main id="main">{{% page_header "{LABEL} can call 6 tools" %}}{{% endpage_header %}}
<article class="panel appr"><div class="pad min-w-0">
<h2 class="mono min-w-0">{{{{ "{ENDLESS}"|oneline }}}}</h2>
<p>{{{{ "{ENDLESS}"|oneline }}}} on {{{{ "AWS IAM"|oneline }}}}, because a rule asks</p></div></article>
<div class="app"><dl class="kv"><dt>Policy</dt><dd>{{{{ "{ENDLESS}"|oneline }}}}, revision 1</dd></dl></div>
<div class="w-64"><button class="btn w-fit"><span>Revoke {{{{ "{ENDLESS}"|oneline }}}}</span></button></div>
<div class="seg"><a href="#1" aria-current="true">24 h</a><a href="#2">7 d</a></div>
<nav class="subnav"><a href="#3" aria-current="page">Usage</a><a href="#4">Members</a></nav>
<div class="log"><a class="lrow" href="#5" aria-current="true">Opened</a>
<a class="lrow" href="#6">Another</a></div>
<button>After</button></main>{{% endblock %}}"""
LEFT_OF = """([name, words]) => {
    const text = document.querySelector('h1 bdi').firstChild;
    const left = (part) => {
        const range = document.createRange();
        const at = text.data.indexOf(part);
        range.setStart(text, at);
        range.setEnd(text, at + part.length);
        return range.getBoundingClientRect().left;
    };
    return left(name) < left(words);
}"""
CUT = """[...document.querySelectorAll(':is(.appr, .kv) .line')]
    .filter((one) => one.scrollWidth > one.clientWidth + 1 && getComputedStyle(one).whiteSpace === 'nowrap')
    .map((one) => one.textContent)"""
# A background counts only where the browser does not paint over it.
IS_SEEN = """(one) => {
    const own = document.body.appendChild(document.createElement('i'));
    own.style.cssText = 'background: Highlight; forced-color-adjust: none';
    const drawn = getComputedStyle(one), wanted = getComputedStyle(own);
    return drawn.forcedColorAdjust === 'none' && drawn.backgroundColor === wanted.backgroundColor;
}"""


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    with serving({"/": BODY}) as running:
        yield running


@pytest.fixture
def phone(browser: Browser, site: Site) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 390, "height": 844})
    page = context.new_page()
    page.goto(site.address)
    yield page
    context.close()


def test_a_heading_that_begins_with_a_name_from_right_to_left_reads_from_left_to_right(phone: Page) -> None:
    assert phone.evaluate(LEFT_OF, [LABEL, "can call"])


def test_a_button_that_names_something_long_holds_its_words(phone: Page) -> None:
    button = phone.get_by_role("button", name="Revoke")
    assert button.evaluate("(one) => one.scrollHeight <= one.clientHeight")
    whole, words = button.bounding_box(), button.locator("span").bounding_box()
    assert whole is not None and words is not None
    assert whole["y"] <= words["y"] and words["y"] + words["height"] <= whole["y"] + whole["height"]


def test_who_approves_or_reads_facts_on_a_phone_reads_whole_names(phone: Page) -> None:
    assert phone.evaluate(CUT) == []


def test_the_mark_keeps_its_size_beside_a_long_name(phone: Page) -> None:
    box = phone.locator(".brand svg").bounding_box()
    assert box is not None and box["width"] == box["height"]


def test_the_menu_of_a_phone_closes_when_the_focus_leaves_it(phone: Page) -> None:
    phone.get_by_role("button", name="Open menu").focus()
    phone.keyboard.press("Enter")
    menu = phone.locator("#nav")
    for _ in range(2):
        phone.keyboard.press("Tab")
        expect(menu).to_be_visible()
    phone.keyboard.press("Tab")
    expect(menu).to_be_hidden()
    assert phone.evaluate("document.activeElement !== document.body")


def test_what_is_chosen_is_seen_in_colours_of_ones_own(browser: Browser, site: Site) -> None:
    context = browser.new_context(forced_colors="active", viewport={"width": 1440, "height": 900})
    page = context.new_page()
    page.goto(site.address)
    for where in (".seg > a", ".subnav > a", ".lrow", "#nav a"):
        chosen, other = page.locator(where).all()
        assert (chosen.evaluate(IS_SEEN), other.evaluate(IS_SEEN)) == (True, False), where
    context.close()


def test_a_lost_connection_is_said_also_after_a_refusal(phone: Page) -> None:
    phone.evaluate(
        """document.dispatchEvent(new CustomEvent("htmx:responseError",
            { detail: { xhr: { status: 403, responseText: "<main><p>Not allowed.</p></main>" } } }))"""
    )
    expect(phone.get_by_text("Not allowed.")).to_be_visible()
    phone.evaluate("document.dispatchEvent(new CustomEvent('htmx:sendError'))")
    expect(phone.get_by_text("The site has not answered since")).to_be_visible()
    phone.context.set_offline(True)
    expect(phone.get_by_text("No connection since")).to_be_visible()
    phone.context.set_offline(False)
    expect(phone.get_by_text("The site has not answered since")).to_be_visible()
