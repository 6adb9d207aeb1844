"""What each operator says of one value that is there. None: undecidable."""

import ipaddress
from collections.abc import Callable

import re2

from .values import Json, Num, all_exact, exact, same

Verdict = bool | None


def judge(op: str, expected: Json, value: Json) -> Verdict:
    if op == "exists":
        return (value is not None) is expected
    if op in ("eq", "neq", "in", "not_in"):
        return _equality(op, expected, value)
    if value is None:
        return None
    return _OTHERS[op](op, expected, value)


def _equality(op: str, expected: Json, value: Json) -> Verdict:
    if not all_exact(value):
        return None
    choices = expected if op in ("in", "not_in") else [expected]
    found = any(same(value, choice) for choice in choices)
    return found if op in ("eq", "in") else not found


def _compare(op: str, expected: Json, value: Json) -> Verdict:
    left = exact(value) if isinstance(value, Num) else None
    right = exact(expected)
    assert right is not None
    if left is None:
        return None
    return {"lt": left < right, "lte": left <= right, "gt": left > right, "gte": left >= right}[op]


def _contains(op: str, expected: Json, value: Json) -> Verdict:
    if isinstance(value, str) and isinstance(expected, str):
        found = expected in value
    elif isinstance(value, list) and all_exact(value):
        found = any(same(element, expected) for element in value)
    else:
        return None
    return found if op == "contains" else not found


def _edge(op: str, expected: Json, value: Json) -> Verdict:
    if not isinstance(value, str):
        return None
    size = len(expected)
    part = value[:size] if op == "starts_with" else value[max(0, len(value) - size) :]
    return bool(part == expected)


def _regex(op: str, expected: Json, value: Json) -> Verdict:
    if not isinstance(value, str):
        return None
    pattern = re2.compile(expected)
    return (pattern.search(value) if op == "regex" else pattern.fullmatch(value)) is not None


def _length(op: str, expected: Json, value: Json) -> Verdict:
    if not isinstance(value, str | list | dict):
        return None
    bound = exact(expected)
    assert bound is not None
    return len(value) <= bound if op == "length_lte" else len(value) >= bound


# Files


def _under(op: str, expected: Json, value: Json) -> Verdict:
    above, below = _resolved(expected), _resolved(value)
    return None if above is None or below is None else below[: len(above)] == above


def _resolved(path: Json) -> list[str] | None:
    if not isinstance(path, str) or path[:1] != "/" or "\\" in path or "\x00" in path:
        return None
    kept: list[str] = []
    for segment in path.split("/"):
        if segment == ".." and kept:
            kept.pop()
        elif segment not in ("", ".", ".."):
            kept.append(segment)
    return kept


# Hosts

LETTERS = set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
DIGITS = set("0123456789")
Host = str | int | tuple[str, int]


def _host_in(op: str, expected: Json, value: Json) -> Verdict:
    host = _host_of(value) if isinstance(value, str) else None
    return None if host is None else any(_host_matches(pattern, host) for pattern in expected)


def _host_matches(pattern: str, host: Host) -> bool:
    if pattern.startswith("*."):
        return isinstance(host, str) and host.endswith("." + pattern[2:].lower())
    return _host(pattern) == host


def _host_of(url: str) -> Host | None:
    scheme, colon, rest = url.partition("://")
    if not colon or not scheme or scheme[0] not in LETTERS or set(scheme) - LETTERS - DIGITS - set("+-."):
        return None
    if any(c <= " " or c == "\x7f" or c == "\\" for c in url):
        return None
    cut = min([rest.find(c) for c in "/?#" if c in rest], default=len(rest))
    authority = rest[:cut]
    name, port = authority, None
    if authority.startswith("["):
        name, bracket, after = authority.partition("]")
        name += bracket
        if after[:1] == ":":
            port = after[1:]
        elif after:
            return None
    elif ":" in authority:
        name, port = authority.split(":", 1)
    if "@" in authority or (port is not None and not _is_port(port)):
        return None
    return _host(name[:-1] if name.endswith(".") else name)


def _is_port(text: str) -> bool:
    return 1 <= len(text) <= 5 and not set(text) - DIGITS and int(text) <= 65535


def _host(text: str) -> Host | None:
    """A name in lower case, an IPv4 address as a number, an IPv6 address as a tagged one."""
    if text.startswith("["):
        return _ipv6(text[1:-1]) if text.endswith("]") else None
    labels = text.split(".")
    if len(text) > 253 or not all(_is_label(label) for label in labels):
        return None
    last = labels[-1].lower()
    if not set(last) - DIGITS or (last[:2] == "0x" and not set(last[2:]) - set("0123456789abcdef")):
        return _ipv4(labels)
    return text.lower()


def _is_label(label: str) -> bool:
    return 1 <= len(label) <= 63 and not set(label) - LETTERS - DIGITS - set("-_")


def _ipv4(labels: list[str]) -> int | None:
    numbers = [int(label) for label in labels if not set(label) - DIGITS and str(int(label)) == label]
    if len(labels) != 4 or len(numbers) != 4 or max(numbers) > 255:
        return None
    return numbers[0] << 24 | numbers[1] << 16 | numbers[2] << 8 | numbers[3]


def _ipv6(text: str) -> Host | None:
    try:
        address = int(ipaddress.IPv6Address(text)) if "%" not in text else None
    except ValueError:
        return None
    if address is None:
        return None
    return address & 0xFFFFFFFF if address >> 32 == 0xFFFF else ("6", address)


_OTHERS: dict[str, Callable[[str, Json, Json], Verdict]] = {
    **dict.fromkeys(["lt", "lte", "gt", "gte"], _compare),
    **dict.fromkeys(["contains", "not_contains"], _contains),
    **dict.fromkeys(["starts_with", "ends_with"], _edge),
    **dict.fromkeys(["regex", "matches"], _regex),
    **dict.fromkeys(["length_lte", "length_gte"], _length),
    "under_path": _under,
    "host_in": _host_in,
}
