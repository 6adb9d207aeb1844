"""Inspects every page with data, in both themes, at desktop and phone width, among a stranger's names.

What a machine cannot judge (focus order, what a screen reader says) is checked by hand.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeAlias
from urllib.parse import urlsplit

import pytest
from django.template.loader import render_to_string
from django.urls import resolve
from playwright.sync_api import Browser, Page, Route, expect, sync_playwright

from common.ids import parse_public_id
from gateway_config.wire.messages import Ack, Hello
from tests.fixtures.servers.listing import listing
from tests.journeys.api import Api
from tests.journeys.axe import AXE, COLOURS, RULES, Rules, violations
from tests.journeys.browser import FLAGS, HARMLESS, chromium
from tests.journeys.filled import PAGES, agent_calls, ask_a_person, filled
from tests.journeys.paths import NO_PAGES, OUTSIDE, WITHOUT_DATA, all_routes
from tests.journeys.payloads import PAYLOADS, hostile_tools
from tests.journeys.product import RunningProduct, running_product
from tests.journeys.second_step import AFTER, BEFORE, pages_of_a_second_step
from tests.journeys.staff import LISTS, QUEUES, SINGLE, make_staff, pages_of_staff, tell_staff

pytestmark = [pytest.mark.journey, pytest.mark.browser, pytest.mark.timeout(900)]

INVISIBLE = """() => [...document.querySelectorAll('title, option, [aria-label], [title], body *')]
    .filter((one) => /[\\u202e\\u200b]/.test([one.label, one.ariaLabel, one.title,
        ...[...one.childNodes].filter((part) => part.nodeType === 3).map((part) => part.data)].join()))
    .map((one) => one.outerHTML.slice(0, 300))"""
ALIVE = """() => [...document.querySelectorAll('*')].flatMap((one) => [
        ...[...one.attributes].filter((each) => each.name.startsWith('on') || each.name.startsWith('hx-on')
            || each.name.startsWith('x-')
            || (['src', 'href', 'action', 'formaction', 'data', 'xlink:href'].includes(each.name)
                && URL.canParse(each.value, location.href)
                && (new URL(each.value, location.href).host === 'evil.example'
                    || new URL(each.value, location.href).protocol === 'javascript:')))
            .map((each) => `${one.tagName} ${each.name}=${each.value}`.slice(0, 200)),
        ...(['IFRAME', 'OBJECT', 'EMBED', 'BASE', 'MATH'].includes(one.tagName) ? [one.tagName] : []),
        ...(one.matches('script:not([src]):not([type="application/json"]):not([type="application/ld+json"])')
            ? ['a script of the page'] : []),
        ...(one.matches('main b') && one.textContent === 'bold' ? ['bold'] : []),
    ])"""
Look: TypeAlias = tuple[int, str, Rules]
# The widths and themes in which axe looks, and its rules: a theme changes nothing but colours.
LOOKS = ((1440, "layer", RULES), (390, "layer-dark", COLOURS))
OTHER_LOOKS = ((1440, "layer-dark", COLOURS), (390, "layer", RULES))
# Django's own pages have themes of their own.
DJANGOS_LOOKS = ((1440, "light", RULES), (390, "dark", RULES))
# axe takes as long for the largest page as for twenty others: there it runs only with the other looks.
LATER = "/api/docs/"
OPEN_ALL = "document.querySelectorAll('details:not([data-menu])').forEach((one) => (one.open = true))"
WIDTHS = (1440, 768, 390, 320)
# Fields that can only be reached by scrolling their row.
CUT_OFF = """[...document.querySelectorAll('.filters :is(input:not([type=hidden]), select)')]
  .filter((each) => {
    const row = each.closest('.filters').getBoundingClientRect(), at = each.getBoundingClientRect();
    return at.width > 2 && at.right > row.right + 4;
  }).map((each) => each.name)"""
# Names, in a list shown as lines of text or where they have to be typed, that are cut off or overflow their
# box.
CUT_NAME = """[...document.querySelectorAll('.tbl.stack :is(.line, .tag), form p > b > .line')]
  .filter((each) => each.scrollWidth > each.clientWidth + 1 || each.scrollHeight > each.clientHeight + 2)
  .map((each) => each.textContent.slice(0, 40))"""


@dataclass(frozen=True, slots=True)
class Site:
    """Three browsers, and their complaints since the last look."""

    product: RunningProduct
    pages: dict[str, str]
    alice: Page
    newcomer: Page
    nobody: Page
    web: str
    newcomers: tuple[str, str]
    careful: tuple[str, str]
    api: Api
    complaints: list[str] = field(default_factory=list)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    chromium()
    folder = tmp_path_factory.mktemp("product")
    with (
        running_product(folder, surroundings={"ADMIN_ENABLED": "yes"}) as product,
        filled(product) as world,
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(executable_path=chromium(), args=FLAGS.split())
        empty = product.bootstrap("mallory@example.com", "Umbra")
        careful = product.bootstrap("trent@example.com", "Trust")
        site = Site(
            product=product,
            pages=dict(world.pages),
            alice=_signed_in(browser, product, world.email, world.password),
            newcomer=_signed_in(browser, product, empty["email"], empty["password"]),
            nobody=_new_page(browser, product.web),
            web=product.web,
            newcomers=(empty["email"], empty["password"]),
            careful=(careful["email"], careful["password"]),
            api=world.api,
        )
        _invite(site.alice)
        for name in ("server", "server-strange"):
            site.alice.goto(site.pages[name])
            link = site.alice.locator("td.t a").last.get_attribute("href")
            site.pages[name.replace("server", "tool")] = str(link)
        for page in (site.alice, site.newcomer, site.nobody):
            _listen(page, site.complaints)
        yield site
        browser.close()


def _new_page(browser: Browser, web: str) -> Page:
    context = browser.new_context(base_url=web, reduced_motion="reduce")
    context.add_init_script(path=AXE)
    context.set_default_timeout(90_000)
    return context.new_page()


def _signed_in(browser: Browser, product: RunningProduct, email: str, password: str) -> Page:
    page = _new_page(browser, product.web)
    _sign_in(page, email, password)
    return page


def _sign_in(page: Page, email: str, password: str) -> None:
    page.goto("/accounts/login/")
    page.get_by_label("E-mail").fill(email)
    page.get_by_label("Password", exact=True).fill(password)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(lambda url: "/accounts/" not in url)


def _invite(page: Page) -> None:
    page.goto("/settings/members/")
    page.get_by_label("E-mail").fill("a.person.with.a.long.name.indeed@department.example.com")
    page.get_by_role("button", name="Send the invitation").click()
    page.get_by_role("heading", name="Invitations").wait_for()


def _listen(page: Page, complaints: list[str]) -> None:
    page.on("pageerror", lambda error: complaints.append(f"script: {error}"))
    page.on(
        "console",
        lambda said: (
            complaints.append(f"{said.type}: {said.text} {said.location}")
            if said.type in ("error", "warning")
            else None
        ),
    )
    page.on(
        "response",
        lambda answer: complaints.append(f"{answer.status} {answer.url}") if answer.status >= 500 else None,
    )


def test_no_page_is_forgotten(site: Site) -> None:
    asked = [*site.pages.values(), *OUTSIDE, *WITHOUT_DATA, *BEFORE, *AFTER, "/accounts/2fa/authenticate/"]
    asked += [*QUEUES, *LISTS, *SINGLE]
    seen = {resolve(urlsplit(path).path).route for path in asked if path != "/nothing/"}
    pages = {route for route in all_routes() if not route.startswith("api/v1/")}
    assert pages - seen == NO_PAGES
    assert set(site.pages) == set(PAGES)


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_good_in_both_themes_at_every_width(site: Site, name: str) -> None:
    _look_over(site, site.alice, site.pages[name])


@pytest.mark.parametrize("path", OUTSIDE)
def test_a_page_before_signing_in_is_good(site: Site, path: str) -> None:
    _look_over(site, site.nobody, path)


@pytest.mark.parametrize("path", WITHOUT_DATA)
def test_a_page_without_anything_to_show_is_good(site: Site, path: str) -> None:
    _look_over(site, site.newcomer, path)


def test_an_invitation_is_good_before_signing_in_and_under_another_account(site: Site) -> None:
    mails = "".join(file.read_text() for file in (site.product.data_dir / "mail").iterdir())
    link = re.search(r"/invitations/pli_\w+/", mails)
    browser, oscar = site.alice.context.browser, site.product.bootstrap("oscar@example.com", "Other")
    assert browser is not None and link is not None
    page = _new_page(browser, site.web)
    _sign_in(page, oscar["email"], oscar["password"])
    page.goto(link[0])
    _look_over(site, page, "/invitations/answer/")
    page.get_by_role("button", name="Sign out and continue as a.person.with.a.long").click()
    expect(page.get_by_role("link", name="Create an account")).to_be_visible()
    _look_over(site, page, "/invitations/answer/")
    page.context.close()


@pytest.mark.slow
@pytest.mark.timeout(1_800)
def test_every_row_of_every_page_is_good_in_both_themes_at_both_widths(site: Site) -> None:
    wrong = []
    for page, paths in (
        (site.alice, site.pages.values()),
        (site.nobody, OUTSIDE),
        (site.newcomer, WITHOUT_DATA),
    ):
        for path in paths:
            page.goto(path)
            page.evaluate(OPEN_ALL)
            for width in (1440, 390):
                page.set_viewport_size({"width": width, "height": 900})
                found = _seen_by_axe(page, width, LOOKS + OTHER_LOOKS, everything=True)
                wrong += [f"{path}: {said}" for said in found]
    assert wrong == []


def test_of_what_stands_in_a_row_axe_looks_at_every_make(site: Site) -> None:
    page = site.nobody
    page.goto("/glossary/")
    rows = "<li>one</li>" * 40 + "<li><button></button></li>" + "<li>one</li>" * 40
    page.evaluate("(rows) => (document.querySelector('main').innerHTML += `<ul>${rows}</ul>`)", rows)
    (found,) = violations(page, "layer", RULES, 1440)
    assert "button-name" in found


def test_the_pages_of_a_second_step_are_good(site: Site) -> None:
    browser = site.alice.context.browser
    assert browser is not None
    page = _new_page(browser, site.web)
    _listen(page, site.complaints)
    _sign_in(page, *site.careful)
    for path in pages_of_a_second_step(page, *site.careful):
        _look_over(site, page, path)
    page.context.close()


def test_the_pages_of_staff_are_good(site: Site) -> None:
    browser, trudy = site.alice.context.browser, site.product.bootstrap("trudy@example.com", "Staff")
    assert browser is not None
    page = _new_page(browser, site.web)
    _listen(page, site.complaints)
    _sign_in(page, trudy["email"], trudy["password"])
    make_staff(site.product, page, trudy["email"], trudy["password"])
    tell_staff(site.nobody)
    for path in pages_of_staff(page):
        _look_over(site, page, path, DJANGOS_LOOKS if path.startswith("/admin/") else LOOKS)
    page.context.close()


def test_three_hundred_hostile_texts_stay_texts_on_every_page(site: Site) -> None:
    """The texts are names, titles, descriptions and arguments of tools, and names of what people make."""
    assert len(set(PAYLOADS)) == 300
    with listing(hostile_tools(), PAYLOADS[0], PAYLOADS[1]) as url:
        server = site.api.register(PAYLOADS[30][:80], url)
        body = {
            "server": server["id"],
            "name": PAYLOADS[60][:80],
            "document": {"version": "1", "default": "allow"},
        }
        policy = site.api.ask("POST", "/policies/", body)["id"]
        site.api.publish_draft(policy)
        grant = site.api.grant(server, policy, PAYLOADS[90][:80])
        told = _told_by_agents_and_workers(site, grant)
    tools = site.api.ask("GET", f"/servers/{server['id']}/tools/?limit=200")
    assert len(tools["results"]) == 200 and tools["next"]
    page = site.alice
    page.set_viewport_size({"width": 1440, "height": 900})
    paths = [
        *(f"/servers/{server['id']}/{rest}" for rest in ("", "?page=2")),
        *(f"/servers/everything/?page={number}" for number in (1, 3, 5, 7)),
        *(f"/policies/{policy}/?show=all{rest}" for rest in ("", "&page=2", "&page=3")),
        *(f"/policies/{policy}/{rest}" for rest in ("?view=json", "?view=words", "review/", "revisions/")),
        f"/grants/{grant['id']}/",
        *("/servers/", "/policies/", "/grants/", "/overview/", "/log/", "/settings/events/", "/jump/?q=img"),
    ]
    paths += told
    site.complaints.clear()
    wrong = [f"{path}: {what}" for path in paths for what in _came_alive(page, path)]
    links = _tools_on(page, paths[0]) + _tools_on(page, paths[1])
    assert len(set(links)) == 300
    wrong += [f"{path}: {what}" for path in links[::25] for what in _came_alive(page, path)]
    wrong += [said for said in site.complaints if not any(word in said for word in HARMLESS)]
    assert wrong == []


def _tools_on(page: Page, path: str) -> list[str]:
    page.goto(path)
    return [str(link.get_attribute("href")) for link in page.locator("td.t a").all()]


def _told_by_agents_and_workers(site: Site, grant: dict[str, Any]) -> list[str]:
    """Put the texts into logged and waiting calls, people's notes, and what a worker says about itself."""
    agent_calls(grant, [[text, {text: text}] for text in PAYLOADS[::20]])
    logged = site.api.decisions(len(PAYLOADS[::20]), f"&grant={grant['id']}")
    made = site.api.ask("GET", "/organization/")
    asked = [
        ask_a_person(site.product, {"organization": made}, grant, text, {text: {text: [text]}})
        for text in PAYLOADS[:80]
    ]
    ids = [urlsplit(answer["url"]).path.rstrip("/").rpartition("/")[2] for answer in asked]
    for number, text in enumerate(PAYLOADS[:80:2]):
        verb = "decline" if number % 2 else "approve"
        site.api.ask("POST", f"/approvals/{ids[2 * number]}/{verb}/", {"note": text})
    text = PAYLOADS[12]
    site.product.as_gateway("hello/", Hello(version=text[:40]))
    refused = Ack(str(parse_public_id("org", made["id"])), 1_000_000, "rejected", text)
    site.product.as_gateway("acks/", [refused])
    return [
        *("/approvals/", "/approvals/history/", *(f"/approvals/{each}/" for each in ids[:4])),
        *(f"/log/{each['id']}/" for each in logged[:4]),
        *(f"/log/?open={logged[0]['id']}", "/log/?q=%3Cimg%20src%3Dx%20onerror%3Dalert(1)%3E", "/workers/"),
    ]


