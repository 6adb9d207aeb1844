"""Finds the client's address behind a proxy: from its header if the proxy is trusted, never otherwise."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from ipaddress import IPv4Network, IPv6Network, ip_address

from django.conf import settings
from django.http import HttpRequest, HttpResponseBase

from accounts.audit import acting_from


class TrustedProxies:
    """Replaces the proxy's address by the client's, so that whatever counts by address counts people, and
    the audit events say where something was done from.

    `X-Forwarded-For` grows to the right: each proxy appends the address it was called from. Read from the
    right, the first that is not a trusted proxy is the client; anything further left the client wrote itself.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        heard = request.META.get("REMOTE_ADDR", "")
        said = request.META.get("HTTP_X_FORWARDED_FOR", "")
        request.META["REMOTE_ADDR"] = asker(heard, said, settings.TRUSTED_PROXIES)
        with acting_from(request.META["REMOTE_ADDR"]):
            return self.get_response(request)


def asker(heard: str, said: str, trusted: Iterable[IPv4Network | IPv6Network]) -> str:
    networks = tuple(trusted)
    found = heard
    for address in [heard, *(part.strip() for part in reversed(said.split(",")))]:
        try:
            read = ip_address(address)
        except ValueError:
            break
        found = str(read)
        if not any(read in network for network in networks):
            break
    return found
