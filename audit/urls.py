from django.urls import path

from audit.live import live
from audit.views import log

app_name = "audit"

urlpatterns = [
    path("", log.page, name="log"),
    path("live/", live, name="live"),
    path("<str:decision_id>/", log.detail, name="decision"),
]
