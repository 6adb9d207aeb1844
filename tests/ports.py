"""Free ports for processes that are told their port and listen on it later, perhaps more than once.

The system gives its ephemeral ports to the next program that asks and to every outgoing connection, so one
that was free a moment ago may soon be taken. Ours lie below that range, and for the life of this test process
each is reserved by a socket name that no other test process can take.
"""

from __future__ import annotations

import random
import socket
import sys
from contextlib import closing
from typing import Final

_BELOW_THOSE_THE_SYSTEM_GIVES: Final = range(20_000, 32_000)
_chance = random.SystemRandom()
_held: list[socket.socket] = []


def free_port() -> int:
    return free_ports(1)[0]


def free_ports(count: int) -> list[int]:
    found: list[int] = []
    while len(found) < count:
        port = _chance.choice(_BELOW_THOSE_THE_SYSTEM_GIVES)
        if port not in found and _is_ours(port) and _is_free(port):
            found.append(port)
    return found


def _is_ours(port: int) -> bool:
    if sys.platform != "linux":  # only Linux has socket names without a file
        return True
    name = socket.socket(socket.AF_UNIX)
    try:
        name.bind(f"\0policylayer-tests-port-{port}")
    except OSError:
        name.close()
        return False
    _held.append(name)
    return True


def _is_free(port: int) -> bool:
    with closing(socket.socket()) as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True
