"""Connections to servers, to checked addresses only: one pool per server, whose limits no other feels.

The name is resolved for every new connection, which goes to the very address that was checked, with the name
as SNI and Host. Redirects are not followed. A request of which even one byte was written is never written
again.
"""

import asyncio
import socket
import ssl
from collections import deque
from collections.abc import Sequence

from common.egress import AddressRefused, EgressPolicy
from common.sealing import Keyring
from gateway.credentials import CredentialsUnusable, upstream_secrets
from gateway.limits import Limits
from gateway.outbox import Outbox
from gateway.resolver import InShares, Resolve
from gateway.upstream_answer import REFUSED_CREDENTIALS, TLS, UNREACHABLE, UpstreamError
from gateway.upstream_connection import UpstreamConnection, read_buffer
from gateway.upstream_target import Target, TargetUnusable
from gateway_config.wire.loader import LoadedServer

_MOST_ADDRESSES = 4
_FORGOTTEN_AFTER = 300.0


def _unreachable(reason: str) -> UpstreamError:
    return UpstreamError(UNREACHABLE, reason, sent=False)


class Pool:
    """The connections to one server."""

    def __init__(
        self, target: Target, egress: EgressPolicy, resolve: Resolve, limits: Limits, buffer: memoryview
    ) -> None:
        self.target = target
        self._egress = egress
        self._resolve = resolve
        self._limits = limits
        self._loop = asyncio.get_running_loop()
        self._all: set[UpstreamConnection] = set()
        self._idle: list[UpstreamConnection] = []
        self._opening = 0
        self._waiting: deque[asyncio.Future[UpstreamConnection | None]] = deque()
        self._lookup: asyncio.Task[Sequence[str]] | None = None
        self._retired = False
        self._outbox = Outbox(self._loop)
        self._buffer = buffer
        self.last_used = self._loop.time()

    async def take(self) -> UpstreamConnection:
        """Return a connection for one request. Raises UpstreamError, and then nothing was sent."""
        return self.take_kept() or await self._acquire()

    def take_kept(self) -> UpstreamConnection | None:
        """Return a connection that is already open and free, if there is one."""
        now = self.last_used = self._loop.time()
        while self._idle:
            connection = self._idle.pop()
            if connection.fresh(now):
                return connection
            connection.close()
        return None

    def put_back(self, connection: UpstreamConnection) -> None:
        """Give back a connection that was not used."""
        self._free(connection)

    def tick(self, now: float) -> None:
        for connection in tuple(self._all):
            connection.check_deadline(now)
        for connection in tuple(self._idle):
            if not connection.fresh(now):
                self._drop(connection)

    @property
    def unused(self) -> bool:
        return not (self._all or self._opening or self._waiting)

    def retire(self) -> None:
        """Let what is under way finish; keep no connection for later."""
        self._retired = True
        for connection in tuple(self._idle):
            self._drop(connection)

    def close(self) -> None:
        for connection in tuple(self._all):
            connection.close()

    # Taking and giving back

    async def _acquire(self) -> UpstreamConnection:
        while len(self._all) + self._opening >= self._limits.connections_per_server:
            handed = await self._wait()
            if handed is None:
                continue
            if handed.fresh(self._loop.time()):
                return handed
            handed.close()
        return await self._open()

    async def _wait(self) -> UpstreamConnection | None:
        if len(self._waiting) >= self._limits.waiting_per_server:
            raise _unreachable("Too many calls to this server are already waiting.")
        turn: asyncio.Future[UpstreamConnection | None] = self._loop.create_future()
        self._waiting.append(turn)
        try:
            async with asyncio.timeout(self._limits.waiting_seconds):
                return await turn
        except TimeoutError:
            if turn.done() and not turn.cancelled():
                # It came at the very moment the wait ended: the next in line gets it.
                self._pass_turn(turn.result())
            raise _unreachable("The server is busy with other calls.") from None
        finally:
            if turn.cancelled() and turn in self._waiting:
                self._waiting.remove(turn)

    def _pass_turn(self, connection: UpstreamConnection | None) -> None:
        if connection is not None and not connection.closed:
            self._free(connection)
        else:
            self._hand_on(None)

    def _free(self, connection: UpstreamConnection) -> None:
        if self._retired:
            connection.close()
        elif not (self._waiting and self._hand_on(connection)):
            self._idle.append(connection)

    def _closed(self, connection: UpstreamConnection) -> None:
        self._all.discard(connection)
        if connection in self._idle:
            self._idle.remove(connection)
        self._hand_on(None)

    def _hand_on(self, connection: UpstreamConnection | None) -> bool:
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(connection)
                return True
        return False

    def _drop(self, connection: UpstreamConnection) -> None:
        self._idle.remove(connection)
        connection.close()

    # Opening

    async def _open(self) -> UpstreamConnection:
        self._opening += 1
        opened: UpstreamConnection | None = None
        try:
            async with asyncio.timeout(self._limits.connect_seconds):
                opened = await self._connect(await self._checked_addresses())
                return opened
        except TimeoutError:
            raise _unreachable("The gateway could not connect to the server in time.") from None
        finally:
            self._opening -= 1
            if opened is None:
                self._hand_on(None)  # there is room for another one

    async def _checked_addresses(self) -> Sequence[str]:
        target = self.target
        addresses = await self._addresses()
        try:
            # One bad address spoils the name: a name that points inside and outside is up to no good.
            for address in addresses:
                self._egress.check(address, target.port)
        except AddressRefused:
            raise _unreachable("The server's address is not one this gateway connects to.") from None
        return addresses

    async def _addresses(self) -> Sequence[str]:
        # One lookup of a name at a time: a name server that hangs must not use up everyone's threads.
        if self._lookup is None or self._lookup.done():
            self._lookup = self._loop.create_task(self._look_up())
        try:
            async with asyncio.timeout(self._limits.resolve_seconds):
                return await asyncio.shield(self._lookup)
        except (OSError, UnicodeError):
            raise _unreachable("The server's name does not resolve.") from None

    async def _look_up(self) -> Sequence[str]:
        addresses = await self._resolve(self.target.host, self.target.port)
        if not addresses:
            raise OSError("no address")
        return addresses

    async def _connect(self, addresses: Sequence[str]) -> UpstreamConnection:
        for address in addresses[:_MOST_ADDRESSES]:
            try:
                return await self._connect_to(address)
            except OSError:
                continue
        raise _unreachable("The gateway could not connect to the server.")

    async def _connect_to(self, address: str) -> UpstreamConnection:
        port, loop = self.target.port, self._loop
        if self.target.tls is None:
            _, connection = await loop.create_connection(self._connection, address, port)
        else:
            family = socket.AF_INET6 if ":" in address else socket.AF_INET
            link = socket.socket(family, socket.SOCK_STREAM)
            try:
                link.setblocking(False)
                await loop.sock_connect(link, (address, port))
                connection = await self._secured(link, self.target.tls)
            except BaseException:
                link.close()
                raise
        if connection.closed:
            # It was lost before we heard that it was made: once added, it would never be removed.
            raise ConnectionResetError
        self._all.add(connection)
        return connection

    def _connection(self) -> UpstreamConnection:
        return UpstreamConnection(
            self._limits,
            self._loop.time,
            self._outbox,
            self._buffer,
            on_free=self._free,
            on_closed=self._closed,
        )

    async def _secured(self, link: socket.socket, tls: ssl.SSLContext) -> UpstreamConnection:
        """No byte of a request is sent before the server has proved who it is. Raises UpstreamError."""
        try:
            _, connection = await self._loop.create_connection(
                self._connection,
                sock=link,
                ssl=tls,
                server_hostname=self.target.host,
                ssl_handshake_timeout=self._limits.handshake_seconds,
            )
        except (OSError, ValueError) as problem:
            raise UpstreamError(TLS, _why_not_secure(problem), sent=False) from None
        return connection


