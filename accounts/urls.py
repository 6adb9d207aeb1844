from django.urls import path

from accounts.views import invitations, organizations, settings

urlpatterns = [
    path("settings/", settings.settings, name="settings"),
    path("settings/api-keys/", settings.create_key, name="create-api-key"),
    path("settings/api-keys/<str:key_id>/revoke/", settings.revoke_key, name="revoke-api-key"),
    path("organizations/new/", organizations.found, name="found-organization"),
    path("organizations/switch/", organizations.switch, name="switch-organization"),
    path("invitations/answer/", invitations.answer, name="answer-invitation"),
    path("invitations/<str:token>/", invitations.opened, name="open-invitation"),
]
