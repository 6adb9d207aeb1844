"""Admits or refuses requests by their head alone. Refusals tell a stranger nothing about anyone."""

import re
from collections.abc import Callable, Mapping
from typing import Final, Protocol, TypeAlias

from msgspec.structs import replace

from gateway.admitted import Admitted
from gateway.credentials import bearer_digest
from gateway.hops import HEADER as HOP
from gateway.hops import Hops
from gateway.http_messages import HeadMemo, Reply, Request, refusal
from gateway.time_of_day import TimeOfDay
from gateway_config.wire.grants import LoadedGrant
from gateway_config.wire.loader import LoadedOrganization

Route: TypeAlias = Callable[[], tuple[int, bytes, str]]

_PATH: Final = re.compile(
    rb"/mcp/(?P<server>[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})/?(?:\?.*)?"
)
_JSON_TYPE: Final = re.compile(rb'application/json(?:\s*;\s*charset\s*=\s*"?utf-8"?)?\s*', re.IGNORECASE)
# The headers that clients of any MCP revision send; `*` would not cover Authorization.
_BROWSER_MAY_SEND: Final = re.compile(
    rb"accept|authorization|content-type|last-event-id|mcp-[a-z0-9-]{1,64}|traceparent|tracestate"
)
_METHODS: Final = frozenset({b"POST", b"GET", b"DELETE"})
_ALLOW: Final = b"Allow: POST, GET, DELETE\r\n"
_NOT_FOUND: Final = refusal("There is nothing here.", status=404)
_NOT_READY: Final = refusal(
    "The gateway has no configuration yet.", status=503, headers=b"Retry-After: 1\r\n"
)
_UNAUTHORIZED: Final = refusal(
    "This needs the token of a grant: Authorization: Bearer plg_...",
    status=401,
    headers=b'WWW-Authenticate: Bearer realm="policylayer", error="invalid_token"\r\n',
)


class ConfigSource(Protocol):
    """The configuration in force. Each lookup sees one whole configuration, never a mix of two."""

    @property
    def ready(self) -> bool: ...

    @property
    def version(self) -> int:
        """Changes as soon as grant() may return something different."""

    def grant(self, token: bytes) -> tuple[LoadedOrganization, LoadedGrant] | None: ...


