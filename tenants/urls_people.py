"""A customer's people. On the customer's host."""

from django.urls import URLPattern, URLResolver, path

from tenants import views_people

urlpatterns: list[URLPattern | URLResolver] = [
    path("people/", views_people.people, name="people"),
    path("people/invite/", views_people.invite, name="people_invite"),
    path("people/identity-provider/", views_people.identity_provider, name="people_identity_provider"),
    path("people/<int:pk>/", views_people.member, name="people_member"),
    path("people/<int:pk>/remove/", views_people.remove, name="people_remove"),
    path("people/invitations/<int:pk>/again/", views_people.send_again, name="people_invitation_again"),
    path("people/invitations/<int:pk>/withdraw/", views_people.withdraw, name="people_invitation_withdraw"),
]
