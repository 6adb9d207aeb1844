"""The paths for browsers and API clients. The internal API is not among them: see internal_urls."""

from django.conf import settings
from django.urls import include, path

from audit.views import onboarding, overview
from catalog.views import home
from common.api_docs import api_docs, problem_page
from config import health
from gateway_config.views import workers
from policies.views.jump import jump

handler400 = "config.failures.unreadable"
handler500 = "config.failures.failed"

urlpatterns = [
    path("", home.home, name="home"),
    path("healthz", health.healthz),
    path("readyz", health.readyz),
    path("accounts/", include("allauth.urls")),
    path("", include("accounts.urls")),
    path("", include("catalog.urls")),
    path("overview/", overview.page, name="overview"),
    path("get-started/", onboarding.page, name="onboarding"),
    path("get-started/steps/", onboarding.steps, name="onboarding-steps"),
    path("jump/", jump, name="jump"),
    path("servers/", include("servers.urls")),
    path("policies/", include("policies.urls")),
    path("grants/", include("policies.urls_grants")),
    path("approvals/", include("approvals.urls")),
    path("log/", include("audit.urls")),
    path("workers/", workers.workers, name="workers"),
    path("workers/publish-again/", workers.publish_again, name="publish-again"),
    path("api/docs/", api_docs, name="api-docs"),
    path("api/docs/problems/<slug:kind>/", problem_page, name="api-problem"),
    path("api/v1/", include("config.api_urls")),
]
if settings.ADMIN_ENABLED:
    from config.admin import site

    urlpatterns.append(path("admin/", site.urls))
