"""All measurements, one after the other: `python -m tests.load [name ...]`."""

import subprocess
import sys
from pathlib import Path
from typing import Final

# Those that need nothing but Python come first.
ORDER: Final = (
    "policy_language",
    "policy_worst",
    "restart",
    "hostile",
    "limiter",
    "grants",
    "gateway",
    "added_latency",
    "beside_a_peer",
    "judging",
    "publishing",
    "pages",
    "api",
    "catalogue",
)


def main() -> int:
    here = Path(__file__).parent
    names = sys.argv[1:] or [name for name in ORDER if (here / f"{name}.py").exists()]
    codes = [
        subprocess.run([sys.executable, "-m", f"tests.load.{name}"], check=False).returncode for name in names
    ]
    return max(codes, default=0)


if __name__ == "__main__":
    sys.exit(main())
