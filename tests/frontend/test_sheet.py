"""Every piece pages are made of in one sheet, with the states that are forgotten: empty, wrong, stale."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.template import engines
from playwright.sync_api import Browser

from policies.language.effects import Effect
from policies.views.jump import Place
from servers.forms import ServerForm
from servers.models import ToolClass
from tests.frontend.pages import Site, serving

pytestmark = pytest.mark.browser

SHEET = Path(__file__).with_name("sheet.html")
WIDTHS = (320, 390, 768, 1440)


def sheet() -> str:
    form = ServerForm({"name": "GitHub", "upstream_url": "", "auth_kind": "headers"})
    form.is_valid()
    form.add_error("upstream_url", "It answered 401. Choose Headers below and add the token you use with it.")
    line = SimpleNamespace
    context: dict[str, Any] = {
        "csp_nonce": "sheet",
        "form": form,
        "effects": [effect.value for effect in Effect],
        "classes": ToolClass.values,
        "counts": {effect.value: number for number, effect in enumerate(Effect)},
        "in_force": line(total=4, in_step=4),
        "behind": line(total=4, in_step=3),
        "refused": line(total=4, in_step=3, refused=1),
        "many": line(total=40, in_step=31),
        "nobody": line(total=0, in_step=0),
        "differences": line(
            added=1,
            removed=1,
            whole=True,
            lines=[
                line(kind="same", number=17, text='"create_or_update_file": {'),
                line(kind="removed", number=18, text='  "limits": [{ "window": "minute", "max": 30 }]'),
                line(kind="added", number=18, text='  "limits": [{ "window": "hour", "max": 60 }]'),
            ],
        ),
        "groups": [
            (
                "Tools",
                [Place("Tools", "tool", "merge_pull_request", "#m", "GitHub", True, Effect.NEEDS_APPROVAL)],
            ),
            ("Do", [Place("Do", "new", "Try a call of merge_pull_request", "#t")]),
        ],
        "wanted": "merge",
        "markup": "<img src=x onerror=alert(1)>",
        "backwards": "\u202eelbat_pord",
        "endless": "a_name_that_does_not_end_" * 12,
    }
    return engines["django"].from_string(SHEET.read_text()).render(context)


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    with serving({"/": "{% verbatim %}" + sheet() + "{% endverbatim %}"}) as running:
        yield running


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_piece_is_whole_in_every_width_and_both_themes(
    theme: Any, site: Site, browser: Browser
) -> None:
    context = browser.new_context(color_scheme=theme, reduced_motion="reduce")
    page = context.new_page()
    page.goto(site.address)
    assert page.locator("img[src=x]").count() == 0
    assert "U+202E" in page.inner_text("main") and "\u202e" not in page.inner_text("main")
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 900})
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        found = Axe().run(page)
        assert found.violations_count == 0, found.generate_report()
    context.close()
