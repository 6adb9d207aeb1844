from django.urls import path

from gateway_config.api import publishing, views

urlpatterns = [
    path("policies/<str:policy_id>/publish/", publishing.PolicyPublish.as_view()),
    path("policies/<str:policy_id>/restore/", publishing.PolicyRestore.as_view()),
    path("revisions/<str:revision_id>/", publishing.RevisionDetail.as_view()),
    path("revisions/<str:revision_id>/restore/", publishing.RevisionRestore.as_view()),
    path("workers/", views.Workers.as_view()),
]
