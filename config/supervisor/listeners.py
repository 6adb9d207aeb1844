"""Finds the addresses of what the product depends on, so that they are never called as upstream servers."""

import socket
from functools import lru_cache
from typing import Final
from urllib.parse import parse_qs, urlsplit

_PORTS: Final = {
    "postgres": 5432, "postgresql": 5432, "redis": 6379, "rediss": 6379, "amqp": 5672, "amqps": 5671,
}  # fmt: skip


@lru_cache
def listeners_at(urls: str) -> frozenset[str]:
    """Return the addresses of a database, a store or brokers, as ip:port.

    Folders, files and names that do not resolve are left out: whatever uses them reports the problem.
    """
    found = set()
    for url in filter(None, map(str.strip, urls.split(";"))):
        try:
            place = _place(url)
            answers = [] if place is None else socket.getaddrinfo(*place, type=socket.SOCK_STREAM)
        except (OSError, ValueError):
            continue
        found |= {written(str(address[0]), int(address[1])) for *_, address in answers}
    return frozenset(found)


def written(address: str, port: int) -> str:
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def _place(url: str) -> tuple[str, int] | None:
    parts = urlsplit(url)
    asked = parse_qs(parts.query)
    host = asked.get("host", [parts.hostname or ""])[-1]
    if parts.scheme not in _PORTS or not host or host.startswith(("/", "%2f")):
        return None
    return host, int(asked.get("port", [str(parts.port or _PORTS[parts.scheme])])[-1])
