from django.urls import path

from policies.views import grants, issue

app_name = "grants"

urlpatterns = [
    path("", grants.index, name="list"),
    path("issue/", issue.issue, name="issue"),
    path("<str:grant_id>/", grants.detail, name="detail"),
    path("<str:grant_id>/move/", grants.move, name="move"),
    path("<str:grant_id>/rotate/", issue.rotate, name="rotate"),
    path("<str:grant_id>/revoke/", grants.revoke, name="revoke"),
    path("<str:grant_id>/first-call/", grants.first_call, name="first-call"),
]
