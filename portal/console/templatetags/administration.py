"""What the administration shows: lists, what they are asked for, and facts."""

import json
from collections.abc import Iterator
from datetime import datetime
from typing import Any
from urllib.parse import parse_qs

from django import template
from django.contrib.admin.templatetags.admin_list import result_headers
from django.contrib.admin.utils import display_for_field, lookup_field
from django.db.models import Model
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext

from portal.console.templatetags.look import ago, breakable, when

register = template.Library()

CHOSEN = "action_checkbox"  # Django's name for the column of boxes


@register.simple_tag
def listed(cl: Any) -> dict[str, Any]:
    """A list as the tables of our own pages have it: its columns, and for each row what it is called and its facts."""
    names = [(name, getattr(name, "__name__", name)) for name in cl.list_display]
    classes = cl.model_admin.column_classes
    columns = [
        {
            "key": key,
            "label": head["text"],
            "classes": classes.get(key, ""),
            "query": str(head["url_primary"]).removeprefix("?") if head["sortable"] else "",
            "order": ("ascending" if head["ascending"] else "descending")
            if head["sortable"] and head["sort_priority"] == 1
            else "",
        }
        for (_name, key), head in zip(names, result_headers(cl), strict=True)
    ]
    rows = [
        {
            "pk": str(row.pk),  # or it would be written as an amount
            "name": str(row),
            "url": cl.url_for_result(row),
            "cells": [
                {"column": column, "leads": name in cl.list_display_links, **_said(name, row, cl.model_admin)}
                for (name, key), column in zip(names, columns, strict=True)
                if key != CHOSEN
            ],
        }
        for row in cl.result_list
    ]
    return {
        "columns": [column for column in columns if column["key"] != CHOSEN],
        "rows": rows,
        "page": cl.paginator.get_page(cl.page_num),
    }


@register.filter
def fact(field: Any) -> Any:
    """What stands on a page in the place of a field that can't be changed."""
    name, row = field.field["field"], field.form.instance
    model_field, _attr, value = lookup_field(name, row, field.model_admin)
    if value in (None, "", [], {}):
        return format_html('<span class="faint">{}</span>', field.model_admin.get_empty_value_display())
    if isinstance(value, datetime):
        return when(value)
    if isinstance(value, dict):
        return format_html("<pre>{}</pre>", json.dumps(value, indent=2, ensure_ascii=False))
    if model_field and model_field.is_relation:
        return SafeString(field.contents())  # leads there
    return _in_words(value, model_field, row, as_code=name in field.model_admin.codes)


@register.simple_tag
def filters(cl: Any) -> list[dict[str, Any]]:
    """What a list can be asked for beside its search: the name in the address, the label, and what there is to choose."""
    return [
        {"name": spec.lookup_kwarg, "label": spec.title, "choices": list(_choices(spec, cl))}
        for spec in cl.filter_specs
    ]


def _choices(spec: Any, cl: Any) -> Iterator[dict[str, Any]]:
    """The first is all; that something is not set, for which Django has another name in the address, is no choice."""
    for number, choice in enumerate(spec.choices(cl)):
        asked = parse_qs(choice["query_string"].removeprefix("?")).get(spec.lookup_kwarg, [""])[0]
        if asked or number == 0:
            yield {"value": asked, "label": choice["display"], "chosen": choice["selected"]}


def _said(name: Any, row: Model, model_admin: Any) -> dict[str, Any]:
    """A value of a list, and whether there is none."""
    field, _attr, value = lookup_field(name, row, model_admin)
    if value in (None, "", []):
        return {"said": model_admin.get_empty_value_display(), "nothing": True}
    return {"said": _in_words(value, field, row, as_code=name in model_admin.codes), "nothing": False}


def _in_words(value: Any, field: Any, row: Model, *, as_code: bool) -> Any:
    """Times as in our tables, and what people have chosen with a direction of its own."""
    if isinstance(value, datetime):
        return ago(value)
    if as_code:
        return format_html("<code>{}</code>", breakable(value))
    if field is None:
        return value
    if field.is_relation:
        value = getattr(row, field.name)
    elif isinstance(value, list):
        value = gettext(", ").join(value)
    elif field.flatchoices or not isinstance(value, str):
        return display_for_field(value, field, "")
    return format_html("<bdi>{}</bdi>", breakable(value))
