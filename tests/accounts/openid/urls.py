"""The OpenID provider's pages, its sign-in, and the tests' way to tell it about clients and people."""

import json

from allauth.idp.oidc.models import Client
from allauth.idp.oidc.views import configuration
from django.contrib.auth.models import User
from django.contrib.auth.views import LoginView
from django.http import HttpResponse, HttpResponseRedirect, JsonResponse
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


def nested(request):
    return HttpResponse(b"[" * 100_000, content_type="application/json")


def numbers(request):
    return HttpResponse(b'{"issuer": ' + b"7" * 100_000 + b"}", content_type="application/json")


def forging(request):
    return JsonResponse({"issuer": "calls itself\nERROR all is lost"})


def crooked(request):
    """As it should be, but for the place where a code is given for a token."""
    issuer = request.build_absolute_uri("/")
    honest = json.loads(configuration(request).content)
    return JsonResponse(honest | {"issuer": issuer + "crooked", "token_endpoint": issuer + "crooked/token"})


urlpatterns = [
    path("", include("allauth.idp.urls")),
    path("another/", include(("allauth.idp.oidc.urls", "oidc"), namespace="another")),
    path("moved/.well-known/openid-configuration", moved),
    path("endless/.well-known/openid-configuration", endless),
    path("nested/.well-known/openid-configuration", nested),
    path("numbers/.well-known/openid-configuration", numbers),
    path("forging/.well-known/openid-configuration", forging),
    path("crooked/.well-known/openid-configuration", crooked),
    path("crooked/token", nested),
    path("login/", LoginView.as_view(), name="account_login"),  # by that name for prompt=login
    path("told/client/", client),
    path("told/person/", person),
]
