"""The verbs of servers: register, change, scan, retire."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import timedelta
from urllib.parse import urlsplit
from uuid import UUID

from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils import timezone

from accounts.audit import record_event
from accounts.limits import Limit, leave_room, most
from accounts.models import Membership
from accounts.permissions import May, require, require_still
from accounts.services.organizations import locked
from common.alone import BEGINNING, wait_for_ones_turn
from common.errors import Conflict, InvalidInput, Stale, TooSoon
from common.events import config_changed
from common.held import held
from common.sealing import Keyring
from servers.models import Server, ServerCredential, ToolScan

FORBIDDEN_HEADERS = frozenset(
    [
        "accept",
        "accept-encoding",
        "connection",
        "content-length",
        "content-type",
        "cookie2",
        "expect",
        "forwarded",
        "host",
        "keep-alive",
        "last-event-id",
        "mcp-method",
        "mcp-name",
        "mcp-protocol-version",
        "mcp-session-id",
        "origin",
        "policylayer-hop",
        "proxy-authenticate",
        "proxy-authorization",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    ]
)
PURPOSE = "upstream-headers"
MOST_SCANS_AT_ONCE = 8
_TELLS_NOTHING = ("stopped", "changed")  # codes of scans that did not reach their end
_AN_HOUR = timedelta(hours=1)
# Most scans take less.
_A_SCAN_TAKES = timedelta(seconds=10)


def gateway_url(server: Server) -> str:
    return f"{settings.GATEWAY_PUBLIC_URL}/mcp/{server.pk}/"


@transaction.atomic
def register_server(
    by: Membership, name: str, upstream_url: str, headers: Mapping[str, str] | None = None
) -> Server:
    """Stores the server; nothing connects to it before a scan. Raises InvalidInput with every problem."""
    require(by, May.MANAGE_SERVERS)
    name, upstream_url = name.strip(), upstream_url.strip()
    problems = _problems_of(name, upstream_url, headers or {})
    if problems:
        raise InvalidInput(problems)
    leave_room(by, Limit.SERVERS, May.MANAGE_SERVERS)
    try:
        with transaction.atomic():
            server = Server.objects.create(
                organization_id=by.organization_id,
                name=name,
                upstream_url=upstream_url,
                auth_kind=Server.Auth.HEADERS if headers else Server.Auth.NONE,
                created_by=by,
            )
    except IntegrityError:
        raise InvalidInput(
            {"name": f"There is already a server named {name}. Choose another name."}
        ) from None
    if headers:
        _seal(server, headers)
    record_event(
        by, "server.registered", server.public_id, name, upstream_host=urlsplit(upstream_url).hostname
    )
    announce(server.organization_id)
    return server


@transaction.atomic
def change_server(
    by: Membership,
    server: Server,
    *,
    name: str | None = None,
    upstream_url: str | None = None,
    headers: Mapping[str, str] | None = None,
    if_version: int | None = None,
) -> Server:
    """Changes what is not None. Raises Stale if someone has changed the server since `if_version`.

    Empty `headers` delete the credential. So does a URL with another origin, unless the headers are given
    again: a credential is only for the host it was given for.
    """
    require(by, May.MANAGE_SERVERS)
    server = _locked(by, server, if_version)
    if server.retired_at is not None:
        raise Conflict("This server is retired. Register it again to use it.")
    new_name = server.name if name is None else name.strip()
    new_url = server.upstream_url if upstream_url is None else upstream_url.strip()
    problems = _problems_of(new_name, new_url, headers or {})
    if problems:
        raise InvalidInput(problems)
    moved = _origin(new_url) != _origin(server.upstream_url)
    lost = moved and server.auth_kind != Server.Auth.NONE
    changed = _changes(server, new_name, new_url, credential=headers is not None or lost)
    server.name, server.upstream_url = new_name, new_url
    if headers is not None or moved:
        _seal(server, headers or {})
    server.version += 1
    try:
        with transaction.atomic():
            server.save()
    except IntegrityError:
        raise InvalidInput(
            {"name": f"There is already a server named {new_name}. Choose another name."}
        ) from None
    record_event(by, "server.changed", server.public_id, server.name, **changed)
    announce(server.organization_id)
    return server


@transaction.atomic
def retire_server(by: Membership, server: Server, *, if_version: int | None = None) -> None:
    """Retires the server. Its grants stop working at once; its records stay in the log."""
    require(by, May.MANAGE_SERVERS)
    # A call to it that begins to wait does so before, and is then made void, or after, and is then refused.
    wait_for_ones_turn(BEGINNING, str(by.organization_id))
    server = _locked(by, server, if_version)
    if server.retired_at is None:
        server.retired_at = timezone.now()
        server.status = Server.Status.RETIRED
        server.version += 1
        server.save(update_fields=["retired_at", "status", "version"])
        ServerCredential.objects.filter(server=server).delete()
        record_event(by, "server.retired", server.public_id, server.name)
        announce(server.organization_id)


def _changes(server: Server, name: str, url: str, *, credential: bool) -> dict[str, object]:
    """Say what a change does, for the audit log: of URLs the host alone, since the rest may be a secret."""
    wanted = {"name": name != server.name, "upstream_url": url != server.upstream_url, "auth": credential}
    hosts = {"upstream_host": urlsplit(url).hostname} if wanted["upstream_url"] else {}
    was = {"name": server.name} if wanted["name"] else {}
    if hosts:
        was["upstream_host"] = urlsplit(server.upstream_url).hostname or ""
    return {"changed": [field for field, does in wanted.items() if does], "before": was, **hosts}


def _locked(by: Membership, server: Server, if_version: int | None = None) -> Server:
    # Without its key: calls that refer to it begin to wait for a person meanwhile. None is deleted alone.
    server = held(Server.objects.select_for_update(no_key=True).filter(pk=server.pk))
    require_still(by, May.MANAGE_SERVERS)
    if if_version is not None and server.version != if_version:
        raise Stale("Someone changed this server since you read it. Read it again.")
    return server


def upstream_headers(server: Server) -> dict[str, str]:
    """Returns the credential in the clear, for connecting only."""
    credential: ServerCredential | None = getattr(server, "credential", None)
    if credential is None:
        return {}
    plain = Keyring.parse(settings.SEALING_KEYS).open(credential.sealed, **credential_bound(credential))
    return dict(json.loads(plain))


def announce(organization_id: UUID) -> None:
    config_changed.send(sender=Server, organization_id=organization_id)


@transaction.atomic
def start_scan(by: Membership, server: Server) -> ToolScan:
    """Creates a waiting scan, to be given to `servers.tasks.enqueue_scan`."""
    require(by, May.MANAGE_SERVERS)
    if server.retired_at is not None:
        raise Conflict("This server is retired. Register it again to use it.")
    _leave_room_for_others(by)
    scan = ToolScan.objects.create(organization_id=server.organization_id, server=server)
    record_event(by, "server.scanned", server.public_id, server.name)
    return scan


@transaction.atomic
def stop_scan(by: Membership, server: Server) -> None:
    """Stops the server's scans: they end soon after and nothing of them is kept. Finished ones stay."""
    require(by, May.MANAGE_SERVERS)
    # The server is locked before its scans, in the same order as when a scan ends.
    server = _locked(by, server)
    going = server.scans.filter(state__in=[ToolScan.State.WAITING, ToolScan.State.RUNNING])
    stopped = going.update(
        state=ToolScan.State.FAILED,
        code="stopped",
        message="It was stopped before it finished.",
        hint="Connect again when you are ready; what you typed is kept.",
        finished_at=timezone.now(),
    )
    if stopped:
        settle(server)
        record_event(by, "server.scan_stopped", server.public_id, server.name)


