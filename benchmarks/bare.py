"""A customer's host with one more page: a list of one table, with no more on it than that."""

from django.http import HttpRequest, HttpResponse
from django.template import Context, Template
from django.urls import path

from mailboxes.models import Mailbox
from portal.urls import customer

TABLE = Template(
    "<table>{% for row in rows %}<tr><td>{{ row.name }}</td><td>{{ row.address }}</td></tr>{% endfor %}</table>"
)


def bare(_request: HttpRequest) -> HttpResponse:
    return HttpResponse(TABLE.render(Context({"rows": Mailbox.objects.order_by("name")})))


urlpatterns = [*customer.urlpatterns, path("bare/", bare)]
