"""Runs all measurements in sequence: the promised speeds, a table of them, then the rest.

python -m tests.load [name ...]
"""

import subprocess
import sys
from collections.abc import Sequence
from typing import Final

from tests.load.promised import noted, table

# Those that need only Python come first.
SPEEDS: Final = ("policy_language", "grants", "limiter", "gateway", "added_latency", "beside_a_peer")
OTHERS: Final = (
    "policy_worst",
    "restart",
    "hostile",
    "judging",
    "publishing",
    "pages",
    "api",
    "catalogue",
)


def main() -> int:
    named = sys.argv[1:]
    with noted() as figures:
        code = _run(named or SPEEDS)
    if figures:
        print(f"\n{table(figures)}\n", flush=True)
    return max(code, 0 if named else _run(OTHERS))


def _run(names: Sequence[str]) -> int:
    measurements = [[sys.executable, "-m", f"tests.load.{name}"] for name in names]
    return max(subprocess.run(one, check=False).returncode for one in measurements)


if __name__ == "__main__":
    sys.exit(main())
