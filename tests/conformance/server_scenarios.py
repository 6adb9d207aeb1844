"""The suite's server scenarios: against our fixture directly, and against gateways in front of it."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Final

from common.tokens import GRANT, new_token
from tests.conformance.fixture_server import TOOLS
from tests.conformance.front import Front
from tests.conformance.suite import Checks, Suite, read_checks
from tests.conformance.worker import PATH, running, running_worker

REQUIREMENTS: Final = ("2025-11-25", "2026-07-28")


async def checks_of(suite: Suite, workers: int) -> Checks:
    """Run the scenarios through so many workers; 0 is directly.

    Each run has a fixture of its own, so that none hears of another's changes.
    """
    found: Checks = {}
    async with _served(workers) as url:
        for revision in REQUIREMENTS:
            with tempfile.TemporaryDirectory() as out:
                await suite.run("server", "--url", url, "--requirements", revision, "-o", out)
                for (scenario, check, name), verdicts in read_checks(Path(out)).items():
                    found[f"{revision} {scenario}", check, name] = verdicts
    return found


@asynccontextmanager
async def _served(workers: int) -> AsyncIterator[str]:
    async with AsyncExitStack() as stack:
        fixture = stack.enter_context(running("tests.conformance.fixture_server"))
        if not workers:
            yield fixture
            return
        token = new_token(GRANT)
        front = Front(token)
        port = await front.listen()
        stack.push_async_callback(front.close)
        data = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        origins = [f"http://{host}:{port}" for host in ("127.0.0.1", "localhost")]
        gateways = [
            stack.enter_context(running_worker(fixture, token, data, TOOLS, origins)) for _ in range(workers)
        ]
        front.send_to(gateways)
        yield f"http://127.0.0.1:{port}{PATH}"
        assert min(front.served.values()) * 2 > sum(front.served.values()) // workers, (
            "one of them did nothing"
        )
