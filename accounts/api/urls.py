from django.urls import path

from accounts.api import views

urlpatterns = [
    path("me/", views.Me.as_view()),
    path("organization/", views.OrganizationView.as_view()),
    path("members/", views.Members.as_view()),
    path("members/<str:member_id>/", views.MemberDetail.as_view()),
    path("invitations/", views.Invitations.as_view()),
    path("invitations/<str:invitation_id>/", views.InvitationDetail.as_view()),
    path("invitations/<str:invitation_id>/resend/", views.InvitationResend.as_view()),
    path("api-keys/", views.ApiKeys.as_view()),
    path("api-keys/<str:key_id>/", views.ApiKeyDetail.as_view()),
]
