"""A response that waits for a scan. It begins after the request's transaction and holds nothing open."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from typing import Final

from accounts.tenancy import organization_context
from common.async_database import in_thread
from servers.models import ToolScan

# A scan ends within 60 s; others may be waiting ahead of it.
PATIENCE_SECONDS: Final = 90.0
LOOK_SECONDS: Final = 0.1
# White space before a JSON value means nothing, and shows the proxies in between that we are alive.
BREATH_SECONDS: Final = 4.0

OVER: Final = frozenset({ToolScan.State.DONE, ToolScan.State.FAILED})


async def when_over(scan: ToolScan, written: Callable[[ToolScan], bytes]) -> AsyncIterator[bytes]:
    """Yields the scan once it is over; after a while, as it is."""
    until = time.monotonic() + PATIENCE_SECONDS
    breath = time.monotonic() + BREATH_SECONDS
    while (seen := await in_thread(_look, scan)).state not in OVER and time.monotonic() < until:
        await asyncio.sleep(LOOK_SECONDS)
        if time.monotonic() >= breath:
            breath += BREATH_SECONDS
            yield b" "
    yield written(seen)


def _look(scan: ToolScan) -> ToolScan:
    with organization_context(scan.organization_id):
        return ToolScan.objects.get(pk=scan.pk)
