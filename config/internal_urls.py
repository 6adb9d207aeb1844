"""The paths of the internal listener: gateways only, on INTERNAL_PORT. None is reachable on the web port."""

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import path

from approvals.api import internal as approvals
from audit.api import internal as audit
from config import health, metrics
from gateway_config.api import internal as gateways
from servers.api import internal as servers

handler500 = "config.failures.failed_inside"

urlpatterns = [
    path("healthz", health.healthz),
    path("readyz", health.readyz),
    path("metrics", metrics.metrics),
    path("internal/v1/heads", gateways.heads),
    path("internal/v1/bundles/<uuid:organization_id>/", gateways.bundle),
    path("internal/v1/bundles/<uuid:organization_id>/grants/<str:digest>/", gateways.grants),
    path("internal/v1/acks/", gateways.acks),
    path("internal/v1/hello/", gateways.hello),
    path("internal/v1/limiter/", gateways.limiter),
    path("internal/v1/drift/", gateways.for_workers(servers.drift)),
    path("internal/v1/approvals/", gateways.for_workers(approvals.ask)),
    path("internal/v1/approvals/claim/", gateways.for_workers(approvals.claim)),
    path("internal/v1/approvals/unused/", gateways.for_workers(approvals.unused)),
    path("internal/v1/approvals/news", gateways.for_waiting_workers(approvals.news)),
    path("internal/v1/decisions/", gateways.for_workers(audit.decisions)),
]


def handler404(request: HttpRequest, exception: Exception) -> HttpResponse:
    return JsonResponse({"error": "there is nothing here"}, status=404)
