"""A registry's pages over HTTPS: one checked address, no redirects, no more than anybody reads."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Callable
from typing import Final
from urllib.parse import urlencode, urlsplit

import httpx
from django.conf import settings

from catalog.registry import PageInvalid
from common.egress import AddressRefused, EgressPolicy

MOST_BYTES: Final = 16 << 20
SECONDS: Final = 20.0
TRIES: Final = 3
PER_PAGE: Final = 100
LONGEST_PAUSE: Final = 10.0


def registry_at(url: str, pause: Callable[[float], None] = time.sleep) -> Callable[[str, str], object]:
    """A `fetch` for `import_registry`. A page that fails is asked for again, and in the end refused."""

    def fetch(cursor: str, since: str) -> object:
        asked = {"limit": str(PER_PAGE), "cursor": cursor, "updated_since": since}
        query = urlencode({name: value for name, value in asked.items() if value})
        problem = PageInvalid("it was not asked for")
        for attempt in range(TRIES):
            if attempt:
                pause(min(2.0**attempt, LONGEST_PAUSE))
            try:
                return json.loads(_get(f"{url.rstrip('/')}/v0.1/servers?{query}"))
            except PageInvalid as why:
                problem = why
            except (httpx.HTTPError, OSError) as why:
                problem = PageInvalid(f"it could not be fetched ({type(why).__name__})")
            except (ValueError, RecursionError):
                problem = PageInvalid("it is not well-formed JSON")
        raise problem

    return fetch


def _get(url: str) -> bytes:
    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port or 443
    if parts.scheme != "https" or not host:
        raise PageInvalid("a registry is asked over https")
    # Connected to is the very address that was checked, so a name that changes its mind changes nothing.
    address = _checked(host, port)
    shown = f"[{address}]" if ":" in address else address
    request = httpx.Request(
        "GET",
        f"https://{shown}:{port}{parts.path}?{parts.query}",
        headers={"Host": parts.netloc, "Accept": "application/json", "Accept-Encoding": "identity"},
        extensions={"sni_hostname": host, "timeout": httpx.Timeout(SECONDS).as_dict()},
    )
    with httpx.Client(trust_env=False) as client:
        answer = client.send(request, stream=True)
        try:
            return _body(answer)
        finally:
            answer.close()


def _checked(host: str, port: int) -> str:
    own = frozenset((str(address), number) for address, number in settings.OWN_LISTENERS)
    policy = EgressPolicy(allow=settings.EGRESS_ALLOW_PRIVATE, own_listeners=own)
    found = [str(one[4][0]) for one in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]
    for address in found:
        try:
            policy.check(address, port)
        except AddressRefused as refused:
            raise PageInvalid(f"{host} is not connected to: {refused.why}") from None
    if not found:
        raise PageInvalid(f"{host} has no address")
    return found[0]


def _body(answer: httpx.Response) -> bytes:
    if answer.status_code != 200:
        raise PageInvalid(f"the registry answered {answer.status_code}")
    body, until = bytearray(), time.monotonic() + SECONDS
    for chunk in answer.iter_raw():
        body += chunk
        if len(body) > MOST_BYTES:
            raise PageInvalid("the page is larger than anybody reads")
        if time.monotonic() > until:
            raise PageInvalid("the page came too slowly")
    return bytes(body)
