"""JSON values: numbers keep their spelling, so that their exactness can be judged from it."""

import json
import re
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, TypeAlias

Json: TypeAlias = Any
SMALLEST = Decimal("2.2250738585072014e-308")
LARGEST = Decimal(9007199254740991)


@dataclass(frozen=True)
class Num:
    text: str


def read(text: str) -> Json:
    return json.loads(text, parse_int=Num, parse_float=Num)


def exact(number: Num) -> Decimal | None:
    """The value, when it is that of the nearest double's shortest text and of a fair magnitude."""
    if _is_zero(number):
        return Decimal(0)
    double = float(number.text)
    if double in (0, float("inf"), float("-inf")):
        return None
    shortest = Decimal(repr(double))
    fair = SMALLEST <= abs(shortest) <= LARGEST
    return shortest if fair and Decimal(number.text) == shortest else None


def _is_zero(number: Num) -> bool:
    return not re.search("[1-9]", re.split("[eE]", number.text)[0])


def all_exact(value: Json) -> bool:
    if isinstance(value, Num):
        return exact(value) is not None
    if isinstance(value, list):
        return all(all_exact(element) for element in value)
    if isinstance(value, dict):
        return all(all_exact(member) for member in value.values())
    return True


def by_value(number: Num) -> tuple[str, int]:
    """Digits and exponent, the same for every spelling of a number, exact or not."""
    if _is_zero(number):
        return "0", 0
    found = re.fullmatch(r"(-?)(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?", number.text)
    assert found is not None
    sign, whole, fraction, exponent = found[1], found[2], found[3] or "", int(found[4] or 0)
    digits = (whole + fraction).lstrip("0")
    shortened = digits.rstrip("0")
    return sign + shortened, exponent - len(fraction) + len(digits) - len(shortened)


def same(left: Json, right: Json) -> bool:
    """Equal as JSON: the same type and the same value."""
    if isinstance(left, Num) and isinstance(right, Num):
        return by_value(left) == by_value(right)
    if type(left) is not type(right):
        return False
    if isinstance(left, list):
        return len(left) == len(right) and all(same(a, b) for a, b in zip(left, right, strict=True))
    if isinstance(left, dict):
        return left.keys() == right.keys() and all(same(left[key], right[key]) for key in left)
    return bool(left == right)
