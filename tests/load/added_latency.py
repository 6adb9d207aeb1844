"""Measures the latency that the gateway adds over nginx, at 500 calls a second, each begun when it is due.

    python -m tests.load.added_latency [--slices 30] [--seconds 2] [--rate 500]

nginx as a plain proxy and the gateway stand in front of the same nginx, which answers from memory. They are
measured in slices that follow each other directly and take turns to go first, so that whatever else the
machine does affects both. For each pair of slices we take the differences of p50 and of p99; reported are the
median of all pairs and the quartiles.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Final

from tests.load.gateway import ANSWERS, PROXIES, gateway, nginx
from tests.load.open_loop import OpenLoop, Slice
from tests.load.promised import PROMISED, note
from tests.ports import free_port

_WARM_SECONDS: Final = 2.0
_PARTS: Final = (50, 99)


def percentile(seconds: Sequence[float], part: int) -> float:
    return 1000 * statistics.quantiles(seconds, n=100, method="inclusive")[part - 1]


def in_pairs(
    proxy: OpenLoop, ours: OpenLoop, rate: int, seconds: float, slices: int
) -> list[tuple[Slice, Slice]]:
    """Run pairs of slices; which target goes first alternates from pair to pair."""
    for one in (proxy, ours):
        one.run(rate, _WARM_SECONDS)
    pairs = []
    for number in range(slices):
        if number % 2:
            mine, theirs = ours.run(rate, seconds), proxy.run(rate, seconds)
        else:
            theirs, mine = proxy.run(rate, seconds), ours.run(rate, seconds)
        pairs.append((theirs, mine))
    return pairs


def tell(pairs: Sequence[tuple[Slice, Slice]]) -> None:
    print("| | nginx, ms | gateway, ms | added, ms | quarters | promised, goal |\n|---|---|---|---|---|---|")
    for part in _PARTS:
        promise = PROMISED[f"added p{part}"]
        theirs = [percentile(pair[0].latencies, part) for pair in pairs]
        mine = [percentile(pair[1].latencies, part) for pair in pairs]
        added = [after - before for before, after in zip(theirs, mine, strict=True)]
        low, middle, high = statistics.quantiles(added, n=4, method="inclusive")
        medians = f"{statistics.median(theirs):.2f} | {statistics.median(mine):.2f} | {middle:.2f}"
        print(f"| p{part} | {medians} | {low:.2f} to {high:.2f} | {promise.floor:g}, {promise.goal:g} |")
        note(f"added p{part}", middle)
    overslept = [late for pair in pairs for one in pair for late in one.overslept]
    lost = sum(one.lost for pair in pairs for one in pair)
    late = f"{percentile(overslept, 50):.2f} ms late (p99 {percentile(overslept, 99):.2f})"
    print(f"\nThe sender woke up {late}; {lost} calls were never answered.")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--slices", type=int, default=30, help="pairs of them")
    parser.add_argument("--seconds", type=float, default=2)
    parser.add_argument("--rate", type=int, default=500)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        folder = Path(name)
        folder.chmod(0o755)
        port, proxy_port = free_port(), free_port()
        stack.enter_context(nginx(folder, "direct", port, ANSWERS, port))
        proxy = stack.enter_context(nginx(folder, "proxy", proxy_port, PROXIES, port))
        plain, _, _ = stack.enter_context(gateway(folder, port))
        loops = [stack.enter_context(closing(OpenLoop(target))) for target in (proxy, plain)]
        tell(in_pairs(loops[0], loops[1], given.rate, given.seconds, given.slices))


if __name__ == "__main__":
    main()
