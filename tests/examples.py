"""How many examples a property is tried with."""

from __future__ import annotations

import os
from typing import Any, Final

from hypothesis import settings

_TIMES: Final = int(os.environ.get("EXAMPLES", "1"))


def examples(most: int, **more: Any) -> settings:
    """So many at most; `make test-full` asks for three times as many. `more`: as Hypothesis has it."""
    return settings(max_examples=most * _TIMES, deadline=None, **more)
