"""Who an address belongs to, for what is counted by address."""

from __future__ import annotations

from ipaddress import IPv6Address, ip_address

_OTHERS_BITS = 64


def place_of(address: str) -> str:
    """One text for all addresses that the holder of this one can use: in IPv6, everyone has a /64."""
    try:
        found = ip_address(address)
    except ValueError:
        return address
    if not isinstance(found, IPv6Address):
        return str(found)
    if found.ipv4_mapped is not None:
        return str(found.ipv4_mapped)
    return f"{IPv6Address(int(found) >> _OTHERS_BITS << _OTHERS_BITS)}/64"
