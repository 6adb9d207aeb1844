"""`host_in`: which host a URL names, read so strictly that no two readers could disagree."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import AddressValueError, IPv4Address, IPv6Address
from typing import TypeAlias

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
_LONGEST_AUTHORITY = 300  # a good deal more than a host and a port may have
_LARGEST_PORT = 65535


@dataclass(frozen=True, slots=True)
class HostPattern:
    host: Host
    below: bool  # `*.name`: names with further labels, not the name itself


class _Below:
    """A name in the tree of the names above: the lists that have what lies below it, and the longer names."""

    __slots__ = ("bits", "longer")

    def __init__(self) -> None:
        self.bits = 0
        self.longer: dict[str, _Below] = {}


class HostIndex:
    """The host lists of one policy together: a URL is looked up once, however many lists are asked for it.

    Each list has a bit, and what is known of a host is the bits of the lists that have it.
    """

    def __init__(self) -> None:
        self._lists = 0
        self._hosts: dict[Host, int] = {}
        # The names above, as a tree of their labels from the last one on: a name has at most 127.
        self._above = _Below()

    def add(self, patterns: Iterable[HostPattern]) -> int:
        """The bit of a new list."""
        bit = 1 << self._lists
        self._lists += 1
        for pattern in patterns:
            if pattern.below and isinstance(pattern.host, str):
                here = self._above
                for label in reversed(pattern.host.split(".")):
                    here = here.longer.setdefault(label, _Below())
                here.bits |= bit
            else:
                self._hosts[pattern.host] = self._hosts.get(pattern.host, 0) | bit
        return bit

    def lists_with(self, url: str) -> int | None:
        """The bits of the lists that have its host; None for what is no URL of the strict kind."""
        host = host_of_url(url)
        if host is None:
            return None
        found = self._hosts.get(host, 0)
        return found if isinstance(host, IPv4Address | IPv6Address) else found | self._above_it(host)

    def _above_it(self, host: str) -> int:
        found, here = 0, self._above
        for label in reversed(host.split(".")):
            # Before the next label, not after the last: `*.name` is what lies below the name.
            found |= here.bits
            following = here.longer.get(label)
            if following is None:
                return found
            here = following
        return found


def parse_host_pattern(text: str) -> HostPattern | None:
    below = text.startswith("*.")
    host = _host(text[2:] if below else text)
    if host is None or (below and not isinstance(host, str)):
        return None
    return HostPattern(host, below)


def host_of_url(url: str) -> Host | None:
    """The host, letters lowered and addresses by value; None for what is no URL of the strict kind."""
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
    # What is printable holds no control character; to ask that first is many times as fast.
    if url.isprintable():
        return " " in url or "\\" in url
    return _FORBIDDEN.search(url) is not None


def _host(text: str) -> Host | None:
    if text.startswith("["):
        return _ipv6(text[1:-1]) if text.endswith("]") else None
    if len(text) > _LONGEST_NAME or not _NAME.match(text):
        return None
    labels = text.split(".")
    if "" in labels or max(map(len, labels)) > _LONGEST_LABEL:
        return None
    if _NUMERIC_LAST.match(labels[-1]):
        return IPv4Address(text) if _IPV4.match(text) else None
    return text.lower()


def _ipv6(text: str) -> Address | None:
    if "%" in text:
        return None
    try:
        address = IPv6Address(text)
    except AddressValueError:
        return None
    return address.ipv4_mapped or address
