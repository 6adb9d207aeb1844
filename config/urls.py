"""What a browser and an API client reach. The internal API is not here: see internal_urls."""

from django.urls import include, path

urlpatterns = [
    path("accounts/", include("allauth.account.urls")),
    path("", include("accounts.urls")),
]