class Upstreams:
    """Finds the pool of a server, and replaces it when the server's address or credentials have changed.

    `mark`: the header line that all servers are sent.
    """

    def __init__(
        self,
        keyring: Keyring,
        egress: EgressPolicy,
        tls: ssl.SSLContext,
        resolve: Resolve,
        limits: Limits,
        mark: bytes,
    ) -> None:
        self._mark = mark
        self._keyring = keyring
        self._egress = egress
        self._lookups = InShares(resolve)
        self._limits = limits
        self._buffer = read_buffer()
        self._tls = tls
        self._tls.set_alpn_protocols(["http/1.1"])
        self._pools: dict[tuple[str, str], tuple[LoadedServer, Pool]] = {}
        self._retired: set[Pool] = set()

    def pool(self, organization: str, server: LoadedServer) -> Pool:
        """Raises UpstreamError if the server cannot be called as it is registered."""
        place = (organization, server.id)
        known = self._pools.get(place)
        if known is not None:
            if known[0] is server:
                return known[1]
            if same_place(known[0], server):
                self._pools[place] = (server, known[1])
                return known[1]
            self._retire(known[1])
            del self._pools[place]
        resolve = self._lookups.of(organization)
        pool = Pool(self._target(organization, server), self._egress, resolve, self._limits, self._buffer)
        self._pools[place] = (server, pool)
        return pool

    def _retire(self, pool: Pool) -> None:
        pool.retire()
        self._retired.add(pool)  # what is under way there keeps its deadlines

    def tick(self, now: float) -> None:
        for place, (_, pool) in tuple(self._pools.items()):
            pool.tick(now)
            if pool.unused and now - pool.last_used > _FORGOTTEN_AFTER:
                del self._pools[place]
        for pool in tuple(self._retired):
            pool.tick(now)
            if pool.unused:
                self._retired.discard(pool)

    def close(self) -> None:
        for pool in (*self._retired, *(pool for _, pool in self._pools.values())):
            pool.close()

    def _target(self, organization: str, server: LoadedServer) -> Target:
        try:
            headers, onwards = upstream_secrets(self._keyring, organization, server.id, server.credentials)
            if onwards[:1] not in ("", "?") and not server.upstream_url.endswith("/"):
                raise CredentialsUnusable  # it would extend the name of the host
            return Target.of(server.upstream_url, onwards, headers, self._tls, self._mark)
        except CredentialsUnusable:
            reason = "The credentials kept for this server cannot be used."
            raise UpstreamError(REFUSED_CREDENTIALS, reason, sent=False) from None
        except TargetUnusable:
            raise _unreachable("The server's URL cannot be used.") from None


def _why_not_secure(problem: Exception) -> str:
    if not isinstance(problem, ssl.SSLCertVerificationError):
        return "The TLS handshake with the server failed."
    match problem.verify_code:
        case 9 | 10:
            return "The server's TLS certificate is not valid now."
        case 62 | 64:
            return "The server's TLS certificate is not for its name."
        case _:
            return "The server's TLS certificate is not signed by an authority that this gateway trusts."


def same_place(one: LoadedServer, other: LoadedServer) -> bool:
    return (one.upstream_url, one.credentials) == (other.upstream_url, other.credentials)
