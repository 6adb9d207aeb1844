from django.urls import path

from accounts.views import settings

urlpatterns = [
    path("settings/", settings.settings, name="settings"),
    path("settings/api-keys/", settings.create_key, name="create-api-key"),
    path("settings/api-keys/<str:key_id>/revoke/", settings.revoke_key, name="revoke-api-key"),
    path("settings/organization/", settings.switch_organization, name="switch-organization"),
]
