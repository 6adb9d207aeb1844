"""Gateways hand in what they decided. Served on the internal listener only, behind a worker's token."""

from __future__ import annotations

from typing import Protocol

from django.db import OperationalError
from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_POST
from psycopg.errors import LockNotAvailable

from audit.ingest import ingest
from common.internal_api import Refused, answer, read_message
from common.storable import storable
from gateway_config.wire.messages import BatchAnswer, RecordBatch


class Named(Protocol):
    name: str


@require_POST
def decisions(request: HttpRequest, worker: Named) -> HttpResponse:
    batch = read_message(request, RecordBatch)
    try:
        through = ingest(worker.name, batch.records, spool=_spool(worker.name, batch.worker))
    except OperationalError as problem:
        if isinstance(problem.__cause__, LockNotAvailable):
            raise Refused(503, "somebody has rows of these organizations: bring the records again") from None
        raise
    return answer(BatchAnswer(through))


def _spool(worker: str, said: str) -> str:
    """The spool's own name, under the worker's: nobody takes up the sequences of somebody else."""
    return worker if said == worker else f"{worker}/{storable(said.removeprefix(f'{worker}.'), 200)}"
