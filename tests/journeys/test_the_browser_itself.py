from __future__ import annotations

from pathlib import Path

import pytest

from tests.journeys.browser import running_browser

pytestmark = pytest.mark.browser


def test_the_browser_draws_nothing_for_itself_and_what_playwright_turns_off_stays_off() -> None:
    with running_browser() as browser:
        browser.new_page().goto("data:text/html,<h1>A page</h1>")
        devtools = browser.new_browser_cdp_session()
        targets = devtools.send("Target.getTargets", {"filter": [{}]})["targetInfos"]
        processes = devtools.send("SystemInfo.getProcessInfo")["processInfo"]
        program = next(each["id"] for each in processes if each["type"] == "browser")
        flags = Path(f"/proc/{program}/cmdline").read_text().split("\0")
    assert {each["type"] for each in targets} == {"page", "tab"}
    off = [flag.partition("=")[2] for flag in flags if flag.startswith("--disable-features=")]
    playwrights, ours = (set(each.split(",")) for each in off)
    assert playwrights <= ours
