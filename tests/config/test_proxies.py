"""Whose address counts where a proxy stands in front."""

from __future__ import annotations

from ipaddress import ip_network

import pytest
from django.core.cache import caches
from django.test import Client, override_settings

from config.proxies import asker

OURS = (ip_network("10.0.0.0/8"), ip_network("fd00::/8"))


@pytest.mark.parametrize(
    ("heard", "said", "is_of"),
    [
        ("203.0.113.9", "", "203.0.113.9"),
        ("203.0.113.9", "198.51.100.1", "203.0.113.9"),
        ("10.0.0.1", "198.51.100.1", "198.51.100.1"),
        ("10.0.0.1", "1.2.3.4, 198.51.100.1", "198.51.100.1"),
        ("10.0.0.1", "198.51.100.1, 10.0.0.7", "198.51.100.1"),
        ("10.0.0.1", "10.0.0.3, 10.0.0.7", "10.0.0.3"),
        ("10.0.0.1", "", "10.0.0.1"),
        ("10.0.0.1", "unknown", "10.0.0.1"),
        ("10.0.0.1", "198.51.100.1, <script>", "10.0.0.1"),
        ("10.0.0.1", "198.51.100.1:443", "10.0.0.1"),
        ("fd00::1", "2001:db8::5", "2001:db8::5"),
        ("", "198.51.100.1", ""),
    ],
)
def test_the_asker_is_the_first_that_is_no_proxy_of_ours(heard: str, said: str, is_of: str) -> None:
    assert asker(heard, said, OURS) == is_of


@override_settings(API_REQUESTS_A_MINUTE_UNKNOWN=2)
def test_unknown_askers_behind_a_trusted_proxy_are_counted_apart_and_nobody_else_invents_an_address(
    db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("accounts.api.throttling.time.time", lambda: 600_020.0)

    def statuses(**said: str) -> list[int]:
        return [Client().get("/api/v1/schema/", headers=said).status_code for _ in range(3)]

    with override_settings(TRUSTED_PROXIES=(ip_network("127.0.0.0/8"),)):
        for address in ("198.51.100.1", "198.51.100.2"):
            assert statuses(**{"X-Forwarded-For": f"9.9.9.9, {address}"}) == [200, 200, 429]
    caches["requests"].clear()
    invented = [{"X-Forwarded-For": f"198.51.100.{number}"} for number in range(3)]
    answers = [Client().get("/api/v1/schema/", headers=one).status_code for one in invented]
    assert answers == [200, 200, 429]
