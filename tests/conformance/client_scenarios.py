"""The suite's client scenarios except OAuth's: the SDK as client, directly and through a gateway."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path
from typing import Final

from tests.conformance.client import SCENARIOS, answering
from tests.conformance.suite import Checks, Suite, read_checks

OF_BOTH: Final = {"tools_call", "json-schema-2020-12-preservation"}
WITH_SESSIONS: Final = {"initialize", "elicitation-sep1034-client-defaults", "sse-retry"}
AT_ONCE: Final = 4


async def checks_of(suite: Suite, *, through: bool) -> Checks:
    turns = asyncio.Semaphore(AT_ONCE)

    async def run(command: str, scenario: str, revision: str) -> Checks:
        async with turns:
            with tempfile.TemporaryDirectory() as out:
                asked = ("--scenario", scenario, "--spec-version", revision, "-o", out)
                await suite.run("client", "--command", command, *asked)
                found = read_checks(Path(out))
        return {(f"{revision} {scenario}", check, name): told for (_, check, name), told in found.items()}

    async with answering(through=through) as command:
        runs = await asyncio.gather(*(run(command, *which) for which in _runs()))
    return {key: verdicts for found in runs for key, verdicts in found.items()}


def _runs() -> list[tuple[str, str]]:
    legacy = [(name, "2025-11-25") for name in SCENARIOS if name in OF_BOTH | WITH_SESSIONS]
    return legacy + [(name, "2026-07-28") for name in SCENARIOS if name not in WITH_SESSIONS]
