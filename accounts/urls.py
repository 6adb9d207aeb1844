from django.urls import path

from accounts.views import account, events, invitations, keys, organizations, people, settings

urlpatterns = [
    path("settings/", settings.settings, name="settings"),
    path("settings/rename/", settings.rename, name="rename-organization"),
    path("settings/delete/", settings.delete, name="delete-organization"),
    path("settings/leave/", settings.leave, name="leave-organization"),
    path("settings/security/", settings.security, name="security-settings"),
    path("settings/members/", people.people, name="members"),
    path("settings/members/<str:member_id>/role/", people.change, name="change-role"),
    path("settings/members/<str:member_id>/remove/", people.remove, name="remove-member"),
    path("settings/invitations/<str:invitation_id>/resend/", people.resend, name="resend-invitation"),
    path("settings/invitations/<str:invitation_id>/withdraw/", people.withdraw, name="withdraw-invitation"),
    path("settings/api-keys/", keys.keys, name="api-keys"),
    path("settings/api-keys/<str:key_id>/revoke/", keys.revoke_key, name="revoke-api-key"),
    path("settings/usage/", settings.usage, name="usage"),
    path("settings/events/", events.events, name="audit-events"),
    path("account/", account.account, name="account"),
    path("accounts/address/<str:key>/", account.add_address, name="add-address"),
    path("account/delete/", account.delete, name="delete-account"),
    path("organizations/new/", organizations.found, name="found-organization"),
    path("organizations/switch/", organizations.switch, name="switch-organization"),
    path("invitations/answer/", invitations.answer, name="answer-invitation"),
    path("invitations/<str:token>/", invitations.opened, name="open-invitation"),
]