def test_a_passkey_made_in_one_browser_signs_in_without_a_password(site: Site) -> None:
    """The passkey is on a virtual device of Chromium's."""
    browser = site.alice.context.browser
    assert browser is not None
    page = _new_page(browser, site.web)
    _plug_in_a_key(page)
    _sign_in(page, *site.newcomers)
    page.goto("/accounts/2fa/webauthn/add/")
    page.get_by_label("Password", exact=True).fill(site.newcomers[1])
    page.get_by_role("button", name="Go on").click()
    page.get_by_label("Sign in with it alone, without the password").check()
    page.get_by_role("button", name="Add it").click()
    page.get_by_role("heading", name="Recovery codes").wait_for()
    page.goto("/accounts/2fa/webauthn/")
    own = [str(link.get_attribute("href")) for link in page.locator("main a[href*='/keys/']").all()]
    assert len(own) == 2
    for path in own:
        _look_over(site, page, path)
    page.context.clear_cookies()
    page.goto("/accounts/login/")
    page.get_by_role("button", name="Use a passkey").click()
    page.wait_for_url(lambda url: "/accounts/" not in url)


def test_the_address_without_a_name_serves_as_well_but_for_passkeys_and_says_so(site: Site) -> None:
    browser = site.alice.context.browser
    assert browser is not None
    page = _new_page(browser, site.web.replace("localhost", "127.0.0.1"))
    _listen(page, site.complaints)
    _plug_in_a_key(page)
    victor = site.product.bootstrap("victor@example.com", "Victory")
    _sign_in(page, victor["email"], victor["password"])
    page.goto("/accounts/2fa/webauthn/add/")
    page.get_by_label("Password", exact=True).fill(victor["password"])
    page.get_by_role("button", name="Go on").click()
    page.get_by_role("button", name="Add it").click()
    expect(page.get_by_role("alert")).to_contain_text("open it by its name (on your own machine: localhost)")
    page.context.close()
    assert site.complaints == []


