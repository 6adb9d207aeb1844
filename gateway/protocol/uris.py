"""Finds URIs that a server may take for others, by RFC 3986, 6.2, or as WHATWG URLs, as server SDKs do."""

import re
from ipaddress import ip_address
from typing import Final

_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")
# Schemes with an authority after the colon, however that is written, and their default ports.
_PORTS: Final = {"file": "", "ftp": "21", "http": "80", "https": "443", "ws": "80", "wss": "443"}
_PORT: Final = re.compile(r":([0-9]*)\Z")
_HOST: Final = re.compile(r"(?:[a-z0-9_-]+\.)*[a-z_][a-z0-9_-]*", re.IGNORECASE)
_EMPTY_SEGMENT: Final = re.compile(r"[^?#]*//")
_AFTER_AUTHORITY: Final = re.compile(r"[/?#]")


def is_read_in_part(uri: str) -> bool:
    """True if many URL parsers would drop part of it: they read `.`, a tab and `.` as `..`."""
    return uri != uri.strip(" ") or _CONTROL.search(uri) is not None


def has_another_spelling(uri: str) -> bool:
    """True if URL parsers may turn it into another one because of what comes before its path."""
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
    """True for an ASCII name or an address in its canonical form: parsers turn anything else into these."""
    bare = host[1:-1] if host.startswith("[") else host
    try:
        return str(ip_address(bare)) == bare.lower()
    except ValueError:
        return _HOST.fullmatch(host) is not None
