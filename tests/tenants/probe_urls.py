"""A customer's host whose pages tell which schema they run in, and fail on demand."""

from django.db import connection
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


def stream(request: HttpRequest) -> StreamingHttpResponse:
    return StreamingHttpResponse(search_path() for _ in range(2))


def act(request: HttpRequest) -> HttpResponse:
    audit.record("probe.acted", by=request.user, target=Provider.objects.first())
    return HttpResponse()


urlpatterns = [
    path("", include("accounts.urls")),
    path("schema/", schema),
    path("crash/", crash),
    path("broken/", broken_transaction),
    path("stream/", stream),
    path("act/", act),
]
