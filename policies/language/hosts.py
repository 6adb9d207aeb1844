"""`host_in`: the host that a URL names, read so strictly that no two readers could disagree."""

import re
from bisect import bisect_right
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from ipaddress import AddressValueError, IPv4Address, IPv6Address
from itertools import accumulate
from operator import or_
from typing import NamedTuple, TypeAlias

Address: TypeAlias = IPv4Address | IPv6Address
Host: TypeAlias = str | Address

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*\Z")
_END = re.compile(r"[/?#]")
_FORBIDDEN = re.compile(r"[\x00-\x20\x7f\\]")
_AUTHORITY = re.compile(r"(\[[^\[\]]*\]|[^\[\]:]*)(?::([0-9]{1,5}))?\Z")
_NAME = re.compile(r"[A-Za-z0-9_.-]+\Z")
_NUMERIC_LAST = re.compile(r"(?:[0-9]+|0[xX][0-9A-Fa-f]*)\Z")
_IPV4 = re.compile(r"(?:(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])(?:\.|\Z)){4}\Z")
_LONGEST_NAME = 253
_LONGEST_LABEL = 63
_LONGEST_AUTHORITY = 300  # well over what a host and a port may have
_LARGEST_PORT = 65535


@dataclass(frozen=True, slots=True)
class HostPattern:
    host: Host
    below: bool  # `*.name`: names with further labels, not the name itself


class _Above(NamedTuple):
    """Reversed names, sorted; for each the lengths of the names it begins with, and their combined bits."""

    names: list[str]
    beginnings: list[tuple[list[int], list[int]]]


class HostIndex:
    """All the host lists of one policy: a URL is looked up once, however many lists are asked about it.

    Each list has a bit, and a host maps to the bits of the lists that contain it.
    """

    def __init__(self) -> None:
        self._lists = 0
        self._hosts: dict[Host, int] = {}
        # `*.a.b` as `b.a.`: the names below it begin with that when reversed too.
        self._backwards: dict[str, int] = {}
        self._above: _Above | None = None

    def add(self, patterns: Iterable[HostPattern]) -> int:
        """Add a list and return its bit."""
        bit = 1 << self._lists
        self._lists += 1
        for pattern in patterns:
            if pattern.below and isinstance(pattern.host, str):
                name = f".{pattern.host}"[::-1]
                self._backwards[name] = self._backwards.get(name, 0) | bit
            else:
                self._hosts[pattern.host] = self._hosts.get(pattern.host, 0) | bit
        return bit

    def lists_with(self, url: str) -> int | None:
        """Return the bits of the lists that contain the URL's host; None if it is not a strict URL."""
        host = host_of_url(url)
        if host is None:
            return None
        found = self._hosts.get(host, 0)
        return found if isinstance(host, IPv4Address | IPv6Address) else found | self._above_it(host)

    def _above_it(self, host: str) -> int:
        if self._above is None:
            self._above = _in_order(self._backwards)
        backwards = host[::-1]
        place = bisect_right(self._above.names, backwards)
        if place == 0:
            return 0
        # Every name that the host begins with is also a beginning of the last name sorted no later than it.
        nearest, (lengths, bits) = self._above.names[place - 1], self._above.beginnings[place - 1]
        return bits[bisect_right(lengths, _alike(nearest, backwards))]


def _in_order(backwards: Mapping[str, int]) -> _Above:
    names = sorted(backwards)
    beginnings: list[tuple[list[int], list[int]]] = []
    within: list[str] = []
    for name in names:
        while within and not name.startswith(within[-1]):
            within.pop()
        within.append(name)
        bits = list(accumulate((backwards[each] for each in within), or_, initial=0))
        beginnings.append(([len(each) for each in within], bits))
    return _Above(names, beginnings)


def _alike(one: str, other: str) -> int:
    """Return how many characters the two have in common at the beginning."""
    if other.startswith(one):
        return len(one)
    least, most = 0, min(len(one), len(other))
    while least < most:
        middle = (least + most + 1) // 2
        if one[:middle] == other[:middle]:
            least = middle
        else:
            most = middle - 1
    return least


def parse_host_pattern(text: str) -> HostPattern | None:
    below = text.startswith("*.")
    host = _host(text[2:] if below else text)
    if host is None or (below and not isinstance(host, str)):
        return None
    return HostPattern(host, below)


def host_of_url(url: str) -> Host | None:
    """Return the host, in lower case or as an address value; None if the text is not a strict URL."""
    scheme, stands, rest = url.partition("://")
    if not stands or not _SCHEME.match(scheme) or _holds_forbidden(url):
        return None
    end = _END.search(rest, 0, _LONGEST_AUTHORITY)
    if end is None and len(rest) > _LONGEST_AUTHORITY:
        return None
    authority = _AUTHORITY.match(rest[: end.start()] if end else rest)
    if authority is None or int(authority.group(2) or 0) > _LARGEST_PORT:
        return None
    name = authority.group(1)
    return _host(name.removesuffix(".") if not name.startswith("[") else name)


def _holds_forbidden(url: str) -> bool:
    # A printable text has no control characters, and checking that first is many times as fast.
    if url.isprintable():
        return " " in url or "\\" in url
    return _FORBIDDEN.search(url) is not None


def _host(text: str) -> Host | None:
    if text.startswith("["):
        return _ipv6(text[1:-1]) if text.endswith("]") else None
    if len(text) > _LONGEST_NAME or not _NAME.match(text):
        return None
    if ".." in text or text[0] == "." or text[-1] == "." or _has_long_label(text):
        return None
    if _NUMERIC_LAST.match(text.rsplit(".", 1)[-1]):
        return IPv4Address(text) if _IPV4.match(text) else None
    return text.lower()


def _has_long_label(text: str) -> bool:
    """Return whether a label is too long. Only one that spans one of these places can be."""
    for place in range(_LONGEST_LABEL, len(text), _LONGEST_LABEL + 1):
        end = text.find(".", place)
        if (len(text) if end < 0 else end) - text.rfind(".", 0, place + 1) - 1 > _LONGEST_LABEL:
            return True
    return False


def _ipv6(text: str) -> Address | None:
    if "%" in text:
        return None
    try:
        address = IPv6Address(text)
    except AddressValueError:
        return None
    return address.ipv4_mapped or address
