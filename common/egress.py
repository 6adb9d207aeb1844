"""Decides whether we may connect to an address. One table for both planes: scans, calls, webhooks, imports.

Pure: the caller resolves names, checks every address it got, and connects to exactly the one it checked.
"""

import ipaddress
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import Final, TypeAlias

Address: TypeAlias = IPv4Address | IPv6Address
Network: TypeAlias = IPv4Network | IPv6Network
Listener: TypeAlias = tuple[str, int]

# Python's own is_private and is_global differ between its releases; what we refuse must not.
_DENIED_V4: Final = tuple(
    (IPv4Network(network), why)
    for network, why in (
        ("0.0.0.0/8", "this host"),
        ("10.0.0.0/8", "a private address"),
        ("100.64.0.0/10", "a carrier's shared address"),
        ("127.0.0.0/8", "a loopback address"),
        ("168.63.129.16/32", "a cloud's own service"),
        ("169.254.0.0/16", "a link-local address"),
        ("172.16.0.0/12", "a private address"),
        ("192.0.0.0/24", "a reserved address"),
        ("192.0.2.0/24", "an address for documentation"),
        ("192.31.196.0/24", "a reserved address"),
        ("192.52.193.0/24", "a reserved address"),
        ("192.88.99.0/24", "a reserved address"),
        ("192.168.0.0/16", "a private address"),
        ("192.175.48.0/24", "a reserved address"),
        ("198.18.0.0/15", "an address for benchmarks"),
        ("198.51.100.0/24", "an address for documentation"),
        ("203.0.113.0/24", "an address for documentation"),
        ("224.0.0.0/4", "a multicast address"),
        ("240.0.0.0/4", "a reserved address"),
    )
)
_DENIED_V6: Final = tuple(
    (IPv6Network(network), why)
    for network, why in (
        ("::/128", "this host"),
        ("::1/128", "a loopback address"),
        ("64:ff9b:1::/48", "an address of a local translator"),
        ("100::/64", "a reserved address"),
        ("2001:2::/48", "an address for benchmarks"),
        ("2001::/23", "a reserved address"),
        ("2001:db8::/32", "an address for documentation"),
        ("2620:4f:8000::/48", "a reserved address"),
        ("3fff::/20", "an address for documentation"),
        ("fc00::/7", "a private address"),
        ("fe80::/10", "a link-local address"),
        ("fec0::/10", "a private address"),
        ("ff00::/8", "a multicast address"),
    )
)
_GLOBAL_UNICAST_V6: Final = IPv6Network("2000::/3")
_V4_COMPATIBLE: Final = IPv6Network("::/96")
_V4_TRANSLATED: Final = IPv6Network("::ffff:0:0:0/96")
_NAT64: Final = IPv6Network("64:ff9b::/96")
_THIS_HOST: Final = IPv4Network("0.0.0.0/8")
_BROADCAST: Final = IPv4Address("255.255.255.255")


def _nowhere(_: Address) -> bool:
    return False


class AddressRefused(Exception):  # noqa: N818
    def __init__(self, address: str, why: str) -> None:
        super().__init__(f"{address} is not connected to: {why}")
        self.address = address
        self.why = why


@dataclass(frozen=True, slots=True)
class EgressPolicy:
    """`allow` opens ranges of the deny table. `own_listeners` are refused by address and port even then.

    `is_ours`: whether an address is one of this machine's, for a listener that is bound to all of them.
    """

    allow: tuple[Network, ...] = ()
    own_listeners: frozenset[Listener] = frozenset()
    is_ours: Callable[[Address], bool] = _nowhere

    def check(self, address: str, port: int) -> None:
        """Returns if a connection may be made; `address` is an address as resolved, never a name."""
        for meant in _every_meaning(_parse(address)):
            self._check_one(address, meant, port)

    def _check_one(self, written: str, meant: Address, port: int) -> None:
        refused = why_denied(meant)
        if any(listening == port and self._reaches(host, meant) for host, listening in self.own_listeners):
            raise AddressRefused(written, "it is one of our own listeners")
        if refused is None:
            return
        if _may_be_opened(meant) and any(_within(meant, network) for network in self.allow):
            return
        raise AddressRefused(written, f"it is {refused}")

    def _reaches(self, host: str, meant: Address) -> bool:
        """True if connecting to `meant` may end at a listener bound to `host`."""
        bound = _every_meaning(ipaddress.ip_address(host))[-1]
        if bound.is_unspecified:
            # Any internal address might lead to this machine by a translation that we know nothing of.
            return why_denied(meant) is not None or self.is_ours(meant)
        return bound == meant or (bound.is_loopback and meant.is_loopback)


