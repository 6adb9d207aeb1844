from django.urls import path

from approvals.live import live
from approvals.views import answering, reading, settings

app_name = "approvals"

urlpatterns = [
    path("", reading.index, name="list"),
    path("live/", live, name="live"),
    path("history/", reading.history, name="history"),
    path("settings/", settings.page, name="settings"),
    path("settings/rules/", settings.rules, name="rules"),
    path("settings/mail/", settings.mail, name="mail"),
    path("settings/webhooks/", settings.add_webhook, name="add-webhook"),
    path("settings/webhooks/<str:webhook_id>/remove/", settings.remove_webhook, name="remove-webhook"),
    path("settings/webhooks/<str:webhook_id>/test/", settings.test_webhook, name="test-webhook"),
    path("settings/webhooks/<str:webhook_id>/switch/", settings.switch_webhook, name="switch-webhook"),
    path("settings/webhooks/<str:webhook_id>/rotate/", settings.rotate_secret, name="rotate-webhook"),
    path(
        "settings/webhooks/<str:webhook_id>/deliveries/<str:delivery_id>/redeliver/",
        settings.redeliver,
        name="redeliver",
    ),
    path("<str:approval_id>/", reading.detail, name="detail"),
    path("<str:approval_id>/approve/", answering.approve, name="approve"),
    path("<str:approval_id>/decline/", answering.decline, name="decline"),
    path("<str:approval_id>/remind/", answering.remind, name="remind"),
]
