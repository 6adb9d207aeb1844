"""make conformance: what passes directly passes through us, check by check.

Needs npm, or a cache folder that was filled before; where there is neither it is left out, unless CI is set.
Exits with 1 on any difference.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections import Counter

from tests.conformance import client_scenarios, server_scenarios
from tests.conformance.suite import Checks, Suite, SuiteUnavailable, fetch


async def main() -> int:
    try:
        suite = fetch()
    except SuiteUnavailable as unavailable:
        print(f"Left out, because {unavailable}: the official conformance suite.", file=sys.stderr)
        return 1 if os.environ.get("CI") else 0
    began = time.monotonic()
    differences = await _servers(suite) + await _clients(suite)
    print(f"{differences} differences in {time.monotonic() - began:.0f} s.")
    return 1 if differences else 0


async def _servers(suite: Suite) -> int:
    direct = await server_scenarios.checks_of(suite, 0)
    _summary("Server scenarios, directly", direct)
    differences = 0
    for workers in (1, 2):
        through = await server_scenarios.checks_of(suite, workers)
        differences += compare(f"through {workers} gateway{'s' * (workers > 1)}", direct, through)
    return differences


async def _clients(suite: Suite) -> int:
    direct = await client_scenarios.checks_of(suite, through=False)
    _summary("Client scenarios, directly", direct)
    return compare("through a gateway", direct, await client_scenarios.checks_of(suite, through=True))


def _summary(what: str, checks: Checks) -> None:
    told = Counter(verdict for verdicts in checks.values() for verdict in verdicts)
    print(f"{what}: {', '.join(f'{number} {verdict}' for verdict, number in sorted(told.items()))}.")


def compare(how: str, direct: Checks, through: Checks) -> int:
    """How many checks came out otherwise; each is printed."""
    keys = direct.keys() | through.keys()
    differing = sorted(key for key in keys if direct.get(key) != through.get(key))
    print(f"{how}: {len(keys)} checks, {len(differing)} differ.")
    for key in differing:
        print(f"  {' / '.join(key)}: directly {direct.get(key)}, {how} {through.get(key)}")
    return len(differing)


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
