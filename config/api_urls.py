"""/api/v1/: every app's own paths, and the schema of all of them."""

from django.urls import include, path, re_path
from drf_spectacular.views import SpectacularJSONAPIView

from config.api_errors import Nothing

urlpatterns = [
    path("", include("accounts.api.urls")),
    path("", include("catalog.api.urls")),
    path("", include("servers.api.urls")),
    path("", include("policies.api.urls")),
    path("", include("approvals.api.urls")),
    path("", include("audit.api.urls")),
    path("", include("gateway_config.api.urls")),
    path(
        "schema/",
        SpectacularJSONAPIView.as_view(authentication_classes=[], permission_classes=[]),
        name="api-schema",
    ),
    re_path(r".*/$", Nothing.as_view()),
]
