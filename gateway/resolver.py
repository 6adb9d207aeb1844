"""Resolves names on threads of their own: the system's resolver blocks, and the event loop must not."""

import asyncio
import socket
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from ipaddress import ip_address
from typing import Final, TypeAlias
from weakref import WeakValueDictionary

Resolve: TypeAlias = Callable[[str, int], Awaitable[Sequence[str]]]

# Threads are started as needed, and do nothing but wait.
_THREADS: Final = 256
_AT_ONCE: Final = 8


class InShares:
    """Bounds how many lookups an organization has at a time: names for which no name server answers must not
    take the threads that the names of others need."""

    def __init__(self, resolve: Resolve) -> None:
        self._resolve = resolve
        self._shares: WeakValueDictionary[str, asyncio.Semaphore] = WeakValueDictionary()

    def of(self, organization: str) -> Resolve:
        share = self._shares.setdefault(organization, asyncio.Semaphore(_AT_ONCE))

        async def look_up(host: str, port: int) -> Sequence[str]:
            async with share:
                return await self._resolve(host, port)

        return look_up


class SystemResolver:
    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="resolve")

    async def __call__(self, host: str, port: int) -> Sequence[str]:
        """Return every address of the name, in the system's order. Raises OSError if it has none."""
        try:
            return (str(ip_address(host)),)
        except ValueError:
            pass
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, _look_up, host, port)

    def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)


def _look_up(host: str, port: int) -> Sequence[str]:
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP)
    return tuple(dict.fromkeys(str(address[0]) for *_, address in found))
