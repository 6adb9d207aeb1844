from django.urls import path

from gateway_config.api import views

urlpatterns = [path("workers/", views.Workers.as_view())]
