from django.urls import path

from accounts.views import organizations, settings

urlpatterns = [
    path("settings/", settings.settings, name="settings"),
    path("settings/api-keys/", settings.create_key, name="create-api-key"),
    path("settings/api-keys/<str:key_id>/revoke/", settings.revoke_key, name="revoke-api-key"),
    path("organizations/new/", organizations.found, name="found-organization"),
    path("organizations/switch/", organizations.switch, name="switch-organization"),
]
