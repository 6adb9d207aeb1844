"""The paths under /api/v1/: every app's own, and the schema of them all."""

from django.urls import include, path, re_path

from common.api_document import ApiDocument
from config.api_errors import Nothing

urlpatterns = [
    path("", include("accounts.api.urls")),
    path("", include("catalog.api.urls")),
    path("", include("servers.api.urls")),
    path("", include("policies.api.urls")),
    path("", include("approvals.api.urls")),
    path("", include("audit.api.urls")),
    path("", include("gateway_config.api.urls")),
    path("schema/", ApiDocument.as_view(), name="api-schema"),
    re_path(r".*/$", Nothing.as_view()),
]
