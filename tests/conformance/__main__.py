"""make conformance: whatever passes directly also passes through us, check by check.

Needs npm, or a cache folder filled earlier; with neither it is skipped, but fails if CI is set. Exits with 1
on any difference that remains when the scenarios are run again.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Final, TypeAlias

from tests.conformance import client_scenarios, server_scenarios
from tests.conformance.suite import Checks, Suite, SuiteUnavailable, fetch

# Some scenarios allow half a second for an answer: on a busy machine a check fails now and then, directly as
# well as through us. A difference that we cause shows every time.
_ATTEMPTS: Final = 3

_Ask: TypeAlias = Callable[[], Awaitable[Checks]]
_Which: TypeAlias = tuple[str, str, str]


async def main() -> int:
    try:
        suite = fetch()
    except SuiteUnavailable as unavailable:
        print(f"Left out, because {unavailable}: the official conformance suite.", file=sys.stderr)
        return 1 if os.environ.get("CI") else 0
    began = time.monotonic()
    differing = await _servers(suite) | await _clients(suite)
    print(f"{len(differing)} differences in {time.monotonic() - began:.0f} s.")
    return 1 if differing else 0


async def _servers(suite: Suite) -> set[_Which]:
    """Run all at once the first time: each has a server of its own, and they mostly wait."""
    directly = partial(server_scenarios.checks_of, suite, 0)
    ways = {
        f"through {workers} gateway{'s' * (workers > 1)}": partial(server_scenarios.checks_of, suite, workers)
        for workers in (1, 2)
    }
    direct, *through = await asyncio.gather(directly(), *(ask() for ask in ways.values()))
    _summary("Server scenarios, directly", direct)
    differing: set[_Which] = set()
    for (how, ask), found in zip(ways.items(), through, strict=True):
        differing |= await _differing(how, compare(how, direct, found), directly, ask)
    return differing


async def _clients(suite: Suite) -> set[_Which]:
    directly = partial(client_scenarios.checks_of, suite, through=False)
    direct = await directly()
    _summary("Client scenarios, directly", direct)
    how, through = "through a gateway", partial(client_scenarios.checks_of, suite, through=True)
    return await _differing(how, compare(how, direct, await through()), directly, through)


async def _differing(how: str, differing: set[_Which], directly: _Ask, through: _Ask) -> set[_Which]:
    """Run this way again on its own; return what differed every time."""
    for _ in range(_ATTEMPTS - 1):
        if differing:
            differing &= compare(f"again {how}", await directly(), await through())
    return differing


def _summary(what: str, checks: Checks) -> None:
    told = Counter(verdict for verdicts in checks.values() for verdict in verdicts)
    print(f"{what}: {', '.join(f'{number} {verdict}' for verdict, number in sorted(told.items()))}.")


def compare(how: str, direct: Checks, through: Checks) -> set[_Which]:
    """Print and return the checks whose verdicts differ."""
    keys = direct.keys() | through.keys()
    differing = sorted(key for key in keys if direct.get(key) != through.get(key))
    print(f"{how}: {len(keys)} checks, {len(differing)} differ.")
    for key in differing:
        print(f"  {' / '.join(key)}: directly {direct.get(key)}, {how} {through.get(key)}")
    return set(differing)


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