def test_a_policy_is_printed_whole_dark_on_light_on_one_sheet(site: Site) -> None:
    page = site.alice
    page.set_viewport_size({"width": 1440, "height": 900})
    page.emulate_media(color_scheme="dark")
    try:
        page.goto(f"{site.pages['policy']}?view=words")
        page.locator("#words").wait_for()
        assert len(re.findall(rb"/Type\s*/Page\b", page.pdf(format="A4"))) == 1
        page.goto(f"{site.pages['policy']}?view=json")
        page.locator(".cm-editor").wait_for()
        written = str(page.locator("#id_document").evaluate("(one) => one.value"))
        page.evaluate("dispatchEvent(new Event('beforeprint'))")
        page.emulate_media(media="print")
        assert page.locator("pre.whole-text").inner_text().strip() == written.strip()
        assert page.evaluate("document.documentElement.dataset.theme") == "layer"
        assert not page.get_by_role("button", name="Review and publish…").is_visible()
    finally:
        page.evaluate("dispatchEvent(new Event('afterprint'))")
        page.emulate_media(media="screen", color_scheme="light")


def test_a_printed_list_says_when_exactly_and_whose_name_whole(site: Site) -> None:
    page = site.alice
    page.set_viewport_size({"width": 760, "height": 1000})
    page.goto("/settings/events/")
    try:
        page.emulate_media(media="print")
        when = page.locator("main time").first
        written = "(one) => getComputedStyle(one, '::after').content"
        assert str(when.get_attribute("title")) in str(when.evaluate(written))
        assert not page.locator(".subnav").is_visible()
        cut = "(all) => all.filter((one) => one.scrollWidth > one.clientWidth + 1).length"
        assert page.locator("main .tbl .line").evaluate_all(cut) == 0
    finally:
        page.emulate_media(media="screen")


