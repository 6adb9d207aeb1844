"""Waits until every part of the product reports that it is alive."""

import asyncio
import time
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

from common.unix_sockets import connected
from config.supervisor.lines import Printer
from config.supervisor.supervise import OURS

SECONDS_BETWEEN_COMPLAINTS = 30.0
FIRST_WAIT, LONGEST_WAIT = 0.1, 2.0


async def wait_for_health(checks: Mapping[str, str], printer: Printer) -> None:
    """Wait without end: whatever crashes is restarted, and the operator is told what is still missing."""
    missing = dict(checks)
    complain_at = time.monotonic() + SECONDS_BETWEEN_COMPLAINTS
    wait = FIRST_WAIT
    while missing:
        answered = await asyncio.gather(*(is_alive(url) for url in missing.values()))
        missing = {
            name: url for (name, url), alive in zip(missing.items(), answered, strict=True) if not alive
        }
        if missing and time.monotonic() > complain_at:
            complain_at += SECONDS_BETWEEN_COMPLAINTS
            printer.say(OURS, f"still waiting for {', '.join(missing)}")
        if missing:
            await asyncio.sleep(wait)
            wait = min(wait * 1.1, LONGEST_WAIT)


async def is_alive(url: str) -> bool:
    try:
        async with asyncio.timeout(5):
            return await _status(url) == 200
    except (OSError, TimeoutError, ValueError, asyncio.IncompleteReadError):
        return False


async def _status(url: str) -> int:
    """`unix:` and the path of a socket means /healthz on that socket."""
    if url.startswith("unix:"):
        host, path = "localhost", "/healthz"
        reader, writer = await asyncio.open_unix_connection(sock=connected(Path(url.removeprefix("unix:"))))
    else:
        parts = urlsplit(url)
        host, path = parts.netloc, parts.path
        reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    try:
        writer.write(f"GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
        status_line = await reader.readline()
        return int(status_line.split()[1]) if status_line else 0
    finally:
        writer.close()
