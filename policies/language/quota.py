"""What a call takes from a counter: which of its keys, and how many millionths of a unit."""

from dataclasses import dataclass
from decimal import ROUND_CEILING, Context
from typing import Final

from .decision import MISSING, CounterKey
from .exact import ExactNumber, exact
from .paths import Path
from .work import walk

MICROS: Final = 1_000_000


def units(micros: int) -> int | float:
    """What so many millionths are, as a person writes it."""
    whole, part = divmod(micros, MICROS)
    return micros / MICROS if part else whole


LONGEST_KEY: Final = 256
_WIDE = Context(prec=60, Emax=999_999, Emin=-999_999)


@dataclass(frozen=True, slots=True)
class Unusable:
    path: str
    must_be: str


def key_of(arguments: dict[str, object], path: Path | None) -> CounterKey | Unusable:
    if path is None:
        return None
    value = walk(arguments, path.steps)
    if isinstance(value, bool) or (isinstance(value, str) and len(value) <= LONGEST_KEY):
        return value
    number = exact(value)
    if number is not None:
        return number
    return Unusable(
        path.text, f"it must be a text of at most {LONGEST_KEY} characters, an exact number, true or false"
    )


def cost_of(arguments: dict[str, object], path: Path | None) -> int | Unusable:
    if path is None:
        return MICROS
    value = walk(arguments, path.steps)
    number = None if value is MISSING else exact(value)
    if number is None or number < 0:
        return Unusable(path.text, "it must be a number from 0 that 64-bit computers read exactly")
    return _rounded_up(number)


def _rounded_up(number: ExactNumber) -> int:
    if isinstance(number, int):
        return number * MICROS
    return int(_WIDE.multiply(number, MICROS).to_integral_value(ROUND_CEILING, _WIDE))
