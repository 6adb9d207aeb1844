"""Records as a gateway's spool would send them."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from typing import Any
from uuid import UUID

from django.db import connections

from audit.ingest import ingest
from common.ids import new_uuid
from gateway_config.wire.messages import CompletionEntry, DecisionEntry, Record
from tests.cast import Acme
from tests.roles import become

_sequences = count(1)


def called(acme: Acme, tool: str = "create_access_key", **fields: Any) -> DecisionEntry:
    given: dict[str, Any] = {
        "sequence": next(_sequences),
        "id": str(new_uuid()),
        "at_ms": int(time.time() * 1000),
        "organization": str(acme.server.organization_id),
        "server": str(acme.server.pk),
        "grant": str(acme.grant.pk),
        "method": "tools/call",
        "tool": tool,
        "outcome": "allow",
        "rule": f"/tools/{tool}",
        "revision": 1,
        "argument_names": ("user_name",),
        "argument_digest": "ab" * 32,
        "added_us": 310,
    }
    return DecisionEntry(**{**given, **fields})


def denied(acme: Acme, tool: str = "delete_user", code: str = "denied", **fields: Any) -> DecisionEntry:
    given = {"outcome": "deny", "code": code, "reason": f"This call of {tool} is not allowed."}
    return called(acme, tool, **{**given, **fields})


def ended(entry: DecisionEntry, **fields: Any) -> CompletionEntry:
    given = {"sequence": next(_sequences), "id": entry.id, "organization": entry.organization}
    return CompletionEntry(**{"upstream_status": 200, "total_us": 212_000, **given, **fields})


def in_worker(function: Callable[..., Any], *arguments: Any) -> Any:
    """On a thread of its own, in the worker's role."""

    def run() -> Any:
        try:
            become("policylayer_worker")
            return function(*arguments)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(1) as one:
        return one.submit(run).result()


def arrive(*records: Record, worker: str = "gw-1") -> int:
    return int(in_worker(ingest, worker, records))


def umbra(entry: DecisionEntry, organization_id: UUID) -> DecisionEntry:
    """The same call as another organization's gateways would tell it."""
    return called_as(entry, organization=str(organization_id), id=str(new_uuid()))


def called_as(entry: DecisionEntry, **fields: Any) -> DecisionEntry:
    return DecisionEntry(**{**{name: getattr(entry, name) for name in entry.__struct_fields__}, **fields})
