"""The scripts in a real browser, under the real content security policy."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, Route, expect

from tests.frontend.pages import Site, serving
from tests.journeys.axe import RULES

pytestmark = pytest.mark.browser
expect.set_options(timeout=60_000)


def _page(title: str, content: str, head: str = "") -> str:
    return (
        '{% extends "base.html" %}'
        f"{{% block title %}}{title}{{% endblock %}}{{% block head %}}{head}{{% endblock %}}"
        f'{{% block body %}}<main id="main"><h1>{title}</h1>{content}</main>{{% endblock %}}'
    )


EDITOR = """<label for="id_document">Policy document</label>
<textarea class="editor" data-editor="json" id="id_document" name="document">{
  "default": "deny",
  "windw": "minute"
}</textarea><span data-editor-place="id_document"></span>
<ul data-problems="id_document"><li data-line="3" data-column="3" data-severity="error">
<p data-message>Did you mean window?</p>
<button type="button" data-goto hidden>Go to line 3</button></li></ul>"""
CHANGED = """<label for="id_document">Policy document</label>
<textarea class="editor" data-editor="json" data-then="live" id="id_document">{
  "tools": {
    "a/b": {
      "x": 2,
      "y": 1
    }
  }
}</textarea><textarea id="live" hidden disabled aria-label="Then">{
  "tools": {
    "b": {
      "x": 1,
      "y": 1
    }
  }
}</textarea><span data-editor-place="id_document"></span>"""
SAID = """<label for="id_document">Policy document</label>
<textarea class="editor" data-editor="json" data-vocabulary="/words/" id="id_document">{
  "constructor": "",
  "tools": { "a": { "require": [ { "conditions": [ { "op": "toString", "valueOf": "" } ] } ] } }
}</textarea>"""
FILE = """<form><label class="btn" data-file hidden>Choose<input type="file" data-file-into="text"></label>
<span role="alert" data-file-said hidden></span><textarea id="text" aria-label="Text"></textarea>
<details data-before open hidden><summary>Before</summary>
<textarea aria-label="Before"></textarea></details></form>"""
LIVE = """<section data-live="/stream/" data-live-into="#rows">
<p data-live-status><span data-words>Not live</span> <i data-live-rate="0" hidden></i></p>
<button type="button" data-live-pause hidden><span data-words>Pause</span></button>
<ul id="rows"></ul></section>"""
CHART = """<p><a data-chart-link="/log/?grant=grt_1" href="/log/" hidden></a></p>
<div class="chart" data-chart="figures"><script id="figures" type="application/json">{"kind": "calls",
"words": "Calls by outcome: 7 allowed, 3 denied", "starts": [0, 3600, 7200], "end": 10800,
"levels": [0, 5, 10], "counts": {"allow": [5, 2, 0], "limit": [0, 0, 0], "approval": [0, 0, 0],
"deny": [0, 3, 0], "hidden": [0, 0, 0]},
"published": [{"at": 3700, "words": "keys, revision 2"}]}</script>
<div data-drawn><svg role="img" aria-label="Drawn by the server"></svg></div></div>
<script src="{% asset "chart.js" %}" defer></script>"""
THEME = """<button type="button" data-theme-choice="dark">Dark</button>
<button type="button" data-theme-choice="system">System</button>
<button type="button" data-dialog-open="sure">Open</button>
<dialog class="dlg" id="sure" aria-label="Sure?"><button data-dialog-close>Close</button></dialog>
<form action="/" data-signs-out><button>Sign out</button></form>"""
FOUND = """<form method="get" action="/theme/"><label>Find<input type="search" name="q" value="kept"></label>
<label>Sort<select name="sort"><option>name</option><option>newest</option></select></label>
<button>Find</button></form>"""
CUT = """<div class="w-20"><bdi class="line">one_name_too_long_to_stand_here</bdi></div>
<bdi class="line">short</bdi>"""
POLLED = """<div id="polled" hx-get="/polled/part/" hx-trigger="load delay:200ms" hx-swap="outerHTML">
<p>Drawn anew all the time: <a href="/theme/">go there</a></p></div>"""
LISTED = """<div id="listed"><form action="/theme/"><input type="hidden" name="version" value="1">
<input name="max" value="5"><button>Remove</button></form></div>"""
ASKED = """<div id="part"><button type="button" hx-get="/answer/" hx-target="#answered">Ask</button>
<div id="answered"></div></div>"""
PAGES = {
    "/": '{% extends "pages/home.html" %}',
    "/editor/": _page("Editor", EDITOR, head='{% include "components/editor_assets.html" %}'),
    "/changed/": _page("Changed", CHANGED, head='{% include "components/editor_assets.html" %}'),
    "/live/": _page("Live", LIVE),
    "/file/": _page("File", FILE),
    "/chart/": _page("Chart", CHART),
    "/found/": _page("Found", FOUND),
    "/said/": _page("Said", SAID, head='{% include "components/editor_assets.html" %}'),
    "/cut/": _page("Cut", CUT),
    "/theme/": _page("Theme", THEME),
    "/polled/": _page("Polled", POLLED),
    "/polled/part/": POLLED,
    "/listed/": _page("Listed", LISTED),
    "/asked/": _page("Asked", ASKED),
    "/answer/": "The answer.",
}


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    with serving(PAGES) as running:
        yield running


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    context = browser.new_context()
    context.set_default_timeout(60_000)
    opened = context.new_page()
    said: list[str] = []
    opened.on("console", lambda message: said.append(message.text))
    opened.on("pageerror", lambda error: said.append(str(error)))
    yield opened
    context.close()
    assert said == []  # the content policy stopped nothing and no script failed


def test_the_editor_writes_what_is_typed_into_the_form(page: Page, site: Site) -> None:
    page.goto(f"{site.address}/editor/")
    page.evaluate("document.querySelector('textarea').addEventListener('input', () => (window.heard = true))")
    page.click("[data-goto]")
    page.keyboard.press("End")
    page.keyboard.type(", 1")
    assert (
        page.eval_on_selector("#id_document", "field => field.value.split('\\n')[2]")
        == '  "windw": "minute", 1'
    )
    assert page.evaluate("window.heard")
    assert page.inner_text("[data-editor-place]").split() == ["Line", "3,", "column", "23"]


def test_the_editor_says_the_pointer_and_tints_what_is_not_in_force(page: Page, site: Site) -> None:
    page.goto(f"{site.address}/changed/")
    tinted = "() => [...document.querySelectorAll('.cm-differs')].map((line) => line.textContent.trim())"
    assert page.evaluate(tinted) == ['"a/b": {', '"x": 2,']
    page.locator(".cm-line", has_text='"x": 2').click()
    page.keyboard.press("ArrowLeft")
    assert page.inner_text("[data-editor-place]").endswith("/tools/a~1b/x")
    page.keyboard.press("Backspace")
    page.keyboard.type("1")
    assert page.evaluate(tinted) == ['"a/b": {']


def test_a_file_that_is_chosen_leaves_what_was_typed_on_the_page(page: Page, site: Site) -> None:
    page.goto(f"{site.address}/file/")
    page.get_by_label("Text").fill("typed by hand")
    page.set_input_files("[type=file]", {"name": "p.json", "mimeType": "text/plain", "buffer": b"{}"})
    page.wait_for_function("document.getElementById('text').value === '{}'")
    assert page.input_value("[data-before] textarea") == "typed by hand"
    assert page.is_visible("[data-before] textarea")


def test_a_problem_stands_below_its_line_and_underlines_the_word(page: Page, site: Site) -> None:
    page.goto(f"{site.address}/editor/")
    assert page.inner_text(".cm-problem") == "Did you mean window?"
    assert page.inner_text(".cm-line .squig") == '"windw"'
    assert page.eval_on_selector(".cm-editor", "editor => getComputedStyle(editor).display") == "flex"


def test_escape_then_tab_leaves_the_editor(page: Page, site: Site) -> None:
    page.goto(f"{site.address}/editor/")
    page.click("label")
    assert "cm-content" in page.evaluate("document.activeElement.className")
    page.keyboard.press("Escape")
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Go to line 3")).to_be_focused()


def test_without_scripts_the_editor_is_a_textarea(browser: Browser, site: Site) -> None:
    context = browser.new_context(java_script_enabled=False)
    opened = context.new_page()
    opened.goto(f"{site.address}/editor/")
    assert opened.locator("textarea").is_visible()
    context.close()


def test_a_broken_stream_goes_on_after_the_last_row_it_saw(page: Page, site: Site) -> None:
    site.resumed_after.clear()
    page.goto(f"{site.address}/live/")
    page.locator("[data-live-status][data-state=lost]", has_text="Not live since").wait_for()
    page.wait_for_selector("#row-6")
    rows = page.eval_on_selector_all("#rows > li", "rows => rows.map((row) => row.textContent)")
    # Whoever looks late sees what came since, too.
    assert rows[-6:] == [f"call {number}" for number in (6, 5, 4, 3, 2, 1)]
    assert site.resumed_after[:2] == [None, "3"]


def test_a_paused_stream_keeps_what_is_missed(page: Page, site: Site) -> None:
    page.goto(f"{site.address}/live/")
    page.wait_for_selector("#row-1")
    page.click("[data-live-pause]")
    page.locator("[data-live-status]", has_text=re.compile(r"\b[1-9]\d* new")).wait_for()
    seen = page.locator("#rows > li").count()
    page.click("[data-live-pause]")
    assert page.locator("#rows > li").count() > seen


def test_the_rows_of_the_last_minute_are_counted_beside_the_status(page: Page, site: Site) -> None:
    page.goto(f"{site.address}/live/")
    page.locator("[data-live-rate]", has_text=re.compile(r"([3-9]|\d\d) a minute")).wait_for(state="attached")


def test_one_live_page_too_many_says_so_and_goes_on_when_another_is_closed(
    browser: Browser, site: Site
) -> None:
    site.streams_left = 0
    context = browser.new_context()
    opened = context.new_page()
    opened.goto(f"{site.address}/live/")
    status = opened.locator("[data-live-status]")
    status.get_by_text("too many of your live pages are open. Close one of them").wait_for()
    site.streams_left = None
    opened.wait_for_selector("#row-1")
    context.close()


def test_a_tab_nobody_looks_at_lets_go_and_goes_on_where_it_was(page: Page, site: Site) -> None:
    page.clock.install()
    page.goto(f"{site.address}/live/")
    page.wait_for_selector("#row-3")
    _seen(page, "hidden")
    page.clock.fast_forward(31_000)
    page.clock.run_for(5_000)
    site.resumed_after.clear()
    page.clock.run_for(60_000)
    assert site.resumed_after == []
    _seen(page, "visible")
    page.wait_for_selector("#row-6")
    assert site.resumed_after and site.resumed_after[0] not in (None, "0")


def test_a_press_counts_though_what_is_under_it_is_drawn_anew_before_it_is_let_go(
    page: Page, site: Site
) -> None:
    page.goto(f"{site.address}/polled/")
    old = page.locator("#polled a").element_handle()
    assert old is not None
    page.locator("#polled a").hover()
    page.mouse.down()
    page.wait_for_function("(old) => !old.isConnected", arg=old)
    page.mouse.up()
    page.wait_for_url("**/theme/")


def test_a_press_goes_to_the_same_row_that_is_drawn_anew(page: Page, site: Site) -> None:
    _pressed_meanwhile(page, site, 'value="1"', 'value="2"')
    page.wait_for_url("**/theme/?version=2&max=5")


def test_a_press_goes_to_no_other_row_that_has_moved_under_the_pointer(page: Page, site: Site) -> None:
    _pressed_meanwhile(page, site, 'value="5"', 'value="9"')
    page.evaluate("() => new Promise((done) => setTimeout(done, 100))")
    assert page.url.endswith("/listed/")


def _pressed_meanwhile(page: Page, site: Site, old: str, new: str) -> None:
    page.goto(f"{site.address}/listed/")
    page.get_by_role("button", name="Remove").hover()
    page.mouse.down()
    page.locator("#listed").evaluate("(list, html) => { list.outerHTML = html; }", LISTED.replace(old, new))
    page.mouse.up()


def test_an_answer_goes_to_what_has_taken_the_place_of_what_asked(page: Page, site: Site) -> None:
    page.goto(f"{site.address}/asked/")

    def answer_late(route: Route) -> None:
        answer = route.fetch()
        page.evaluate("""() => {
            const part = document.getElementById("part");
            part.outerHTML = part.outerHTML;
        }""")
        route.fulfill(response=answer)

    page.route("**/answer/", answer_late)
    page.get_by_role("button", name="Ask").click()
    expect(page.locator("#answered")).to_have_text("The answer.")


def test_the_focus_stays_on_a_row_that_the_stream_draws_anew(page: Page, site: Site) -> None:
    row = 'event: row\ndata: <li id="row-1"><a id="first" href="/theme/">call 1</a></li>\n\n'
    page.route("**/stream/", lambda route: route.fulfill(content_type="text/event-stream", body=row))
    page.goto(f"{site.address}/live/")
    page.locator("#first").focus()
    old = page.locator("#first").element_handle()
    assert old is not None
    page.wait_for_function("(old) => !old.isConnected", arg=old)
    expect(page.locator("#first")).to_be_focused()


def test_a_chosen_file_stands_where_it_could_have_been_typed(page: Page, site: Site) -> None:
    page.goto(f"{site.address}/file/")
    page.set_input_files(
        "input[type=file]", {"name": "p.json", "mimeType": "", "buffer": b'{"version": "1"}'}
    )
    expect(page.locator("#text")).to_have_value('{"version": "1"}')
    page.set_input_files("input[type=file]", {"name": "big", "mimeType": "", "buffer": b" " * 1_048_577})
    expect(page.get_by_role("alert")).to_contain_text("larger than a policy may be")
    expect(page.locator("#text")).to_have_value('{"version": "1"}')


def _seen(page: Page, how: str) -> None:
    page.evaluate(
        """how => {
            Object.defineProperty(document, "visibilityState", { value: how, configurable: true });
            document.dispatchEvent(new Event("visibilitychange"));
        }""",
        how,
    )


def test_a_lost_connection_is_said_for_as_long_as_it_is_lost(page: Page, site: Site) -> None:
    page.goto(f"{site.address}/theme/", wait_until="networkidle")
    page.context.set_offline(True)
    expect(page.get_by_text("No connection since")).to_be_visible()
    page.context.set_offline(False)
    expect(page.get_by_text("No connection since")).to_be_hidden()


def test_a_site_that_does_not_answer_is_told_apart_from_a_lost_connection(page: Page, site: Site) -> None:
    page.goto(f"{site.address}/theme/")
    page.evaluate("document.dispatchEvent(new CustomEvent('htmx:sendError'))")
    expect(page.get_by_text("The site has not answered since")).to_be_visible()
    page.evaluate(
        "document.dispatchEvent(new CustomEvent('htmx:afterRequest', {detail: {successful: true}}))"
    )
    expect(page.get_by_text("The site has not answered since")).to_be_hidden()


@pytest.mark.parametrize(
    ("status", "said"),
    [(403, "Editing policies needs the policy manager role."), (503, "The site has not answered since")],
)
def test_a_refusal_of_what_a_page_asks_for_by_itself_is_said_until_something_is_done(
    status: int, said: str, page: Page, site: Site
) -> None:
    page.goto(f"{site.address}/theme/")
    answer = f"<main><h1>That was not done</h1><p>{said}</p></main>"
    # As htmx tells of an answer: what went wrong first, then that it is over.
    page.evaluate(
        """([status, responseText]) => {
            const tell = (name, detail) => document.dispatchEvent(new CustomEvent(name, { detail }));
            tell("htmx:responseError", { xhr: { status, responseText } });
            tell("htmx:afterRequest", { successful: false });
            tell("htmx:afterOnLoad", { successful: false });
        }""",
        [status, answer],
    )
    expect(page.get_by_text(said)).to_be_visible()
    page.evaluate(
        "document.dispatchEvent(new CustomEvent('htmx:afterRequest', {detail: {successful: true}}))"
    )
    expect(page.get_by_text(said)).to_be_hidden()


def test_the_chosen_theme_is_there_before_the_first_paint_of_the_next_page(page: Page, site: Site) -> None:
    page.goto(f"{site.address}/theme/")
    page.click("[data-theme-choice=dark]")
    page.goto(f"{site.address}/")
    assert page.evaluate("document.documentElement.dataset.theme") == "layer-dark"
    page.goto(f"{site.address}/theme/")
    page.click("[data-theme-choice=system]")
    assert page.evaluate("document.documentElement.dataset.theme ?? 'none'") == "none"


def test_the_systems_dark_theme_has_every_dark_token_without_a_choice(browser: Browser, site: Site) -> None:
    seen = []
    for scheme, chosen in (("dark", None), ("light", "layer-dark")):
        context = browser.new_context(color_scheme=scheme, java_script_enabled=chosen is not None)  # type: ignore[arg-type]
        opened = context.new_page()
        opened.goto(f"{site.address}/theme/")
        if chosen:
            opened.evaluate("theme => (document.documentElement.dataset.theme = theme)", chosen)
        names = ("--ink-2", "--edge", "--sunk", "--deny", "--deny-bg", "--color-base-100", "--c-key")
        seen.append(
            [
                opened.evaluate("name => getComputedStyle(document.body).getPropertyValue(name)", n)
                for n in names
            ]
        )
        context.close()
    assert seen[0] == seen[1]


def test_public_pages_offer_what_fits_who_is_signed_in(page: Page, site: Site) -> None:
    page.goto(f"{site.address}/theme/")
    page.evaluate("document.cookie = 'signed_in=1; Path=/'")
    page.goto(f"{site.address}/")
    assert page.locator(".sitehead .if-in").is_visible()
    assert not page.locator(".sitehead .if-out").first.is_visible()
    page.goto(f"{site.address}/theme/")
    page.get_by_text("Sign out").click()
    page.wait_for_url(f"{site.address}/?")
    assert page.locator(".sitehead .if-out").first.is_visible()


def test_a_dialog_gives_the_focus_back(page: Page, site: Site) -> None:
    page.goto(f"{site.address}/theme/")
    page.click("[data-dialog-open]")
    assert page.locator("dialog").is_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("button", name="Open")).to_be_focused()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1440, 390, 320])
@pytest.mark.parametrize("path", ["/", "/editor/"])
def test_pages_are_accessible_and_never_wider_than_the_window(
    browser: Browser, site: Site, path: str, width: int, scheme: str
) -> None:
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)  # type: ignore[arg-type]
    opened = context.new_page()
    opened.goto(f"{site.address}{path}")
    found = Axe().run(opened, options=RULES).response["violations"]
    assert [(problem["id"], problem["nodes"][0]["html"]) for problem in found] == []
    assert opened.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
    context.close()


def test_a_chart_is_walked_by_keys_and_offers_the_log_of_what_is_chosen(page: Page, site: Site) -> None:
    page.goto(site.address + "/chart/")
    page.wait_for_selector(".uplot canvas")
    assert not page.get_by_role("img", name="Drawn by the server").is_visible()
    chart = page.get_by_role("group", name="Calls by outcome: 7 allowed, 3 denied")
    chart.focus()
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowLeft")
    assert page.get_by_role("status").text_content() == "01:00 to 02:00 UTC: 3 denied, 2 allowed"
    page.keyboard.press("Enter")
    link = page.get_by_role("link", name="See the 5 calls of 01:00 to 02:00")
    assert link.get_attribute("href") == (
        "/log/?grant=grt_1&since=1970-01-01T01%3A00%3A00.000Z&until=1970-01-01T02%3A00%3A00.000Z"
    )
    page.evaluate("document.documentElement.dataset.theme = 'layer-dark'")
    page.wait_for_function("document.querySelectorAll('.uplot').length === 1")


def test_without_a_script_a_chart_is_the_picture_the_server_drew(browser: Browser, site: Site) -> None:
    page = browser.new_context(java_script_enabled=False).new_page()
    page.goto(site.address + "/chart/")
    assert page.get_by_role("img", name="Drawn by the server").count() == 1
    page.context.close()


def test_back_at_a_list_its_search_says_what_the_list_shows(page: Page, site: Site) -> None:
    page.goto(f"{site.address}/found/")
    page.get_by_label("Find").fill("other words")
    page.get_by_label("Sort").select_option("newest")
    page.get_by_role("button", name="Find").click()
    page.wait_for_url("**/theme/**")
    page.go_back()
    page.wait_for_url("**/found/")
    expect(page.get_by_label("Find")).to_have_value("kept")
    expect(page.get_by_label("Sort")).to_have_value("name")


def test_a_name_that_is_cut_stands_whole_under_the_pointer(page: Page, site: Site) -> None:
    page.goto(f"{site.address}/cut/")
    cut, short = page.locator(".line").all()
    for line in (cut, short):
        line.hover()
    expect(cut).to_have_attribute("title", "one_name_too_long_to_stand_here")
    assert short.get_attribute("title") is None


def test_what_no_key_of_the_language_is_called_is_not_explained_by_the_browsers_own(
    page: Page, site: Site
) -> None:
    none: dict[str, object] = {"policy": {}, "condition": {}}
    said = {"keys": none, "words": none, "tools": [], "classes": [], "operators": {}}
    page.route("**/words/*", lambda route: route.fulfill(json=said))
    page.goto(f"{site.address}/said/")
    for word in ("constructor", "toString", "valueOf"):
        page.locator(".cm-line span", has_text=f'"{word}"').last.hover()
        page.wait_for_timeout(700)  # a hover is answered after 350 ms
        expect(page.locator(".cm-says")).to_have_count(0)
    for line, step in (('"constructor"', 2), ('"valueOf"', 10)):
        page.locator(".cm-line", has_text=line).click()
        page.keyboard.press("End")
        for _ in range(step):
            page.keyboard.press("ArrowLeft")
        page.keyboard.press("Control+Space")
        page.wait_for_timeout(200)
        expect(page.locator(".cm-tooltip-autocomplete")).to_have_count(0)


def test_a_form_whose_sending_was_stopped_is_sent_again(page: Page, site: Site) -> None:
    page.goto(f"{site.address}/found/")
    page.route("**/theme/?*", lambda route: None)  # never answered
    devtools = page.context.new_cdp_session(page)
    for words in ("typed first", "typed then"):
        page.get_by_label("Find").fill(words)
        with page.expect_request("**/theme/?*"):
            page.get_by_role("button", name="Find").click(no_wait_after=True)
        devtools.send("Page.stopLoading")
        expect(page.get_by_label("Find")).to_have_value(words)
