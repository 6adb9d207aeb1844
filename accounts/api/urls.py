from django.urls import path

from accounts.api import views

urlpatterns = [
    path("me/", views.Me.as_view()),
    path("organization/", views.OrganizationView.as_view()),
]
