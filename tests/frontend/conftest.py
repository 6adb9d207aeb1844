from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from tests.journeys.browser import running_browser


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    # Not for the whole run: beside Playwright no other test of the process can run a loop of asyncio.
    with running_browser() as running:
        yield running
