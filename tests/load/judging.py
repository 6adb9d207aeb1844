"""Measures how much others' calls slow down while one organization's calls take long to judge: promise 20.

    python -m tests.load.judging [--seconds 30] [--search 40] [--seed N] [what ...]

Alice calls two workers, each two hundred times a second, while four clients of another organization send one
of them, as fast as they are answered, calls that are judged off the event loop: a regex that reads 8 KiB,
`[*]` over 2,000 values, and the worst of each family that `tests.load.policy_worst` finds. Reported is how
far her p99 there is above that at the other worker: over all seconds, and the median of each second's.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import sys
import tempfile
from collections.abc import Iterator, Sequence
from random import Random, SystemRandom
from typing import Any, Final

from tests.load.hostile import Found, measure, p99
from tests.load.hostile_peers import GIVEN
from tests.load.policy_language import commit
from tests.load.policy_worst import FAMILIES, search

PROMISED_MS: Final = 2.0
_TOOL: Final = "t"


def _denying(path: str, op: str, value: Any) -> str:
    rule = {"conditions": [{"path": path, "op": op, "value": value}]}
    tools = {_TOOL: {"deny_if": [rule]}}
    return json.dumps({"version": "1", "default": "deny", "tools": tools})


PLAIN: Final = {
    "a regex over 8 KiB": (_denying("args.x", "regex", "(?s)(a|b)*a(a|b){60}c"), {"x": "ab" * 4_100}),
    "[*] over 2,000 values": (_denying("args.l[*]", "eq", "b"), {"l": ["a"] * 2_001}),
}


def heavy(seconds: float, seed: int, wanted: Sequence[str]) -> Iterator[tuple[str, str, str]]:
    """For each wanted case: its name, the policy, and the arguments as JSON."""
    for name, (policy, arguments) in PLAIN.items():
        if name in wanted:
            yield name, policy, json.dumps(arguments)
    if not set(wanted) <= PLAIN.keys():
        for name, found in search(seconds, Random(seed)).items():
            if name in wanted and found.offloaded:
                yield name, found.policy, found.arguments


def _judged(policy: str, arguments: str, seconds: int) -> Found:
    params = f'{{"name":"{_TOOL}","arguments":{arguments}}}'
    with tempfile.NamedTemporaryFile("w") as file:
        file.write(f'{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{params}}}')
        file.flush()
        return asyncio.run(measure(GIVEN, seconds, policy, file.name))


def moved(found: Found) -> float:
    """The median over the seconds of p99 here less p99 elsewhere in the same second, in ms."""
    each = [
        p99([here]) - p99([elsewhere])
        for elsewhere, here in zip(found.elsewhere, found.attacked, strict=True)
    ]
    return 1000 * statistics.median(each)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=30)
    parser.add_argument("--search", type=float, default=40, help="seconds for the worst policies")
    parser.add_argument("--seed", type=int, default=SystemRandom().randrange(1, 2**32))
    parser.add_argument("what", nargs="*", choices=[*PLAIN, *FAMILIES, []])
    given = parser.parse_args()
    print(f"Commit {commit()}, seed {given.seed}\n")
    print("| judged | bytes | p99 elsewhere, ms | while judging | moved | median of seconds | gone wrong |")
    print("|---|---|---|---|---|---|---|")
    over = []
    for name, policy, arguments in heavy(given.search, given.seed, given.what or [*PLAIN, *FAMILIES]):
        found = _judged(policy, arguments, given.seconds)
        elsewhere, meanwhile = 1000 * p99(found.elsewhere), 1000 * p99(found.attacked)
        told = f"{elsewhere:.1f} | {meanwhile:.1f} | {meanwhile - elsewhere:.1f}"
        print(f"| {name} | {len(arguments):,} | {told} | {moved(found):.1f} | {found.wrong} |", flush=True)
        if moved(found) > PROMISED_MS or found.wrong:
            over.append(name)
    if over:
        print(f"\nMore than {PROMISED_MS:.0f} ms: {', '.join(over)}.", file=sys.stderr)
    return 1 if over else 0


if __name__ == "__main__":
    sys.exit(main())