def test_what_is_shown_when_nothing_else_can_be_is_a_page_like_any(site: Site) -> None:
    """The pages are served with 200, because the listener would complain about a 503."""
    policy = site.nobody.request.get("/").headers["content-security-policy"]
    away = {"text": "Its database does not answer.", "again": True}
    for name, context in {"400": {}, "503": away}.items():
        path = f"/last-resort/{name}/"
        body = render_to_string(f"{name}.html", context)
        headers = {"Content-Type": "text/html; charset=utf-8", "Content-Security-Policy": policy}
        site.nobody.route(f"**{path}", partial(Route.fulfill, body=body, headers=headers))
        _look_over(site, site.nobody, path)


def test_the_palette_goes_anywhere_by_keys_and_the_sheet_tells_them(site: Site) -> None:
    page = site.alice
    page.set_viewport_size({"width": 1440, "height": 900})
    page.goto("/workers/")
    page.keyboard.press("Control+k")
    box = page.get_by_role("combobox", name="Jump to")
    page.get_by_role("option", name="Live log", exact=True).wait_for()
    box.fill("put_user_policy")
    page.get_by_role("option", name="put_user_policy AWS IAM").wait_for()
    assert violations(page, "layer", RULES, 1440) == []
    assert violations(page, "layer-dark", COLOURS, 1440) == []
    page.keyboard.press("Enter")
    page.wait_for_url("**/servers/*/tools/**")
    page.wait_for_load_state()
    page.keyboard.press("g")
    page.keyboard.press("p")
    # This does not wait for one navigation: it may interrupt another that was still under way.
    expect(page).to_have_url(re.compile("/policies/$"), timeout=60_000)
    page.wait_for_load_state()
    page.keyboard.press("?")
    page.get_by_role("heading", name="Keys", exact=True).wait_for()
    assert violations(page, "layer", RULES, 1440) == []
    page.keyboard.press("Escape")
    page.keyboard.press("/")
    page.keyboard.type("?g")
    assert page.locator("main .search input").input_value() == "?g"


