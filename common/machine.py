"""What this machine is, as far as it matters whom it connects to."""

import socket
from ipaddress import IPv4Address, IPv6Address


def is_ours(address: IPv4Address | IPv6Address) -> bool:
    """Whether connecting to it ends on this machine: only of its own addresses may one be listened on."""
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.bind((str(address), 0))
    except OSError:
        return False
    return True
