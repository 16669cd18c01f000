"""A provider's team and the way in by invitation, on the base host; a customer's people, on its host."""

from django.urls import URLPattern, URLResolver, path

from portal.console.people import invitations, of_customer, team

base: list[URLPattern | URLResolver] = [
    path("team/", team.team, name="team"),
    path("team/invite/", team.invite, name="team_invite"),
    path("team/security/", team.security, name="team_security"),
    path("team/<int:pk>/", team.member, name="team_member"),
    path("team/<int:pk>/remove/", team.remove, name="team_remove"),
    path("team/invitations/<int:pk>/again/", team.send_again, name="team_invitation_again"),
    path("team/invitations/<int:pk>/withdraw/", team.withdraw, name="team_invitation_withdraw"),
    path("invitations/", invitations.accept, name="invitation_accept"),
    path("invitations/<str:token>/", invitations.invitation, name="invitation"),
]
customer: list[URLPattern | URLResolver] = [
    path("people/", of_customer.people, name="people"),
    path("people/invite/", of_customer.invite, name="people_invite"),
    path("people/identity-provider/", of_customer.identity_provider, name="people_identity_provider"),
    path("people/<int:pk>/", of_customer.member, name="people_member"),
    path("people/<int:pk>/remove/", of_customer.remove, name="people_remove"),
    path("people/invitations/<int:pk>/again/", of_customer.send_again, name="people_invitation_again"),
    path("people/invitations/<int:pk>/withdraw/", of_customer.withdraw, name="people_invitation_withdraw"),
]
