"""Checks the arguments that 2026-07-28 repeats in `Mcp-Param-*` headers against the body that was judged.

Anything that routes or counts by such a header must see the value that the policy saw. The headers we
forward are written by us; only a header for no argument we know of is forwarded as it came.
"""

import re
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Final

import jiter

from gateway.protocol.header_values import read_value, written
from gateway.protocol.jsonrpc import HEADER_MISMATCH, Refused, Request
from gateway.protocol.strict_json import Json
from gateway_config.wire.mirrored import Kind, MirroredArgument

PREFIX: Final = b"mcp-param-"
_PUNCTUATION: Final = re.compile(rb"[^a-z0-9]")
# Other spellings of a number are compared as text: whatever reads them next does no more.
_DECIMAL: Final = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?")
_LONGEST_NUMBER: Final = 400


def parameter_headers(
    request: Request, mirrored: Iterable[MirroredArgument], given: Mapping[bytes, bytes]
) -> list[tuple[bytes, bytes]]:
    """Raises Refused unless each header and its argument agree, or are both absent."""
    unknown = {name: value for name, value in given.items() if name.startswith(PREFIX)}
    headers = []
    for one in mirrored:
        name = f"Mcp-Param-{one.header}"
        header = unknown.pop(name.lower().encode(), None)
        if unknown and _blurred(name.lower().encode()) in map(_blurred, unknown):
            reason = f"A header differs from {name} only by its punctuation."
            raise Refused(HEADER_MISMATCH, reason, id=request.id)
        argument = _found(request.params.get("arguments"), one.path)
        if header is None and argument is None:
            continue
        told = None if header is None or argument is None else _agreed(read_value(header), argument, one.kind)
        if told is None:
            reason = f"The header {name} does not say what the body says."
            raise Refused(HEADER_MISMATCH, reason, id=request.id)
        headers.append((name.encode(), written(told)))
    return headers + list(unknown.items())


def _blurred(name: bytes) -> bytes:
    """The name as many servers see it: they treat `-` and `_` alike, so that one of two such headers wins."""
    return _PUNCTUATION.sub(b"_", name)


def _found(arguments: Json, path: Iterable[str]) -> str | int | bool | jiter.LosslessFloat | None:
    """The argument at the path; None if it is missing, or a list or an object, which no header can hold."""
    node = arguments
    for name in path:
        node = node.get(name) if isinstance(node, dict) else None
    return None if isinstance(node, dict | list) else node


def _agreed(told: str | None, argument: str | int | bool | jiter.LosslessFloat, kind: Kind) -> str | None:
    """The value that header and argument share, as it is to be written; None if they differ."""
    if told is None:
        return None
    if isinstance(argument, str):
        return argument if told == argument else None
    if isinstance(argument, bool):
        return told if told == ("true" if argument else "false") else None
    number = str(argument)
    if told == number:
        return number
    if kind == "integer" and _is_decimal(told) and _same_number(told, number):
        return number if isinstance(argument, int) else told
    return None


def _is_decimal(text: str) -> bool:
    return len(text) <= _LONGEST_NUMBER and _DECIMAL.fullmatch(text) is not None


def _same_number(one: str, other: str) -> bool:
    return len(other) <= _LONGEST_NUMBER and Decimal(one) == Decimal(other)
