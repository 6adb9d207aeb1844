import json
from ipaddress import ip_address
from pathlib import Path

import pytest

from common.egress import AddressRefused, EgressPolicy, parse_listeners, parse_networks
from common.machine import is_ours

CASES = json.loads((Path(__file__).parent.parent / "cases" / "egress.json").read_text("utf-8"))
LOOPBACK_OPENED = parse_networks("127.0.0.0/8, ::1/128")


@pytest.mark.parametrize("case", CASES["refused"], ids=lambda case: ascii(case["address"]))
def test_an_address_inside_is_refused_however_it_is_spelt(case: dict[str, str]) -> None:
    with pytest.raises(AddressRefused) as refused:
        EgressPolicy().check(case["address"], 443)
    assert case["why"] in refused.value.why


@pytest.mark.parametrize("address", CASES["allowed"])
def test_a_public_address_is_connected_to(address: str) -> None:
    EgressPolicy().check(address, 443)


@pytest.mark.parametrize("address", ["127.0.0.1", "::1", "::ffff:127.0.0.1"])
def test_an_opened_range_is_connected_to(address: str) -> None:
    EgressPolicy(allow=LOOPBACK_OPENED).check(address, 9000)


def test_opening_one_range_opens_no_other() -> None:
    with pytest.raises(AddressRefused, match="private"):
        EgressPolicy(allow=LOOPBACK_OPENED).check("10.0.0.1", 9000)


@pytest.mark.parametrize(
    "address", ["0.0.0.0", "::", "::ffff:0.0.0.0", "224.0.0.1", "ff02::1", "255.255.255.255"]
)
def test_what_is_no_server_stays_refused_even_where_everything_is_opened(address: str) -> None:
    with pytest.raises(AddressRefused):
        EgressPolicy(allow=parse_networks("0.0.0.0/0, ::/0")).check(address, 9000)


@pytest.mark.parametrize(
    "address", ["127.0.0.1", "127.0.0.2", "::1", "::ffff:127.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::"]
)
def test_our_own_listener_is_refused_though_its_range_is_opened(address: str) -> None:
    policy = EgressPolicy(allow=LOOPBACK_OPENED, own_listeners=parse_listeners("127.0.0.1:8001"))
    with pytest.raises(AddressRefused, match="our own listeners"):
        policy.check(address, 8001)
    policy.check(address, 8002)


def test_our_own_listener_on_a_public_address_is_refused() -> None:
    policy = EgressPolicy(own_listeners=parse_listeners("8.8.4.4:8001, [2606:4700::1]:8001"))
    for address in ("8.8.4.4", "::ffff:8.8.4.4", "2606:4700::1"):
        with pytest.raises(AddressRefused, match="our own listeners"):
            policy.check(address, 8001)
    policy.check("8.8.8.8", 8001)


@pytest.mark.parametrize("bound", ["0.0.0.0:8001", "[::]:8001"])
def test_a_listener_on_every_address_is_refused_on_every_address_inside(bound: str) -> None:
    policy = EgressPolicy(
        allow=parse_networks("10.0.0.0/8,127.0.0.0/8"), own_listeners=parse_listeners(bound)
    )
    for address in ("127.0.0.1", "10.1.2.3", "::ffff:10.1.2.3"):
        with pytest.raises(AddressRefused, match="our own listeners"):
            policy.check(address, 8001)
        policy.check(address, 8002)
    policy.check("8.8.8.8", 8001)


@pytest.mark.parametrize("bound", ["0.0.0.0:8001", "[::]:8001"])
def test_a_listener_on_every_address_is_refused_on_this_machines_public_ones(bound: str) -> None:
    ours = (ip_address("8.8.8.8"), ip_address("2606:4700::1"))
    policy = EgressPolicy(own_listeners=parse_listeners(bound), is_ours=ours.__contains__)
    for address in ("8.8.8.8", "::ffff:8.8.8.8", "2002:808:808::", "2606:4700::1"):
        with pytest.raises(AddressRefused, match="our own listeners"):
            policy.check(address, 8001)
        policy.check(address, 8002)
    policy.check("8.8.4.4", 8001)


def test_what_is_this_machines_is_known_without_being_told() -> None:
    for address in ("127.0.0.1", "127.0.0.2"):
        assert is_ours(ip_address(address))
    for address in ("8.8.8.8", "192.0.2.1", "2001:db8::1"):
        assert not is_ours(ip_address(address))


@pytest.mark.parametrize("text", ["10.0.0.1/8", "10.0.0.0/33", "loopback", "10.0.0.0/8;::1"])
def test_a_network_that_is_none_is_named(text: str) -> None:
    with pytest.raises(ValueError, match="is not a network"):
        parse_networks(text)


@pytest.mark.parametrize(
    "text", ["127.0.0.1", "localhost:80", "127.0.0.1:0", "127.0.0.1:65536", "127.0.0.1:²"]
)
def test_a_listener_that_is_none_is_named(text: str) -> None:
    with pytest.raises(ValueError, match=r"is not a listener|has no port"):
        parse_listeners(text)
