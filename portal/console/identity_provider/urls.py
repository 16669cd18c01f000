"""Where a provider's people sign in. On the base host."""

from django.urls import path

from portal.console.identity_provider import views

urlpatterns = [
    path("team/identity-provider/", views.identity_provider, name="identity_provider"),
    path("team/identity-provider/switch/", views.switch, name="identity_provider_switch"),
    path("team/identity-provider/prove/", views.prove, name="identity_provider_prove"),
    path("team/identity-provider/forget/", views.forget, name="identity_provider_forget"),
]
