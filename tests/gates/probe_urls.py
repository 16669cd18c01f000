"""A customer's host whose pages tell which schema they run in, and fail on demand."""

from typing import Any, cast

from django.db import connection, transaction
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.urls import include, path

from tenants import audit
from tenants.models import Provider


def search_path() -> str:
    with connection.cursor() as cursor:
        cursor.execute("SHOW search_path")
        return str(cursor.fetchone()[0]).replace('"', "")


def schema(request: HttpRequest) -> HttpResponse:
    return HttpResponse(search_path())


def crash(request: HttpRequest) -> HttpResponse:
    search_path()
    raise RuntimeError("on purpose")


def broken_transaction(request: HttpRequest) -> HttpResponse:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1 / 0")
    return HttpResponse()


def rolled_back(request: HttpRequest) -> HttpResponse:
    """Enters the schema within a transaction that takes it back."""
    try:
        with transaction.atomic():
            search_path()
            raise RuntimeError("on purpose")
    except RuntimeError:
        return HttpResponse(search_path())


def rolled_back_to_savepoint(request: HttpRequest) -> HttpResponse:
    """The same within a part of a transaction, which goes on."""
    with transaction.atomic():
        rolled_back(request)
        return HttpResponse(search_path())


def stream(request: HttpRequest) -> StreamingHttpResponse:
    return StreamingHttpResponse(search_path() for _ in range(2))


def stray(request: HttpRequest) -> HttpResponse:
    """Enters a customer's schema by no block that would leave it again."""
    cast(Any, connection).set_schema("c_acme")
    return HttpResponse(search_path())


def act(request: HttpRequest) -> HttpResponse:
    audit.record("probe.acted", by=request.user, target=Provider.objects.first())
    return HttpResponse()


urlpatterns = [
    path("", include("portal.console.signin.urls")),
    path("schema/", schema),
    path("crash/", crash),
    path("broken/", broken_transaction),
    path("rolled-back/", rolled_back),
    path("rolled-back-in-part/", rolled_back_to_savepoint),
    path("stream/", stream),
    path("stray/", stray),
    path("act/", act),
]
