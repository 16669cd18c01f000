"""A provider's people, and the way in by invitation. On the base host."""

from django.urls import URLPattern, URLResolver, path

from tenants import views_invitations, views_team

urlpatterns: list[URLPattern | URLResolver] = [
    path("team/", views_team.team, name="team"),
    path("team/invite/", views_team.invite, name="team_invite"),
    path("team/security/", views_team.security, name="team_security"),
    path("team/<int:pk>/", views_team.member, name="team_member"),
    path("team/<int:pk>/remove/", views_team.remove, name="team_remove"),
    path("team/invitations/<int:pk>/again/", views_team.send_again, name="team_invitation_again"),
    path("team/invitations/<int:pk>/withdraw/", views_team.withdraw, name="team_invitation_withdraw"),
    path("invitations/", views_invitations.accept, name="invitation_accept"),
    path("invitations/<str:token>/", views_invitations.invitation, name="invitation"),
]
