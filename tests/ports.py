"""Ports for processes that are told theirs and listen on it later, perhaps a second time.

The system gives its own free ports to whoever asks next, and to every connection that goes out: one that was
free a moment ago is soon somebody else's. These lie below those, and each is held for as long as this test
process lives by a name that no other test process can take.
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
    if sys.platform != "linux":  # names without a file are known there alone
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
