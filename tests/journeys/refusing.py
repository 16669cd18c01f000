"""Whether a page would show what is refused about a form as a whole."""

from copy import copy
from threading import local
from typing import Any

from django.forms import BaseForm
from django.forms.utils import ErrorDict
from django.template import RequestContext, Template
from lxml import html

FIELDS = (
    "//form[translate(@method, 'POST', 'post') = 'post']//*[self::select or self::textarea or self::input]"
)
REFUSAL = "None of the fields of {} is wrong."


class Refusing:
    """Listens to django.test.signals.template_rendered: a page whose forms have fields is rendered once more, as if each
    of them were refused for what is about none of its fields. `silent` has the pages that did not show it, with the kind
    of the form.
    """

    def __init__(self) -> None:
        self.silent: set[tuple[str, str]] = set()
        self._heard: set[tuple[str, str]] = set()
        self._rendering = local()

    def __call__(self, template: Template, context: Any, **rest: Any) -> None:
        is_whole = isinstance(context, RequestContext) and context.template is template
        if not is_whole or hasattr(self._rendering, "again"):
            return
        known = context.flatten()
        forms = {id(one): one for one in known.values() if isinstance(one, BaseForm)}  # some have two names
        forms = {key: form for key, form in forms.items() if (template.name, _kind(form)) not in self._heard}
        if not forms:
            return
        refused = {key: _refused(form) for key, form in forms.items()}
        known = {name: refused.get(id(value), value) for name, value in known.items()}
        self._rendering.again = True
        try:
            page = html.document_fromstring(template.render(RequestContext(context.request, known)))
        finally:
            del self._rendering.again
        shown = {field.get("name") for field in page.xpath(FIELDS) if field.get("type") != "hidden"}
        for form in forms.values():
            if shown & {field.html_name for field in form.visible_fields()}:
                heard = REFUSAL.format(_kind(form)) in page.text_content()
                (self._heard if heard else self.silent).add((template.name, _kind(form)))


def _kind(form: BaseForm) -> str:
    return type(form).__name__


def _refused(form: BaseForm) -> BaseForm:
    again = copy(form)
    again._errors, again.cleaned_data = ErrorDict(renderer=form.renderer), {}
    again.add_error(None, REFUSAL.format(_kind(form)))
    return again
