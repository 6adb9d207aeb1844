from django.urls import path

from approvals.api import views

urlpatterns = [
    path("approvals/", views.Approvals.as_view()),
    path("approvals/<str:approval_id>/", views.ApprovalDetail.as_view()),
    path("approvals/<str:approval_id>/approve/", views.ApprovalApprove.as_view()),
    path("approvals/<str:approval_id>/decline/", views.ApprovalDecline.as_view()),
]