def settle(server: Server) -> None:
    """End the status SCANNING or NEW: READY if the last scan that reached an end succeeded, else FAILING."""
    ended = server.scans.filter(state__in=[ToolScan.State.DONE, ToolScan.State.FAILED])
    telling = ended.exclude(code__in=_TELLS_NOTHING).order_by("-finished_at").first()
    answered = telling is not None and telling.state == ToolScan.State.DONE
    status = Server.Status.READY if answered else Server.Status.FAILING
    known = (Server.Status.READY, Server.Status.FAILING)
    Server.objects.filter(pk=server.pk, retired_at=None).exclude(status__in=known).update(status=status)


def _leave_room_for_others(by: Membership) -> None:
    """Everyone shares the workers that scan. The lock lets one of two requests have the last place."""
    locked(by, May.MANAGE_SERVERS)
    now = timezone.now()
    recent = ToolScan.objects.visible_to(by).filter(routine=False, started_at__gt=now - _AN_HOUR)
    going = recent.filter(state__in=[ToolScan.State.WAITING, ToolScan.State.RUNNING]).count()
    if going >= MOST_SCANS_AT_ONCE:
        said = f"{going} scans are running. Wait until one of them has finished."
        raise TooSoon(said, _A_SCAN_TAKES)
    there_may_be = most(by.organization_id, Limit.SCANS_PER_HOUR)
    if (count := recent.count()) >= there_may_be:
        # There is room for one once enough scans are over an hour old; this is the last of those.
        oldest = recent.order_by("started_at").values_list("started_at", flat=True)[count - there_may_be]
        said = f"There were {there_may_be} scans within an hour, the most allowed."
        raise TooSoon(said, oldest + _AN_HOUR - now)


