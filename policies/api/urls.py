from django.urls import path

from policies.api import grants, policies

urlpatterns = [
    path("policies/", policies.Policies.as_view()),
    path("policies/convert/", policies.Convert.as_view()),
    path("policies/<str:policy_id>/", policies.PolicyDetail.as_view()),
    path("policies/<str:policy_id>/lint/", policies.PolicyLint.as_view()),
    path("policies/<str:policy_id>/effects/", policies.PolicyEffects.as_view()),
    path("policies/<str:policy_id>/decide/", policies.PolicyDecide.as_view()),
    path("policies/<str:policy_id>/diff/", policies.PolicyDiff.as_view()),
    path("policies/<str:policy_id>/tests/", policies.PolicyTests.as_view()),
    path("policies/<str:policy_id>/revisions/", policies.PolicyRevisions.as_view()),
    path("revisions/", policies.Revisions.as_view()),
    path("grants/", grants.Grants.as_view()),
    path("grants/<str:grant_id>/", grants.GrantDetail.as_view()),
    path("grants/<str:grant_id>/rotate/", grants.GrantRotate.as_view()),
    path("grants/<str:grant_id>/revoke/", grants.GrantRevoke.as_view()),
]
