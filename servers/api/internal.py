"""Gateways report which servers listed something new. Internal listener only, behind a worker's token."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_POST

from common.internal_api import read_message
from gateway_config.wire.messages import DriftReport
from servers.rescanning import look_again


@require_POST
def drift(request: HttpRequest, worker: object) -> HttpResponse:
    look_again((report.organization, report.server) for report in read_message(request, list[DriftReport]))
    return HttpResponse(status=204)
