"""Whose an address is, for what is counted by address."""

from __future__ import annotations

from ipaddress import IPv6Address, ip_address

_OTHERS_BITS = 64


def place_of(address: str) -> str:
    """One for all the addresses that whoever has this one can speak from: of IPv6 everybody has a /64."""
    try:
        found = ip_address(address)
    except ValueError:
        return address
    if not isinstance(found, IPv6Address):
        return str(found)
    if found.ipv4_mapped is not None:
        return str(found.ipv4_mapped)
    return f"{IPv6Address(int(found) >> _OTHERS_BITS << _OTHERS_BITS)}/64"