class Admission:
    """Decides which requests are admitted.

    `hosts` and `origins` are written as in the headers. A host without a port matches any port; `*` matches
    any host.
    """

    def __init__(
        self,
        config: ConfigSource,
        *,
        hosts: frozenset[str],
        origins: frozenset[str],
        routes: Mapping[str, Route],
        hops: Hops,
        time_of_day: TimeOfDay,
    ) -> None:
        self._config = config
        self._hops = hops
        self._time = time_of_day
        self._hosts = frozenset(host.lower().encode("latin-1") for host in hosts)
        self._origins = frozenset(origin.lower().encode("latin-1") for origin in origins)
        self._routes = {path.encode(): route for path, route in routes.items()}

    def check(self, request: Request) -> Reply | None:
        """Return a refusal, or leave in `admitted` what the request was admitted to."""
        headers = request.headers
        said = (
            request.method,
            request.target,
            request.has_body,
            headers.get(b"authorization"),
            headers.get(b"host"),
            headers.get(b"origin"),
            headers.get(b"content-type"),
            headers.get(b"content-encoding"),
            headers.get(HOP),
        )
        memo = request.memo
        if said == memo.said:
            refused = self._admit_again(request, memo)
        else:
            memo.said = ()
            refused = self._understand(request, memo)
            memo.said = () if refused else said
        return refused and self._readable(refused, request)

    def _understand(self, request: Request, memo: HeadMemo) -> Reply | None:
        """Check a new head. What depends on it alone is not checked again while the same head recurs."""
        route = self._routes.get(request.target.partition(b"?")[0])
        if route is not None:
            return _routed(route, request)
        origin = request.headers.get(b"origin")
        refused = self._check_place(request, origin)
        if refused is not None:
            return refused
        path = _PATH.fullmatch(request.target)
        if path is None:
            return _NOT_FOUND
        if request.method == b"OPTIONS":
            return _preflight(request)
        token = bearer_digest(request.headers.get(b"authorization"))
        if token is None:
            return self._of_nobody()
        memo.token, memo.server, memo.cors = token, path["server"].decode(), _cors(origin)
        # The token is checked before the rest: a caller without a valid one is told only 401, nothing more.
        return self._admit(request, memo) or self._came_through(request) or _check_shape(request)

    def _came_through(self, request: Request) -> Reply | None:
        given = request.headers.get(HOP)
        return None if given is None else self._hops.refuse(given)

    def _admit_again(self, request: Request, memo: HeadMemo) -> Reply | None:
        known = memo.admitted
        if isinstance(known, Admitted) and self.renewed(known) is known:
            request.admitted = known
            return None
        return self._admit(request, memo)

    def _admit(self, request: Request, memo: HeadMemo) -> Reply | None:
        version, found = self._config.version, self._config.grant(memo.token)
        if found is None or self._expired(found[1]):
            return self._of_nobody()
        organization, grant = found
        if grant.server != memo.server:
            # The same answer whether or not that server exists: nobody may learn whose it is.
            return _NOT_FOUND
        server = organization.servers[memo.server]
        request.admitted = memo.admitted = Admitted(
            memo.token, organization, grant, server, memo.cors, version
        )
        return None

    def _of_nobody(self) -> Reply:
        # Until all configuration has arrived, no token may be called invalid: it may only be unknown so far.
        return _UNAUTHORIZED if self._config.ready else _NOT_READY

    def renew(self, request: Request) -> Reply | None:
        """Check again a request admitted earlier: return a refusal, or bring its `admitted` up to date."""
        known = request.admitted
        assert type(known) is Admitted
        if known.version == self._config.version and known.grant.expires_at is None:
            return None
        renewed = self.renewed(known)
        if renewed is known:
            return None
        if renewed is None:
            found = self._config.grant(known.token)
            refused = _UNAUTHORIZED if found is None or self._expired(found[1]) else _NOT_FOUND
            return self._readable(refused, request)
        request.admitted = renewed
        return None

    def renewed(self, known: Admitted) -> Admitted | None:
        """Return what would be admitted now: `known` itself if unchanged, None if no longer admitted."""
        version = self._config.version
        if known.version == version and (known.grant.expires_at is None or not self._expired(known.grant)):
            return known
        found = self._config.grant(known.token)
        if found is None or found[1].server != known.server.id or self._expired(found[1]):
            return None
        organization, grant = found
        if organization is known.organization:
            known.version = version
            return known
        server = organization.servers[grant.server]
        return Admitted(known.token, organization, grant, server, known.cors, version)

    def _expired(self, grant: LoadedGrant) -> bool:
        return grant.expires_at is not None and self._time.now() >= grant.expires_at

    def _check_place(self, request: Request, origin: bytes | None) -> Reply | None:
        host = request.headers.get(b"host")
        if host is None:
            return refusal("The request has no Host.", close=True)
        if not self._is_ours(host.lower()):
            return refusal("This host is not served here.", status=403)
        if origin is not None and origin.lower() not in self._origins:
            return refusal("This origin is not allowed.", status=403)
        return None

    def _readable(self, reply: Reply, request: Request) -> Reply:
        """Add CORS headers for an allowed origin: without them its browser would hide why it was refused."""
        origin = request.headers.get(b"origin")
        if origin is None or origin.lower() not in self._origins:
            return reply
        return replace(reply, headers=reply.headers + _cors(origin))

    def _is_ours(self, host: bytes) -> bool:
        hosts = self._hosts
        return host in hosts or re.sub(rb":[0-9]+\Z", b"", host) in hosts or b"*" in hosts


def _routed(route: Route, request: Request) -> Reply:
    if request.method not in (b"GET", b"HEAD"):
        return refusal("Only GET is served here.", status=405, headers=b"Allow: GET\r\n")
    status, body, content_type = route()
    return Reply(status, f"Content-Type: {content_type}\r\nCache-Control: no-store\r\n".encode(), body)


def _check_shape(request: Request) -> Reply | None:
    headers = request.headers
    if request.method not in _METHODS:
        return refusal("This method is not served here.", status=405, headers=_ALLOW)
    if request.method != b"POST":
        return refusal("This request takes no body.") if request.has_body else None
    if b"content-encoding" in headers:
        return refusal("A body must not be encoded.")
    if not _JSON_TYPE.fullmatch(headers.get(b"content-type", b"")):
        return refusal("The Content-Type must be application/json.")
    return None


def _cors(origin: bytes | None) -> bytes:
    """Call only with an origin that has already been allowed."""
    if origin is None:
        return b""
    return (
        b"Access-Control-Allow-Origin: %b\r\nVary: Origin\r\n"
        b"Access-Control-Expose-Headers: Mcp-Session-Id, WWW-Authenticate, Retry-After\r\n" % origin
    )


def _preflight(request: Request) -> Reply:
    if b"origin" not in request.headers:
        return refusal("This method is not served here.", status=405, headers=_ALLOW)
    wanted = request.headers.get(b"access-control-request-headers", b"").lower().split(b",")
    sent = b", ".join(name for name in map(bytes.strip, wanted) if _BROWSER_MAY_SEND.fullmatch(name))
    lines = b"Access-Control-Allow-Methods: POST, GET, DELETE\r\nAccess-Control-Max-Age: 600\r\n"
    if sent:
        lines += b"Access-Control-Allow-Headers: %b\r\n" % sent
    return Reply(204, lines)
