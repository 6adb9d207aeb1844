"""URIs that a server may take for others: RFC 3986, 6.2, and WHATWG's URLs, as SDKs of servers read them."""

import re
from ipaddress import ip_address
from typing import Final

_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")
# Of these everybody knows what stands behind the colon, however it is written; and the port, unwritten.
_PORTS: Final = {"file": "", "ftp": "21", "http": "80", "https": "443", "ws": "80", "wss": "443"}
_PORT: Final = re.compile(r":([0-9]*)\Z")
_HOST: Final = re.compile(r"(?:[a-z0-9_-]+\.)*[a-z_][a-z0-9_-]*", re.IGNORECASE)
_EMPTY_SEGMENT: Final = re.compile(r"[^?#]*//")
_AFTER_AUTHORITY: Final = re.compile(r"[/?#]")


def is_read_in_part(uri: str) -> bool:
    """Whether many readers of URLs leave something out: `.`, a tab and `.` are `..` to them."""
    return uri != uri.strip(" ") or _CONTROL.search(uri) is not None


def has_another_spelling(uri: str) -> bool:
    """Whether readers of URLs make another one of it by what stands before its path."""
    scheme, _, rest = uri.partition(":")
    known = _PORTS.get(scheme.lower())
    if not rest.startswith("//"):
        return known is not None
    authority = _AFTER_AUTHORITY.split(rest[2:], maxsplit=1)[0]
    port = _PORT.search(authority)
    if authority.startswith(("@", ":@")) or (port and (port[1][:1] in ("", "0") or port[1] == known)):
        return True
    if known == "":
        if _EMPTY_SEGMENT.match(rest, 2) or authority.lower() == "localhost":
            return True
        return bool(authority) and not _is_plain(authority)
    return known is not None and not _is_plain(authority[: port.start()] if port else authority)


def _is_plain(host: str) -> bool:
    """A name in ASCII, or an address as it is written out: of all else somebody makes one of these."""
    bare = host[1:-1] if host.startswith("[") else host
    try:
        return str(ip_address(bare)) == bare.lower()
    except ValueError:
        return _HOST.fullmatch(host) is not None