def parse_networks(text: str) -> tuple[Network, ...]:
    """Networks from "10.0.0.0/8, ::1/128"; raises ValueError naming the one that is not a network."""
    return tuple(_network(part.strip()) for part in text.split(",") if part.strip())


def parse_listeners(text: str) -> frozenset[Listener]:
    """Listeners from "127.0.0.1:8000, [::1]:8001"; raises ValueError naming the one that is not one."""
    return frozenset(_listener(part.strip()) for part in text.split(",") if part.strip())


def why_denied(address: Address) -> str | None:
    """Why the deny table refuses this address as it is written; None if it is an ordinary public one."""
    if isinstance(address, IPv4Address):
        return next((why for network, why in _DENIED_V4 if address in network), None)
    if _embedded(address):
        return None  # the addresses inside it are judged instead
    denied = next((why for network, why in _DENIED_V6 if address in network), None)
    if denied is None and address not in _GLOBAL_UNICAST_V6:
        return "a reserved address"
    return denied


def _parse(address: str) -> Address:
    # Strict on purpose: 127.1, 0177.0.0.1 and 2130706433 are addresses to some resolvers, but not to us.
    # A zone (fe80::1%eth0) picks an interface of this machine, which is not for outsiders to choose.
    try:
        if "%" in address:
            raise ValueError
        return ipaddress.ip_address(address)
    except ValueError:
        raise AddressRefused(address, "it is not an address") from None


def _every_meaning(address: Address) -> tuple[Address, ...]:
    """The address and every IPv4 address inside it that a translator or tunnel may connect to instead."""
    if isinstance(address, IPv4Address):
        return (address,)
    return (address, *_embedded(address))


def _embedded(address: IPv6Address) -> tuple[IPv4Address, ...]:
    if address.ipv4_mapped is not None:
        return (address.ipv4_mapped,)
    if address.sixtofour is not None:
        return (address.sixtofour,)
    if address.teredo is not None:
        return address.teredo
    low = IPv4Address(int(address) & 0xFFFFFFFF)
    if address in _NAT64 or address in _V4_TRANSLATED:
        return (low,)
    if address in _V4_COMPATIBLE and int(address) > 1:
        return (low,)
    return ()


def _may_be_opened(address: Address) -> bool:
    # None of these can mean a server, and connecting to 0.0.0.0 or :: means this machine.
    never = address.is_multicast or address.is_unspecified or address == _BROADCAST
    return not (never or _within(address, _THIS_HOST))


def _within(address: Address, network: Network) -> bool:
    return address.version == network.version and address in network


def _network(text: str) -> Network:
    try:
        return ipaddress.ip_network(text)
    except ValueError:
        raise ValueError(f"`{text}` is not a network; write it like 10.0.0.0/8") from None


def _listener(text: str) -> Listener:
    host, _, port = text.rpartition(":")
    bare = host[1:-1] if host.startswith("[") and host.endswith("]") else host
    try:
        address = ipaddress.ip_address(bare)
    except ValueError:
        raise ValueError(f"`{text}` is not a listener; write it like 127.0.0.1:8000 or [::1]:8000") from None
    if not (port.isascii() and port.isdigit() and 1 <= int(port) <= 65535):
        raise ValueError(f"`{text}` has no port from 1 to 65535")
    return str(address), int(port)
