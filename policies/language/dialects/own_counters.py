"""`state`: a rule's own counter, and the limit that a condition on it means."""

import re
from dataclasses import dataclass
from fractions import Fraction

from ..document import LARGEST_MAX, WINDOWS
from ..exact import LARGEST, parts_of, whole_text
from ..json_reader import Number
from .source import Data

PLAIN_PATH = re.compile(r"args(?:\.[A-Za-z0-9_$-]+)+\Z")
_MOST_DIGITS = 40


@dataclass(frozen=True, slots=True)
class OwnCounter:
    path: str
    name: str
    window: str
    increment: int
    increment_from: str | None

    def most(self, condition: Data) -> int | None:
        """Return how much may count, if the condition is `lt` or `lte` a number on this counter."""
        if not isinstance(condition, dict) or set(condition) != {"path", "op", "value"}:
            return None
        op, value = condition["op"], condition["value"]
        if condition["path"] != self.path or op not in ("lt", "lte") or not isinstance(value, Number):
            return None
        share = _value(value) / (1 if self.increment_from else self.increment)
        return share.__floor__() if op == "lte" else share.__ceil__() - 1


def own_counter(state: Data, tool: str) -> OwnCounter | None:
    if not isinstance(state, dict) or not set(state) <= {"counter", "window", "increment", "increment_from"}:
        return None
    name, window = state.get("counter"), state.get("window")
    increment = state.get("increment", Number("1"))
    step = whole_text(increment.text) if isinstance(increment, Number) else None
    increment_from = state.get("increment_from")
    if not isinstance(name, str) or not isinstance(window, str) or window not in WINDOWS:
        return None
    if step is None or step < 1:
        return None
    if "increment_from" in state and not (
        isinstance(increment_from, str) and PLAIN_PATH.match(increment_from)
    ):
        return None
    owner = "_global" if tool == "*" else tool
    source = increment_from if isinstance(increment_from, str) else None
    return OwnCounter(f"state.{owner}.{name}", name, window, step, source)


def _value(number: Number) -> Fraction:
    """Return the number, capped or rounded where no limit can tell the difference."""
    negative, digits, exponent, rest = parts_of(number.text)
    size = len(digits) + exponent
    if negative or digits == "":
        return Fraction(-1 if negative else 0)
    if rest.startswith("-") or (not rest and size < -_MOST_DIGITS):
        return Fraction(1, 10**_MOST_DIGITS)
    if rest or size > _MOST_DIGITS:
        # An increment may divide it, so the cap is far above the largest limit.
        return Fraction((LARGEST_MAX + 1) * (LARGEST + 1))
    kept = digits[: 2 * _MOST_DIGITS]
    return Fraction(int(kept)) * Fraction(10) ** (exponent + len(digits) - len(kept))
