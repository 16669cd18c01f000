"""The base host with one more page: a plain list of fifty rows of one table, in the frame that every page has."""

from django.http import HttpRequest, HttpResponse
from django.template import engines
from django.urls import path

from portal.console.frame.lists import page_of
from portal.urls import base
from tenants.models import Customer

TABLE = """
{% extends "base.html" %}{% block title %}Plain{% endblock %}{% block content %}
<table class="table">{% for row in page %}<tr><td>{{ row.name }}</td><td>{{ row.slug }}</td></tr>{% endfor %}</table>
{% include "frame/pager.html" with page=page request=request only %}{% endblock %}
"""


def bare(request: HttpRequest) -> HttpResponse:
    page = page_of(request, Customer.objects.order_by("name"))
    return HttpResponse(engines["django"].from_string(TABLE).render({"page": page}, request))


urlpatterns = [*base.urlpatterns, path("bare/", bare)]
