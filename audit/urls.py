from django.urls import path

from audit.live import live
from audit.views import export, log

app_name = "audit"

urlpatterns = [
    path("", log.page, name="log"),
    path("live/", live, name="live"),
    path("export.ndjson", export.export, {"kind": "ndjson"}, name="export-ndjson"),
    path("export.csv", export.export, {"kind": "csv"}, name="export-csv"),
    path("<str:decision_id>/", log.detail, name="decision"),
]
