from django.urls import path

from servers.views import connecting, inventory, servers

app_name = "servers"

urlpatterns = [
    path("", servers.index, name="list"),
    path("register/", connecting.register, name="register"),
    path("register/known/", connecting.known, name="known"),
    path("everything/", inventory.index, name="inventory"),
    path("everything/everything.csv", inventory.as_csv, name="inventory-csv"),
    path("<str:server_id>/", servers.detail, name="detail"),
    path("<str:server_id>/scan/", servers.scan, name="scan"),
    path("<str:server_id>/scan/progress/", servers.progress, name="progress"),
    path("<str:server_id>/scan/stop/", connecting.stop, name="stop-scan"),
    path("<str:server_id>/connection/", connecting.connection, name="connection"),
    path("<str:server_id>/retire/", servers.retire, name="retire"),
    path("<str:server_id>/tools/<uuid:tool_id>/", servers.tool, name="tool"),
]
