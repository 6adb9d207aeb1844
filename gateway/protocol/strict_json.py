"""Strict parsing of JSON, and our own serialization of what was parsed.

Anything that two parsers could read in two ways is refused, so that the server reads what was judged:
duplicate keys (also when escaped), NaN and Infinity, lone surrogates, byte order marks, other encodings,
trailing bytes, too much depth and too many values. Numbers keep their text: a fraction, an exponent, `-0`
and an integer too long for 64 bits are `jiter.LosslessFloat`, every other number is an `int`.

jiter's search for duplicate keys costs as much as the rest of its parsing. Short texts are parsed by msgspec,
which is as strict except about duplicates; those are found by counting. jiter parses what that leaves open.
"""

import json
import re
from typing import Final, TypeAlias

import jiter
import msgspec

Json: TypeAlias = (
    "dict[str, Json] | list[Json] | str | int | bool | jiter.LosslessFloat | None"  # what parse() makes
)

MAX_DEPTH: Final = 64
MAX_NODES: Final = 10_000
_SURELY_SMALL: Final = 5 * MAX_DEPTH  # if there is no list in it; see _check_size()

# msgspec writes an integer beyond 64 bits as a string, and jiter reads -0 as 0: such texts are rare, and are
# parsed again number by number. Eighteen digits always fit, whatever the sign.
_LONGEST_PLAIN: Final = 18
_MINUS_ZERO: Final = re.compile(rb"-0(?![.eE0-9])")
_TOO_LONG: Final = b"0" * (_LONGEST_PLAIN + 1)
_DIGITS_AS_ZEROS: Final = bytes(0x30 if chr(byte) in "0123456789" else 0x20 for byte in range(256))
# Every sixth byte of a text shows three digits in a row for any run of nineteen.
_STRIDE: Final = 6
_TOO_LONG_SEEN: Final = b"0" * (len(_TOO_LONG) // _STRIDE)

# One byte is found much faster than two, and find() is faster than `in`, which raises and drops an error.
_MINUS: Final = ord("-")
_BRACKET: Final = ord("[")
_BACKSLASH: Final = ord("\\")

# For a longer text, parsing with both would cost more than it could save.
_MOST_COUNTED: Final = 65_536
_ESCAPED_COLON: Final = rb"\u003"  # and other escapes that begin like it


class NotStrict(Exception):  # noqa: N818
    """`syntax`: it is not JSON at all, rather than JSON that we refuse. The reason never quotes the text."""

    def __init__(self, reason: str, *, syntax: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.syntax = syntax


def parse(text: bytes, *, max_depth: int | None = MAX_DEPTH, max_nodes: int = MAX_NODES) -> Json:
    """`max_depth` None: values are not counted, and only the parser's own limit of 200 bounds the depth."""
    try:
        tree: Json = jiter.from_json(
            text, catch_duplicate_keys=True, float_mode="lossless-float", allow_inf_nan=False
        )
    except ValueError as problem:
        raise _in_our_words(problem) from None
    if _may_hold_odd_number(text):
        tree = json.loads(text, parse_int=_exact, parse_float=_lossless)
    if max_depth is not None:
        _check_size(text, tree, max_depth, max_nodes)
    return tree


def parse_object(text: bytes) -> tuple[dict[str, Json], bytes | None]:
    """The parsed object, with our own serialization of it if parsing already made one."""
    tree, written = _read_by_counting(text)
    if written is None:
        tree = parse(text)
    elif len(text) >= _SURELY_SMALL or _BRACKET in text:
        _check_size(text, tree, MAX_DEPTH, MAX_NODES)
    if type(tree) is dict:
        return tree, written
    if type(tree) is list:
        raise NotStrict("A batch is not accepted: send one message in one request.")
    raise NotStrict("The body must be one JSON object.")


def _as_written(value: object) -> msgspec.Raw:
    if isinstance(value, jiter.LosslessFloat):
        return msgspec.Raw(bytes(value))
    raise TypeError(f"{type(value).__name__} is no JSON value")


_ENCODER: Final = msgspec.json.Encoder(enc_hook=_as_written)
_DECODER: Final = msgspec.json.Decoder(float_hook=lambda text: _lossless(text))


def encode(tree: object) -> bytes:
    """Compact UTF-8. Takes what parse() returns, which never holds a bare `int` beyond 64 bits."""
    return _ENCODER.encode(tree)


def _read_by_counting(text: bytes) -> tuple[Json, bytes | None]:
    """The parsed text and our own serialization; None for both if unsettled, or if it must be refused.

    Each member has one colon outside strings. Every colon that was parsed is in our serialization as it was
    in the text, unless it was escaped there. Of a duplicate key only one member is kept, and the colon of the
    other is missing: equal numbers of colons mean equal numbers of members.
    """
    if len(text) > _MOST_COUNTED or _may_hold_odd_number(text):
        return None, None
    try:
        tree = _DECODER.decode(text)
        written = _ENCODER.encode(tree)
    except (ValueError, RecursionError):
        return None, None
    if written != text:
        if _BACKSLASH in text and text.find(_ESCAPED_COLON) >= 0:
            return None, None
        if text.count(b":") != written.count(b":"):
            return None, None
    return tree, written


def _may_hold_odd_number(text: bytes) -> bool:
    # A regex for nineteen digits would cost as much as the parsing itself.
    sample = text[::_STRIDE].translate(_DIGITS_AS_ZEROS)
    if sample.find(_TOO_LONG_SEEN) >= 0 and _TOO_LONG in text.translate(_DIGITS_AS_ZEROS):
        return True
    return _MINUS in text and text.find(b"-0") >= 0 and _MINUS_ZERO.search(text) is not None


def _exact(text: str) -> int | jiter.LosslessFloat:
    if text == "-0" or len(text) > _LONGEST_PLAIN:
        return _lossless(text)
    return int(text)


def _lossless(text: str) -> jiter.LosslessFloat:
    return jiter.LosslessFloat(text.encode("ascii"))


def _check_size(text: bytes, tree: Json, max_depth: int, max_nodes: int) -> None:
    # Counting characters bounds depth and nodes from above, so that the usual body is never walked. Every
    # value but one takes at least two bytes, one of them a separator; an object within another takes at
    # least five.
    if len(text) < 5 * max_depth and _BRACKET not in text and len(text) < 2 * max_nodes:
        return
    containers = text.count(b"{") + (text.count(b"[") if _BRACKET in text else 0)
    if containers <= max_depth and (len(text) < 2 * max_nodes or containers + text.count(b",") < max_nodes):
        return
    nodes = 0
    level: list[Json] = [tree]
    depth = 0
    while level:
        nodes += len(level)
        if nodes > max_nodes:
            raise NotStrict(f"The body holds more than {max_nodes} values.")
        depth += any(isinstance(value, dict | list) for value in level)
        if depth > max_depth:
            raise NotStrict(f"The body is nested more than {max_depth} levels deep.")
        level = [inner for value in level for inner in _inside(value)]


def _inside(value: Json) -> list[Json]:
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else []


_REASONS: Final = (
    ("duplicate key", "An object names one key twice.", False),
    ("recursion limit", "The body is nested too deep.", False),
    ("number out of range", "A number is too long.", False),
    ("hex escape", "A string holds half of a surrogate pair.", True),
    ("surrogate", "A string holds half of a surrogate pair.", True),
)


def _in_our_words(problem: ValueError) -> NotStrict:
    # jiter's own message quotes keys from the text, which may be secret.
    told = str(problem)
    for sign, reason, syntax in _REASONS:
        if sign in told:
            return NotStrict(reason, syntax=syntax)
    place = re.search(r"at line \d+ column \d+$", told)
    return NotStrict(
        f"The body is not JSON {place.group(0)}." if place else "The body is not JSON.", syntax=True
    )
