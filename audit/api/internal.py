"""Takes in the gateways' decision records. Served on the internal listener only, behind a worker's token."""

from __future__ import annotations

from typing import Final, Protocol

import msgspec
from django.db import OperationalError
from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_POST
from psycopg.errors import LockNotAvailable

from audit.ingest import ingest, through
from common.internal_api import Refused, answer, read_message
from common.storable import storable
from gateway_config.wire.messages import BatchAnswer, RawBatch, Record

_RECORD: Final[msgspec.json.Decoder[Record]] = msgspec.json.Decoder(Record)


class Named(Protocol):
    name: str


@require_POST
def decisions(request: HttpRequest, worker: Named) -> HttpResponse:
    """Store a batch. A record that this version cannot read stays in its spool, with all behind it, until a
    newer version can read it; the other records of the batch are stored at once."""
    batch = read_message(request, RawBatch)
    records = [_known(raw) for raw in batch.records]
    unknown = records.index(None) if None in records else len(records)
    known = [record for record in records if record is not None]
    try:
        ingest(worker.name, known, spool=_spool(worker.name, batch.worker))
    except OperationalError as problem:
        if isinstance(problem.__cause__, LockNotAvailable):
            raise Refused(503, "somebody has rows of these organizations: bring the records again") from None
        raise
    if records and unknown == 0:
        raise Refused(400, "the first of these records cannot be read by this version: it waits for a newer")
    return answer(BatchAnswer(through(known[:unknown])))


def _known(raw: msgspec.Raw) -> Record | None:
    try:
        return _RECORD.decode(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None


def _spool(worker: str, said: str) -> str:
    """Return the spool's name within the worker's: no worker can continue another's sequence."""
    return worker if said == worker else f"{worker}/{storable(said.removeprefix(f'{worker}.'), 200)}"
