"""Makes the documentation's screenshots: `python -m tests.journeys.shots [folder]`.

It runs a product of its own, filled like a team's after a month, and takes six screens, light and dark.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Final

from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from tests.journeys.browser import FLAGS, chromium
from tests.journeys.product import ROOT, running_product
from tests.journeys.showcase import Showcase, showcase
from tests.journeys.small_png import smaller

FOLDER: Final = ROOT / "docs/user/screens"
THEMES: Final = ("light", "dark")
LARGEST: Final = 150_000


def main(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory() as kept,
        running_product(Path(kept)) as product,
        showcase(product) as case,
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(executable_path=chromium(), args=FLAGS.split())
        for theme in THEMES:
            _take(_signed_in(browser, case, theme), case, theme, folder)
        browser.close()


def _take(context: BrowserContext, case: Showcase, theme: str, folder: Path) -> None:
    page = context.new_page()
    for name, path in screens(case).items():
        page.goto(path, wait_until="load")
        page.wait_for_timeout(800)  # fonts are loaded and charts drawn
        picture = smaller(context, page.screenshot())
        assert len(picture) < LARGEST, f"{name} is {len(picture)} bytes"
        (folder / f"{name}-{theme}.png").write_bytes(picture)
        print(f"{name}-{theme}.png: {len(picture):,} bytes")


def screens(case: Showcase) -> dict[str, str]:
    policy, grant = case.policies["GitHub"], case.grants["ci-runner"]["id"]
    denied = case.api.decisions(1, "&tool=create_or_update_file&outcome=deny")[0]["id"]
    return {
        "overview": "/overview/",
        "everything": "/servers/everything/?reach=yes",
        "policy": f"/policies/{policy}/",
        "grant": f"/grants/{grant}/",
        "log": f"/log/?open={denied}",
        "approvals": "/approvals/",
    }


def _signed_in(browser: Browser, case: Showcase, theme: str) -> BrowserContext:
    context = browser.new_context(
        base_url=case.product.web,
        viewport={"width": 1440, "height": 900},
        color_scheme="dark" if theme == "dark" else "light",
        reduced_motion="reduce",
    )
    page: Page = context.new_page()
    page.goto("/accounts/login/")
    page.get_by_label("E-mail").fill(case.email)
    page.get_by_label("Password", exact=True).fill(case.password)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(lambda url: "/accounts/" not in url)
    page.close()
    return context


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER)
