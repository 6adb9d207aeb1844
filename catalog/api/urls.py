from django.urls import path

from catalog.api import views

urlpatterns = [
    path("catalog/servers/", views.Servers.as_view()),
    path("catalog/servers/<str:server_slug>/", views.ServerDetail.as_view()),
    path("catalog/tools/", views.Tools.as_view()),
    path("catalog/search/", views.Search.as_view()),
    path("catalog/classify/", views.Classify.as_view()),
]
