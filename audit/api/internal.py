"""Gateways hand in what they decided. Served on the internal listener only, behind a worker's token."""

from __future__ import annotations

from typing import Protocol

from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_POST

from audit.ingest import ingest
from common.internal_api import answer, read_message
from common.storable import storable
from gateway_config.wire.messages import BatchAnswer, RecordBatch


class Named(Protocol):
    name: str


@require_POST
def decisions(request: HttpRequest, worker: Named) -> HttpResponse:
    batch = read_message(request, RecordBatch)
    return answer(BatchAnswer(ingest(worker.name, batch.records, spool=_spool(worker.name, batch.worker))))


def _spool(worker: str, said: str) -> str:
    """The spool's own name, under the worker's: nobody takes up the sequences of somebody else."""
    return worker if said == worker else f"{worker}/{storable(said.removeprefix(f'{worker}.'), 200)}"
