"""Network addresses: one text for each that is kept or looked for, and one for whom it belongs to."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_address

_OTHERS_BITS = 64


def readable_address(address: str) -> str | None:
    """None for what is no address: a server on a socket of its machine hears no address."""
    # The database's type knows no zone.
    found = _parsed(address.partition("%")[0])
    return None if found is None else str(found)


def place_of(address: str) -> str:
    """One text for all addresses that the holder of this one can use: in IPv6, everyone has a /64."""
    found = _parsed(address)
    if found is None:
        return address
    if isinstance(found, IPv4Address):
        return str(found)
    return f"{IPv6Address(int(found) >> _OTHERS_BITS << _OTHERS_BITS)}/64"


def _parsed(address: str) -> IPv4Address | IPv6Address | None:
    """An IPv4 address written as an IPv6 one is that IPv4 address."""
    try:
        found = ip_address(address)
    except ValueError:
        return None
    mapped = found.ipv4_mapped if isinstance(found, IPv6Address) else None
    return mapped or found
