"""JSON numbers, judged by value.

A number is exact when a program that reads doubles sees the value that we judged. Exact numbers are held as
`int` when whole, otherwise as the `Decimal` of their shortest text; these compare and hash by value.
Exponents are never expanded, so `1e999999999` costs nothing.
"""

import re
from decimal import Decimal
from math import isfinite
from typing import NamedTuple, TypeAlias

from jiter import LosslessFloat

ExactNumber: TypeAlias = int | Decimal

LARGEST = 9007199254740991
_SMALLEST_NORMAL = 2.2250738585072014e-308
_PLAIN = re.compile(r"-?[0-9]{1,15}\Z")
_PLAIN_FRACTION = re.compile(r"-?(?=[0-9.]{3,16}\Z)[0-9]+\.[0-9]+\Z")
_PARTS = re.compile(r"([-+]?)([0-9]*)(?:\.([0-9]*))?(?:[eE]([-+]?)([0-9]+))?\Z")
_LONGEST_EXPONENT = 4000
_USUAL_LENGTH = 40
_SURE_DIGITS = 15  # this many always survive a round trip through a double
_MOST_DIGITS = 17  # in the shortest text of a double


def exact(value: object) -> ExactNumber | None:
    """Return the value of an exact number; None for an inexact one and for anything that is not a number."""
    if isinstance(value, int):
        return value if -LARGEST <= value <= LARGEST and not isinstance(value, bool) else None
    if isinstance(value, float):
        return exact_text(repr(value)) if isfinite(value) else None
    if isinstance(value, Decimal) and not value.is_finite():
        return None
    return exact_text(str(value)) if isinstance(value, LosslessFloat | Decimal) else None


def is_number(value: object) -> bool:
    return isinstance(value, int | LosslessFloat | Decimal | float) and not isinstance(value, bool)


def exact_text(text: str) -> ExactNumber | None:
    if len(text) > _USUAL_LENGTH:
        return _exact_of_any_spelling(text)
    if _PLAIN.match(text):
        return int(text)
    if not _PLAIN_FRACTION.match(text):
        return _exact_of_any_spelling(text)
    # Up to 15 digits always survive a round trip through a double.
    value = Decimal(text)
    whole = int(value)
    return whole if whole == value else value.normalize()


def _exact_of_any_spelling(text: str) -> ExactNumber | None:
    if len(text) > _USUAL_LENGTH:
        if _has_many_digits(text):
            return None
        parts = parts_of(text)
        if parts.exponent_rest:
            return None
        text = f"{'-' if parts.negative else ''}{parts.digits or '0'}e{parts.exponent}"
        if 0 <= parts.exponent <= _SURE_DIGITS - len(parts.digits):
            return int(text[: text.index("e")] + "0" * parts.exponent)
    nearest = float(text)
    if nearest == 0:
        return 0 if parts_of(text).digits == "" else None
    if not _SMALLEST_NORMAL <= abs(nearest) <= LARGEST:
        return None
    shortest = Decimal(repr(nearest))
    if Decimal(text) != shortest:
        return None
    return int(nearest) if nearest.is_integer() else shortest


def _has_many_digits(text: str) -> bool:
    """Return whether there are more digits than in the shortest text of any double.

    A quick check first, because hostile numbers are long and many.
    """
    end = max(text.find("e"), text.find("E"))
    whole, _, fraction = (text if end < 0 else text[:end]).lstrip("+-").partition(".")
    return len((whole + fraction).strip("0")) > _MOST_DIGITS


class NumberParts(NamedTuple):
    """The sign, the digits without zeros at either end ("" for zero), and the last digit's power of ten."""

    negative: bool
    digits: str
    exponent: int
    exponent_rest: str  # an exponent too long to calculate with, as text


def parts_of(text: str) -> NumberParts:
    found = _PARTS.match(text)
    if found is None:
        raise ValueError("no number")
    sign, whole, fraction, exponent_sign, exponent_digits = (group or "" for group in found.groups())
    digits = (whole + fraction).lstrip("0")
    kept = digits.rstrip("0")
    if not kept:
        return NumberParts(False, "", 0, "")
    shift = len(digits) - len(kept) - len(fraction)
    exponent_digits = exponent_digits.lstrip("0")
    if len(exponent_digits) > _LONGEST_EXPONENT:
        return NumberParts(sign == "-", kept, shift, exponent_sign + exponent_digits)
    return NumberParts(sign == "-", kept, shift + int(exponent_sign + (exponent_digits or "0")), "")


def whole_text(text: str) -> int | None:
    """Return the value of a whole number's text, capped just beyond `LARGEST`; None for a fraction."""
    if _PLAIN.match(text):
        return int(text)
    negative, digits, exponent, rest = parts_of(text)
    if digits == "":
        return 0
    if rest.startswith("-") or (not rest and exponent < 0):
        return None
    beyond = LARGEST + 1
    if rest or len(digits) + exponent > 17:
        return -beyond if negative else beyond
    value: int = min(int(digits) * 10**exponent, beyond)
    return -value if negative else value


def identity_of(value: object) -> str:
    """Return a text that equal numbers share and different ones do not, inexact ones included."""
    # Through Decimal, because Python refuses `str` of an `int` of more than 4,300 digits.
    text = str(Decimal(value)) if isinstance(value, int) else str(value)
    negative, digits, exponent, rest = parts_of(text)
    if digits == "":
        return "0"
    sign = "-" if negative else ""
    return f"{sign}{digits}e{exponent}" + (f"+{rest}" if rest else "")


def plain_text(value: ExactNumber) -> str:
    """Return the shortest decimal text: plain from 1e-7 up, and in the form 1.25e-8 below that."""
    if isinstance(value, int):
        return str(value)
    if abs(value) >= Decimal("1e-7"):
        return format(value.normalize(), "f")
    sign, digits, exponent = value.normalize().as_tuple()
    first, rest = str(digits[0]), "".join(map(str, digits[1:]))
    power = int(exponent) + len(digits) - 1
    return ("-" if sign else "") + first + ("." + rest if rest else "") + f"e{power}"
