"""The digest of a tool's definition: what a classification, an approval and a published policy are bound to.

Both planes compute it from their own reading of the server's bytes, so it depends on values only: not on the
order of keys, on white space, or on how a number or a character is spelt. `_meta` and `icons` at the top
level are left out: they say nothing about what the tool does and change without notice.
"""

import hashlib
import json
from collections.abc import Mapping
from decimal import Decimal
from operator import itemgetter

LEFT_OUT = frozenset({"_meta", "icons"})
DEPTH_MAX = 64
# Beyond this many digits before the point a number is written with an exponent, so that `1e999999999`
# costs eleven characters and not a gigabyte. No number that a policy can compare is that large.
DIGITS_MAX = 21
# A number may be as long as the answer that holds it, and is taken apart digit by digit.
NUMBER_MAX = 4_300


class DefinitionUnusable(ValueError):  # noqa: N818
    """The definition cannot be digested: nested too deeply, or not made of JSON values."""


def definition_digest(definition: Mapping[str, object]) -> str:
    """Hex SHA-256. Numbers may be `int`, `float`, `Decimal` or anything whose `str` is a JSON number.

    If two readers must agree, numbers that no double holds must be passed as `Decimal` or lossless text.
    """
    kept = {key: value for key, value in definition.items() if key not in LEFT_OUT}
    # Half a surrogate pair cannot be written as UTF-8; it still gets a digest of its own.
    return hashlib.sha256(_text(kept, 1).encode("utf-8", "surrogatepass")).hexdigest()


def _text(value: object, depth: int) -> str:
    if depth > DEPTH_MAX:
        raise DefinitionUnusable(f"nested more than {DEPTH_MAX} deep")
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case str():
            return _quoted(value)
        case Mapping():
            members = sorted(((str(key), member) for key, member in value.items()), key=itemgetter(0))
            return (
                "{" + ",".join(f"{_quoted(key)}:{_text(member, depth + 1)}" for key, member in members) + "}"
            )
        case list() | tuple():
            return "[" + ",".join(_text(element, depth + 1) for element in value) + "]"
        case _:
            return _number(value)


def _quoted(text: str) -> str:
    # `ensure_ascii=False` escapes exactly what JSON must; U+007F stays, as in the canonical form.
    return json.dumps(text, ensure_ascii=False)


def _number(value: object) -> str:
    try:
        text = str(value)
        # Cut before it is parsed, which takes a hundred bytes per digit; a text that long is refused below.
        number = Decimal(text[: NUMBER_MAX + 1])
    except (ArithmeticError, ValueError):
        raise DefinitionUnusable("holds something that is no JSON value") from None
    if not number.is_finite() or len(text) > NUMBER_MAX:
        raise DefinitionUnusable("holds something that is no JSON value")
    if not number:
        return "0"
    sign, digits, exponent = number.as_tuple()
    assert isinstance(exponent, int)
    written = "".join(map(str, digits)).lstrip("0")
    significant = written.rstrip("0")
    exponent += len(written) - len(significant)
    return ("-" if sign else "") + _plain(significant, exponent)


def _plain(digits: str, exponent: int) -> str:
    """`digits` times ten to the `exponent`: written out from 1e-7 to DIGITS_MAX digits, else as `1.25e-8`."""
    point = len(digits) + exponent
    if point < -6 or point > DIGITS_MAX:
        mantissa = digits if len(digits) == 1 else f"{digits[0]}.{digits[1:]}"
        return f"{mantissa}e{point - 1}"
    if point <= 0:
        return "0." + "0" * -point + digits
    if exponent >= 0:
        return digits + "0" * exponent
    return f"{digits[:point]}.{digits[point:]}"
