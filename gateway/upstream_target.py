"""Where a server is and how it is called: its URL and its credentials, made into bytes to send once."""

import re
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final, Self
from urllib.parse import SplitResult, quote, urljoin, urlsplit

from common.blotting import Secrets
from gateway.http_messages import length_line

_SAFE: Final = "!#$%&'()*+,/:;=?@[]~"
_PORTS: Final = {"http": 80, "https": 443}
_REFERENCE: Final = re.compile(rb"[\x21-\x7e]{1,2048}")
_HOST: Final = re.compile(r"[0-9A-Za-z_.-]{1,253}|[0-9a-fA-F:.]{2,45}")
_OF_JSON: Final = b"Content-Type: application/json\r\n"
AGENT: Final = "PolicyLayer"


class TargetUnusable(Exception):  # noqa: N818
    pass


@dataclass(frozen=True, slots=True, repr=False)
class Target:
    """`fixed`: the header lines of every request, credentials included. `secrets`: what no client may see of
    the credentials and of the URL."""

    host: str
    port: int
    path: bytes
    tls: ssl.SSLContext | None
    fixed: bytes
    secrets: Secrets | None
    _opening: bytes = field(init=False)
    """Each request from its path to the end of the `fixed` lines."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "_opening", b" %b HTTP/1.1\r\n%b" % (self.path, self.fixed))

    @classmethod
    def of(
        cls, place: str, onwards: str, credentials: Mapping[str, str], tls: ssl.SSLContext, mark: bytes
    ) -> Self:
        """`onwards`: the rest of the URL, which is kept secret."""
        try:
            parts = urlsplit(place + onwards)
            port = parts.port or _PORTS[parts.scheme]
            host = (parts.hostname or "").encode("idna" if not (parts.hostname or "").isascii() else "ascii")
        except (ValueError, KeyError):
            raise TargetUnusable from None
        name = host.decode("ascii")
        if not _HOST.fullmatch(name) or parts.username is not None or parts.password is not None:
            raise TargetUnusable
        fixed = _fixed_lines(_authority(name, port, parts.scheme), credentials) + mark
        secrets = Secrets.of(credentials, onwards)
        return cls(name, port, _path(parts), tls if parts.scheme == "https" else None, fixed, secrets)

    def at(self, reference: bytes) -> Self:
        """The same server, at an address that it named itself. That must be on its own origin."""
        if not _REFERENCE.fullmatch(reference):
            raise TargetUnusable
        scheme = "https" if self.tls else "http"
        base = f"{scheme}://{_authority(self.host, self.port, scheme)}{self.path.decode()}"
        try:
            parts = urlsplit(urljoin(base, reference.decode("ascii")))
            place = (parts.scheme, parts.hostname, parts.port or _PORTS.get(parts.scheme))
        except ValueError:
            raise TargetUnusable from None
        if place != (scheme, self.host.lower(), self.port) or "@" in parts.netloc:
            raise TargetUnusable
        return replace(self, path=_path(parts))

    def request(self, method: bytes, lines: bytes, body: bytes | None) -> bytes:
        """One whole request. The values in `lines` were checked when they were read."""
        if body is None:
            return b"".join((method, self._opening, lines, b"\r\n"))
        return b"".join((method, self._opening, lines, _OF_JSON, length_line(len(body)), b"\r\n", body))


def _authority(host: str, port: int, scheme: str) -> str:
    name = f"[{host}]" if ":" in host else host
    return name if port == _PORTS[scheme] else f"{name}:{port}"


def _path(parts: SplitResult) -> bytes:
    path = quote(parts.path or "/", safe=_SAFE)
    query = f"?{quote(parts.query, safe=_SAFE)}" if parts.query else ""
    return (path + query).encode("ascii")


def _fixed_lines(authority: str, credentials: Mapping[str, str]) -> bytes:
    lines = [("Host", authority), ("Accept-Encoding", "identity"), *credentials.items()]
    if not any(name.lower() == "user-agent" for name in credentials):
        lines.append(("User-Agent", AGENT))
    return "".join(f"{name}: {value}\r\n" for name, value in lines).encode("latin-1")
