"""What we must know about this machine before we connect to others."""

import socket
from ipaddress import IPv4Address, IPv6Address


def is_ours(address: IPv4Address | IPv6Address) -> bool:
    """True if a connection to it ends on this machine: a socket can be bound only to its own addresses."""
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.bind((str(address), 0))
    except OSError:
        return False
    return True
