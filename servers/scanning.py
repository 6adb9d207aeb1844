"""Visits a server and keeps what that changes: its tools, their classes, what the gateways must learn."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from queue import Empty, SimpleQueue
from threading import Event
from typing import Any
from uuid import UUID

from django.db import connection, transaction
from django.utils import timezone

from common.alone import SCANNING, a_place_outside
from common.events import happened
from common.sealing import SealingError
from servers.classing import write_class
from servers.drift import Drift, drift_between
from servers.egress import egress, trusted
from servers.models import Server, Tool, ToolScan
from servers.probe import ScanFailed, ScanResult, Step, ToolDefinition
from servers.probe import scan as probe
from servers.services import announce, settle, upstream_headers

logger = logging.getLogger(__name__)

_LOOK_SECONDS = 0.05
_ASK_SECONDS = 0.4
_LOOKS_A_QUESTION = 8
MOST_TOLD = 50
# For a minute, a scan of a server that hangs holds one of the threads that everyone's tasks share.
MOST_RUNNING = 2
_CHANGED = ("changed", "The server was given another address meanwhile.", "Connect again.")


def run_scan(scan_id: UUID) -> ToolScan:
    """Runs a waiting scan to its end. A scan that has already begun is left as it is, and so is one for which
    its organization, or this process, has no place free. Failures are noted in the scan and not raised.

    Only in the Celery worker: no other process of the control plane connects to a server.
    """
    scan = ToolScan.objects.select_related("server").get(pk=scan_id)
    with a_place_outside(SCANNING, str(scan.organization_id), MOST_RUNNING) as there_is_one:
        if there_is_one and _begun(scan):
            _run(scan)
    return scan


def _begun(scan: ToolScan) -> bool:
    waiting = ToolScan.objects.filter(pk=scan.pk, state=ToolScan.State.WAITING)
    begun = waiting.update(state=ToolScan.State.RUNNING, started_at=timezone.now())
    scan.refresh_from_db(fields=["state", "started_at"])
    return bool(begun)


def _run(scan: ToolScan) -> None:
    if _others_can_see():
        _set_status(scan.server, Server.Status.SCANNING)
    try:
        _keep(scan, _visit(scan))
    except asyncio.CancelledError:
        settle(scan.server)
    except ScanFailed as failed:
        _end_in_failure(scan, failed.code, failed.message, failed.hint)
    except SealingError:
        logger.exception("the credential of server %s does not open", scan.server_id)
        _end_in_failure(scan, "credential", "The stored headers cannot be opened.", "Enter them again.")
    except Exception:
        logger.exception("scan %s ended in an error of ours", scan.pk)
        _end_in_failure(scan, "internal", "Something failed on our side.", "Try again.")


# ---- the visit
def _visit(scan: ToolScan) -> ScanResult:
    """Runs the visit on a thread of its own, while this one writes down the steps as they happen."""
    # Address and credential are read in one query: a credential must never go to any address but its own.
    scan.server = Server.objects.select_related("credential").get(pk=scan.server_id)
    headers = upstream_headers(scan.server)
    told: SimpleQueue[Step] = SimpleQueue()
    stop = Event()
    with ThreadPoolExecutor(1, thread_name_prefix="scan") as visitor:
        going = visitor.submit(_in_own_loop, scan.server.upstream_url, headers, told, stop)
        quiet = 0
        for step in _until_done(going, told):
            if step is not None:
                _note_step(scan, step)
                continue
            quiet += 1
            if quiet % _LOOKS_A_QUESTION == 0 and _was_stopped(scan):
                stop.set()
        return going.result()


def _in_own_loop(url: str, headers: dict[str, str], told: SimpleQueue[Step], stop: Event) -> ScanResult:
    async def visit() -> ScanResult:
        going = asyncio.ensure_future(probe(url, headers, egress(), told.put, tls=trusted()))
        while not (await asyncio.wait([going], timeout=_ASK_SECONDS))[0]:
            if stop.is_set():
                going.cancel()
        return going.result()

    return asyncio.run(visit())


def _until_done(going: Future[ScanResult], told: SimpleQueue[Step]) -> Iterator[Step | None]:
    """Yields each step as it is told, and None whenever there was nothing new for a while."""
    while not (going.done() and told.empty()):
        try:
            yield told.get(timeout=_LOOK_SECONDS)
        except Empty:
            yield None


def _was_stopped(scan: ToolScan) -> bool:
    return not ToolScan.objects.filter(pk=scan.pk, state=ToolScan.State.RUNNING).exists()


def _note_step(scan: ToolScan, step: Step) -> None:
    written = {"title": step.title, "detail": step.detail, "milliseconds": step.milliseconds}
    # A step under way is told again and again, under the same title, until it is over.
    if scan.steps and scan.steps[-1]["title"] == step.title and scan.steps[-1]["milliseconds"] is None:
        scan.steps.pop()
    scan.steps.append(written)
    if _others_can_see():
        scan.save(update_fields=["steps"])


def _others_can_see() -> bool:
    return not connection.in_atomic_block


# ---- what came of it
def _holds(scan: ToolScan) -> bool:
    """True if nobody has stopped the scan; nobody can until the transaction ends, because this locks it."""
    going = ToolScan.objects.select_for_update().filter(pk=scan.pk, state=ToolScan.State.RUNNING)
    return going.exists()


def _has_moved(scan: ToolScan, server: Server) -> bool:
    """True if the URL has changed since the visit: what another address says is not about this server."""
    return server.upstream_url != scan.server.upstream_url


@transaction.atomic
def _end_in_failure(scan: ToolScan, code: str, message: str, hint: str) -> None:
    server = Server.objects.select_for_update(no_key=True).get(pk=scan.server_id)
    if not _holds(scan):
        return
    moved = _has_moved(scan, server)
    scan.state = ToolScan.State.FAILED
    scan.code, scan.message, scan.hint = _CHANGED if moved else (code, message, hint)
    scan.finished_at = timezone.now()
    scan.save()
    if moved:
        settle(server)
    else:
        _set_status(server, Server.Status.FAILING)


@transaction.atomic
def _keep(scan: ToolScan, result: ScanResult) -> None:
    # Two scans of one server may end at once; the second sees what the first kept.
    server = Server.objects.select_for_update(no_key=True).get(pk=scan.server_id)
    if not _holds(scan):
        return
    if server.retired_at is not None:
        _end_in_failure(scan, "retired", "This server was retired meanwhile.", "Register it again to use it.")
        return
    if _has_moved(scan, server):
        _end_in_failure(scan, *_CHANGED)
        return
    spoke = ToolScan.objects.filter(server=server, state=ToolScan.State.DONE).order_by("-started_at")
    before = spoke.values_list("protocol_version", flat=True).first()
    drift = _keep_tools(server, result.tools)
    scan.state = ToolScan.State.DONE
    scan.protocol_version = result.protocol_version
    scan.tools_found = len(result.tools)
    scan.changes = _changes(drift)
    scan.message = " ".join(result.problems)
    scan.finished_at = timezone.now()
    scan.save()
    _set_status(server, Server.Status.READY)
    if drift.changed:
        Server.objects.filter(pk=server.pk).update(drifted_at=scan.finished_at)
    if drift or before != result.protocol_version:
        announce(server.organization_id)
    if drift and before is not None:
        _tell(server, drift)


def interrupted(scan: ToolScan) -> None:
    """Ends a scan whose process died before the scan was over."""
    _end_in_failure(scan, "interrupted", "The scan was interrupted.", "Try again.")


def _set_status(server: Server, status: Server.Status) -> None:
    # Never for a retired server. The version stays: nothing that people edit has changed.
    Server.objects.filter(pk=server.pk, retired_at=None).exclude(status=status).update(status=status)


def _tell(server: Server, drift: Drift) -> None:
    """Sends the first names of each kind and the counts: whole lists could be of any length."""
    found = {
        "added": drift.added,
        "removed": drift.removed,
        "changed": tuple(change.tool for change in drift.changed),
    }
    data = {
        "server": {"id": server.public_id, "name": server.name},
        **{kind: list(names[:MOST_TOLD]) for kind, names in found.items()},
        "counts": {kind: len(names) for kind, names in found.items()},
    }
    happened.send(Server, organization_id=server.organization_id, kind="server.drifted", data=data)


def _changes(drift: Drift) -> dict[str, Any]:
    return {
        "added": list(drift.added),
        "removed": list(drift.removed),
        "changed": [change.tool for change in drift.changed],
        "sentences": {change.tool: list(change.sentences) for change in drift.changed},
    }


def _keep_tools(server: Server, definitions: tuple[ToolDefinition, ...]) -> Drift:
    rows = {tool.name: tool for tool in Tool.objects.filter(server=server)}
    drift = drift_between([tool for tool in rows.values() if tool.removed_at is None], definitions)
    Tool.objects.filter(server=server, name__in=drift.removed).update(removed_at=timezone.now())
    names = tuple(definition.name for definition in definitions)
    new = []
    for position, definition in enumerate(definitions):
        tool = rows.get(definition.name)
        if tool is None:
            tool = Tool(organization_id=server.organization_id, server=server, name=definition.name)
            new.append(tool)
        _describe(tool, definition, position)
        write_class(tool, names, server.name)
    known = [rows[name] for name in names if name in rows]
    Tool.objects.bulk_create(new, batch_size=500)
    Tool.objects.bulk_update(known, _WRITTEN, batch_size=500)
    return drift


_WRITTEN = [
    "title",
    "description",
    "input_schema",
    "annotations",
    "digest",
    "position",
    "removed_at",
    "tool_class",
    "class_rank",
    "severity",
    "confidence",
    "needs_review",
    "evidence",
    "signals",
]


def _describe(tool: Tool, definition: ToolDefinition, position: int) -> None:
    tool.title = definition.title
    tool.description = definition.description
    tool.input_schema = dict(definition.input_schema)
    tool.annotations = dict(definition.annotations)
    tool.digest = definition.digest
    tool.position = position
    tool.removed_at = None