def _seal(server: Server, headers: Mapping[str, str]) -> None:
    server.auth_kind = Server.Auth.HEADERS if headers else Server.Auth.NONE
    server.save(update_fields=["auth_kind"])
    if not headers:
        ServerCredential.objects.filter(server=server).delete()
        return
    credential = ServerCredential(organization_id=server.organization_id, server=server)
    sealed = Keyring.parse(settings.SEALING_KEYS).seal(
        json.dumps(dict(headers)).encode(), **credential_bound(credential)
    )
    ServerCredential.objects.update_or_create(
        server=server,
        defaults={
            "organization_id": server.organization_id,
            "header_names": list(headers),
            "sealed": sealed,
            "changed_at": timezone.now(),
        },
    )


def credential_bound(credential: ServerCredential) -> dict[str, str]:
    """Returns what the sealed text is bound to: it cannot be opened for anything else."""
    return {
        "organization": str(credential.organization_id),
        "subject": str(credential.server_id),
        "purpose": PURPOSE,
    }


def _problems_of(name: str, upstream_url: str, headers: Mapping[str, str]) -> dict[str, str]:
    problems: dict[str, str] = {}
    if not name:
        problems["name"] = "Give the server a name your team will recognise."
    elif len(name) > 80 or not name.isprintable():
        problems["name"] = "Use at most 80 ordinary characters."
    if wrong := problem_of_url(upstream_url):
        problems["upstream_url"] = wrong
    if wrong := next(filter(None, (_problem_of_header(*pair) for pair in headers.items())), None):
        problems["headers"] = wrong
    elif len(headers) > 16:
        problems["headers"] = "Use at most 16 headers."
    return problems


def problem_of_url(url: str) -> str | None:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return "This is not a URL. It looks like https://mcp.example.com/mcp."
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        return "Write the whole URL of the MCP endpoint, starting with https://."
    if parts.username is not None or parts.password is not None:
        return "Leave the user name and password out of the URL; choose Headers and add them there."
    if parts.fragment or not url.isascii() or not url.isprintable() or " " in url or "\\" in url or port == 0:
        return "This URL holds characters that do not belong there."
    if _is_of_the_gateway(url):
        return "This is an address of the gateway itself. Give the server's own."
    return "Use at most 2,000 characters." if len(url) > 2000 else None


def _problem_of_header(name: str, value: str) -> str | None:
    token = name.replace("-", "").replace("_", "")
    if not (token.isascii() and token.isalnum()) or len(name) > 128:
        return f"{name[:40]!r} is not a header name."
    if name.lower() in FORBIDDEN_HEADERS:
        return f"{name} is set by the gateway and cannot be given here."
    if not value or len(value) > 8192 or not value.isascii() or not value.isprintable():
        return f"The value of {name} must be 1 to 8,192 printable ASCII characters."
    return None


def _is_of_the_gateway(url: str) -> bool:
    """True for the gateway's own URL. Under another name, the gateway knows a loop by the mark it leaves."""
    gateway = settings.GATEWAY_PUBLIC_URL
    here = urlsplit(url).path.startswith(f"{urlsplit(gateway).path.rstrip('/')}/mcp/")
    return here and _place(url) == _place(gateway)


def _place(url: str) -> tuple[str | None, int]:
    parts = urlsplit(url)
    return parts.hostname, parts.port or (443 if parts.scheme == "https" else 80)


def _origin(url: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port
