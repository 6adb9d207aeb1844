"""Fetches a registry's pages over HTTPS: only from checked addresses, without redirects, bounded in size."""

from __future__ import annotations

import asyncio
import json
import socket
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias
from urllib.parse import SplitResult, urlencode, urlsplit

import httpx
from django.conf import settings

from catalog.registry import CursorRefused, PageInvalid
from common.egress import AddressRefused, EgressPolicy
from common.machine import is_ours
from common.tls import trusting

Resolve: TypeAlias = Callable[[str, int], Sequence[str]]
MOST_BYTES: Final = 16 << 20
PER_PAGE: Final = 100
LONGEST_PAUSE: Final = 10.0
# The pages of a walk are asked for in the same way but for the cursor, so these answers refuse the cursor.
_NOT_TO_BE_ASKED: Final = (400, 404, 410, 422)


def system_resolver(host: str, port: int) -> list[str]:
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(one[4][0]) for one in found))


@dataclass(frozen=True, slots=True)
class Manners:
    """How long one page may take in all, and how many times it is tried."""

    seconds: float = 20.0
    tries: int = 3
    resolve: Resolve = system_resolver
    pause: Callable[[float], None] = time.sleep


def registry_at(url: str, manners: Manners | None = None) -> Callable[[str, str], object]:
    """Return a `fetch` for `import_registry`. A page that fails is asked for again, each time with fewer
    entries, and finally refused."""
    how = manners or Manners()

    def fetch(cursor: str, since: str) -> object:
        problem = PageInvalid("it was not asked for")
        for attempt in range(how.tries):
            if attempt:
                how.pause(min(2.0**attempt, LONGEST_PAUSE))
            asked = {"limit": str(PER_PAGE // 5**attempt), "cursor": cursor, "updated_since": since}
            query = urlencode({name: value for name, value in asked.items() if value})
            try:
                return json.loads(asyncio.run(_get(f"{url.rstrip('/')}/v0.1/servers?{query}", how)))
            except PageInvalid as why:
                problem = why
            except TimeoutError:
                problem = PageInvalid("the page came too slowly")
            except (httpx.HTTPError, httpx.InvalidURL, OSError) as why:
                problem = PageInvalid(f"it could not be fetched ({type(why).__name__})")
            except (ValueError, RecursionError):
                problem = PageInvalid("it is not well-formed JSON")
        raise problem

    return fetch


async def _get(url: str, how: Manners) -> bytes:
    parts = urlsplit(url)
    if parts.scheme != "https" or not parts.hostname or "@" in parts.netloc:
        raise PageInvalid("a registry is asked over https, without a name or password in its address")
    tls = trusting(settings.UPSTREAM_CA_FILE)
    # One timeout for everything: headers may trickle in as slowly as a body.
    async with asyncio.timeout(how.seconds), httpx.AsyncClient(verify=tls, trust_env=False) as client:
        *others, last = _checked(parts.hostname, parts.port or 443, how.resolve)
        for address in others:
            try:
                return await _at(client, parts, address, how)
            except httpx.ConnectError:
                continue
        return await _at(client, parts, last, how)


def _checked(host: str, port: int, resolve: Resolve) -> list[str]:
    own = frozenset((str(address), number) for address, number in settings.OWN_LISTENERS)
    policy = EgressPolicy(allow=settings.EGRESS_ALLOW_PRIVATE, own_listeners=own, is_ours=is_ours)
    found = list(resolve(host, port))
    for address in found:
        try:
            policy.check(address, port)
        except AddressRefused as refused:
            raise PageInvalid(f"{host} is not connected to: {refused.why}") from None
    if not found:
        raise PageInvalid(f"{host} has no address")
    return found


async def _at(client: httpx.AsyncClient, parts: SplitResult, address: str, how: Manners) -> bytes:
    """Connect to the very address that was checked: it does not matter if the name now resolves elsewhere."""
    shown = f"[{address}]" if ":" in address else address
    request = httpx.Request(
        "GET",
        f"https://{shown}:{parts.port or 443}{parts.path}?{parts.query}",
        headers={"Host": parts.netloc, "Accept": "application/json", "Accept-Encoding": "identity"},
        extensions={"sni_hostname": parts.hostname, "timeout": httpx.Timeout(how.seconds).as_dict()},
    )
    answer = await client.send(request, stream=True, follow_redirects=False)
    try:
        return await _body(answer)
    finally:
        await answer.aclose()


async def _body(answer: httpx.Response) -> bytes:
    if answer.status_code != 200:
        refused = CursorRefused if answer.status_code in _NOT_TO_BE_ASKED else PageInvalid
        raise refused(f"the registry answered {answer.status_code}")
    body = bytearray()
    async for chunk in answer.aiter_raw():
        body += chunk
        if len(body) > MOST_BYTES:
            raise PageInvalid("the page is larger than anybody reads")
    return bytes(body)
