from django.urls import path

from servers.api import views

urlpatterns = [
    path("servers/", views.Servers.as_view()),
    path("servers/<str:server_id>/", views.ServerDetail.as_view()),
    path("servers/<str:server_id>/scan/", views.ServerScan.as_view()),
    path("servers/<str:server_id>/tools/", views.ServerTools.as_view()),
    path("tools/", views.Tools.as_view()),
]
