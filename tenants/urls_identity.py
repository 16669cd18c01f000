"""Where a provider's people sign in. On the base host."""

from django.urls import path

from tenants import views_identity

urlpatterns = [
    path("team/identity-provider/", views_identity.identity_provider, name="identity_provider"),
    path("team/identity-provider/switch/", views_identity.switch, name="identity_provider_switch"),
    path("team/identity-provider/prove/", views_identity.prove, name="identity_provider_prove"),
    path("team/identity-provider/forget/", views_identity.forget, name="identity_provider_forget"),
]
