from django.urls import path

from audit.api import views

urlpatterns = [
    path("decisions/", views.Decisions.as_view()),
    path("decisions/stats/", views.DecisionStats.as_view()),
    path("decisions/<str:decision_id>/", views.DecisionDetail.as_view()),
    path("audit-events/", views.AuditEvents.as_view()),
]