def _plug_in_a_key(page: Page) -> None:
    device = page.context.new_cdp_session(page)
    device.send("WebAuthn.enable")
    can = {"protocol": "ctap2", "transport": "internal", "hasResidentKey": True, "hasUserVerification": True}
    said = {"isUserVerified": True, "automaticPresenceSimulation": True}
    device.send("WebAuthn.addVirtualAuthenticator", {"options": can | said})


def _look_over(site: Site, page: Page, path: str, looks: tuple[Look, ...] = LOOKS) -> None:
    site.complaints.clear()
    page.set_viewport_size({"width": WIDTHS[0], "height": 900})
    page.goto(path)
    assert "Something broke" not in page.title()
    page.evaluate(OPEN_ALL)
    wrong = _strange_text(page)
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 900})
        if (reached := page.evaluate("document.documentElement.scrollWidth")) > width:
            wrong.append(f"at {width} it scrolls sideways to {reached}")
        wrong += [f"at {width} {cut} is cut off" for cut in page.evaluate(CUT_OFF)]
        if width <= 640:
            wrong += [f"at {width} {cut} is not whole" for cut in page.evaluate(CUT_NAME)]
        if path != LATER:
            wrong += _seen_by_axe(page, width, looks)
    # What axe itself sets on an element of Django's pages, their policy for styles forbids.
    harmless = (*HARMLESS, "axe.min.js")
    wrong += [said for said in site.complaints if not any(word in said for word in harmless)]
    assert wrong == []


def _seen_by_axe(page: Page, width: int, looks: tuple[Look, ...], *, everything: bool = False) -> list[str]:
    return [
        wrong
        for at, theme, rules in looks
        if at == width
        for wrong in violations(page, theme, rules, width, everything=everything)
    ]


def _came_alive(page: Page, path: str) -> list[str]:
    """Whatever on a page could only come from a text that became markup."""
    page.goto(path, wait_until="load")
    page.evaluate("new Promise((done) => requestAnimationFrame(() => setTimeout(done, 100)))")
    found: list[str] = page.evaluate(ALIVE)
    return found if urlsplit(page.url).path == urlsplit(path).path else [*found, f"led to {page.url}"]


def _strange_text(page: Page) -> list[str]:
    """Markup that came to life, or a character that reverses the direction of text."""
    alive = page.locator("img[src=x], main b:text-is('bold')").count()
    found = ["markup of a stranger came to life"] if alive or page.title() == "broken" else []
    return [*found, *(f"an invisible character: {place}" for place in page.evaluate(INVISIBLE))]
