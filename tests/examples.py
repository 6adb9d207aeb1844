"""How many examples Hypothesis tries for a property."""

from __future__ import annotations

import os
from typing import Any, Final

from hypothesis import settings

_TIMES: Final = int(os.environ.get("EXAMPLES", "1"))


def examples(most: int, **more: Any) -> settings:
    """Settings with at most so many examples; `make test-full` asks for three times as many.

    `more` is passed to Hypothesis as it is.
    """
    return settings(max_examples=most * _TIMES, deadline=None, **more)
