from django.urls import path

from approvals.api import views, webhooks

urlpatterns = [
    path("approval-rules/", views.ApprovalRules.as_view()),
    path("webhooks/", webhooks.Webhooks.as_view()),
    path("webhooks/<str:webhook_id>/", webhooks.WebhookDetail.as_view()),
    path("webhooks/<str:webhook_id>/test/", webhooks.WebhookTest.as_view()),
    path("webhooks/<str:webhook_id>/rotate-secret/", webhooks.WebhookRotateSecret.as_view()),
    path("webhooks/<str:webhook_id>/deliveries/", webhooks.WebhookDeliveries.as_view()),
    path(
        "webhooks/<str:webhook_id>/deliveries/<str:delivery_id>/redeliver/",
        webhooks.WebhookRedeliver.as_view(),
    ),
    path("approvals/", views.Approvals.as_view()),
    path("approvals/<str:approval_id>/", views.ApprovalDetail.as_view()),
    path("approvals/<str:approval_id>/approve/", views.ApprovalApprove.as_view()),
    path("approvals/<str:approval_id>/decline/", views.ApprovalDecline.as_view()),
]
