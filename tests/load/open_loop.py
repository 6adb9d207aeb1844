"""An open loop: calls begin when they are due, whatever happened to earlier ones.

One thread sends, another receives. No call waits for another: if no connection is free, a new one is opened,
and that counts as the call's time. How late the sending thread itself wakes up does not: it is reported
separately. So a target that stalls delays no later call, and no call is left out.
"""

from __future__ import annotations

import select
import socket
import threading
import time
from collections import deque
from dataclasses import dataclass, field
from typing import Final

from tests.load.gateway import Target

_WAITED_FOR: Final = 10.0


@dataclass
class Slice:
    """Seconds for each call; `overslept`: how late the sender woke for it; `lost`: calls never answered."""

    latencies: list[float] = field(default_factory=list)
    overslept: list[float] = field(default_factory=list)
    lost: int = 0


class _Line:
    """A connection, with at most one call under way."""

    def __init__(self, target: Target) -> None:
        self.socket = socket.create_connection(("127.0.0.1", target.port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.began = 0.0
        self._got = b""

    def answered(self) -> bool:
        """Read what has arrived. Return whether the answer is complete; raise ValueError if it is bad."""
        got = self.socket.recv(65_536)
        if not got:
            raise ConnectionError("the connection was closed")
        self._got += got
        head, separator, body = self._got.partition(b"\r\n\r\n")
        length = head.lower().partition(b"content-length: ")[2].partition(b"\r")[0]
        if not separator or len(body) < int(length):
            return False
        if not head.startswith(b"HTTP/1.1 200") or b'"result"' not in body or b'"isError"' in body:
            raise ValueError(self._got.decode())
        self._got = b""
        return True


class OpenLoop:
    """Calls one target. Its connections are kept between slices."""

    def __init__(self, target: Target, connections: int = 16) -> None:
        self._target = target
        self._request = target.request()
        self._poll = select.epoll()
        self._lines: dict[int, _Line] = {}
        self._free: deque[_Line] = deque()
        for _ in range(connections):
            self._free.append(self._open())

    def close(self) -> None:
        for line in self._lines.values():
            line.socket.close()
        self._poll.close()

    def run(self, rate: int, seconds: float) -> Slice:
        told, calls = Slice(), int(rate * seconds)
        receiving = threading.Thread(target=self._receive, args=(told, calls, seconds))
        receiving.start()
        self._send(told, rate, calls)
        receiving.join()
        told.lost = calls - len(told.latencies)
        self._give_up_unanswered()
        return told

    def _open(self) -> _Line:
        line = _Line(self._target)
        self._lines[line.socket.fileno()] = line
        self._poll.register(line.socket.fileno(), select.EPOLLIN)
        return line

    def _give_up_unanswered(self) -> None:
        # If such an answer still came, it would count in the next slice.
        free = set(map(id, self._free))
        for number, line in list(self._lines.items()):
            if id(line) not in free:
                del self._lines[number]
                line.socket.close()  # which takes it out of the poll as well

    def _send(self, told: Slice, rate: int, calls: int) -> None:
        began = time.perf_counter() + 0.01
        for number in range(calls):
            due = began + number / rate
            if (wait := due - time.perf_counter()) > 0:
                time.sleep(wait)
            woke = time.perf_counter()
            told.overslept.append(max(0.0, woke - due))
            line = self._free.popleft() if self._free else self._open()
            # Opening a connection counts as the call's time; only oversleeping does not.
            line.began = woke
            line.socket.sendall(self._request)

    def _receive(self, told: Slice, calls: int, seconds: float) -> None:
        until = time.perf_counter() + seconds + _WAITED_FOR
        while len(told.latencies) < calls and time.perf_counter() < until:
            for number, _ in self._poll.poll(0.5):
                line = self._lines[number]
                if line.answered():
                    told.latencies.append(time.perf_counter() - line.began)
                    self._free.append(line)
