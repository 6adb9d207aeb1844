"""A real Chromium, with the flags that keep it quiet on a machine without a network."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

# Chromium renders two pages for the suggestions under every window's address bar, which nobody sees here:
# more work than most of our own. Only the last flag of its kind counts, so Playwright's own is repeated.
TURNED_OFF = (
    "WebUIOmniboxPopup,WebUIOmniboxAimPopup,"
    "AvoidUnnecessaryBeforeUnloadCheckSync,DestroyProfileOnBrowserClose,HttpsUpgrades,"
    "HttpsFirstBalancedModeAutoEnable,LensOverlay,MediaRouter,PaintHolding,ThirdPartyStoragePartitioning,"
    "AvoidCorsURLLoaderRestartOnRedirect,TcpPortRandomizationWin,OptimizationHints,"
    "NetworkTimeServiceQuerying,AimEnabled,PreconnectToSearch,"
    "msForceBrowserSignIn,msEdgeUpdateLaunchServicesPreferredVersion"
)
FLAGS = (
    "--headless --no-sandbox --disable-gpu --disable-background-networking --disable-component-update"
    f" --disable-sync --no-first-run --disable-features={TURNED_OFF}"
)
expect.set_options(timeout=60_000)
# A refusal (4xx) is an answer that the page shows, though the browser logs it as an error.
HARMLESS = ("favicon", "the server responded with a status of 4")


def chromium() -> str:
    """The path of Chromium; without one the test is skipped with the reason."""
    found = os.environ.get("CHROMIUM") or next(
        filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
    )
    if found is None:
        pytest.skip("Chromium was not found")
    return found


@contextmanager
def running_browser() -> Iterator[Browser]:
    program = chromium()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=FLAGS.split())
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def browser_page(shots: Path | None = None) -> Iterator[Page]:
    """A page that fails the test if the browser complains: a script error, a blocked style, a 500."""
    complaints: list[str] = []
    with running_browser() as browser:
        page = browser.new_context(viewport={"width": 1440, "height": 900}).new_page()
        page.set_default_timeout(90_000)
        page.on(
            "console",
            lambda said: (
                complaints.append(f"{said.type}: {said.text} {said.location}")
                if said.type == "error"
                else None
            ),
        )
        page.on("pageerror", lambda error: complaints.append(f"script: {error}"))
        page.on(
            "response",
            lambda answer: (
                complaints.append(f"{answer.status} {answer.url}") if answer.status >= 500 else None
            ),
        )
        try:
            yield page
        except BaseException:
            if shots is not None:
                page.screenshot(path=str(shots / "where-it-stopped.png"), full_page=True)
            raise
    left = [said for said in complaints if not any(word in said for word in HARMLESS)]
    assert not left, "\n".join(left)
