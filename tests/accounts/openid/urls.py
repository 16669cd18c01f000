"""The OpenID provider's pages, its sign-in, and the tests' way to tell it about clients and people."""

import json

from allauth.idp.oidc.models import Client
from django.contrib.auth.models import User
from django.contrib.auth.views import LoginView
from django.http import HttpResponse, HttpResponseRedirect
from django.urls import include, path


def client(request):
    """Register or change: {"id", "secret", "redirect_uris"}."""
    told = json.loads(request.body)
    row = Client.objects.filter(pk=told["id"]).first() or Client(id=told["id"], name=told["id"])
    row.scopes, row.skip_consent = "openid\nemail", True
    row.set_redirect_uris(told["redirect_uris"])
    row.set_secret(told["secret"])
    row.save()
    return HttpResponse()


def person(request):
    """Make or change: {"email", "password", "said": {…}}; see adapter.py for what can be said."""
    told = json.loads(request.body)
    row = User.objects.filter(username=told["email"]).first() or User(username=told["email"])
    row.email, row.last_name = told["email"], json.dumps(told["said"])
    row.set_password(told["password"])
    row.save()
    return HttpResponse()


def moved(request):
    return HttpResponseRedirect("/.well-known/openid-configuration")


def endless(request):
    return HttpResponse(b" " * 1024 for _ in range(100_000))


urlpatterns = [
    path("", include("allauth.idp.urls")),
    path("another/", include(("allauth.idp.oidc.urls", "oidc"), namespace="another")),
    path("moved/.well-known/openid-configuration", moved),
    path("endless/.well-known/openid-configuration", endless),
    path("login/", LoginView.as_view()),
    path("told/client/", client),
    path("told/person/", person),
]
