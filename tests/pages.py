"""Pages as browsers have them. A test presses the button that a page shows, and its form is sent as it stands there:
to its own action, by its own method, with its hidden fields and its CSRF token, which is asked for.
"""

from typing import Any
from urllib.parse import urlencode, urljoin, urlsplit

from lxml import html

FORM = "application/x-www-form-urlencoded"
AROUND = ("tr", "li", "section", "form")  # what a button belongs to


def read(answer: Any) -> html.HtmlElement:
    """The tree of an answer's page, without the places at which a long word may break: they are no text."""
    page = html.document_fromstring(answer.content.decode())
    for place in page.xpath("//wbr"):
        place.drop_tag()
    return page


def text_of(element: html.HtmlElement) -> str:
    """What stands in it, each run of white space as one blank."""
    return " ".join(element.text_content().split())


def presses(answer: Any, button: str, *, beside: str = "", **fields: Any) -> Any:
    """The answer to pressing this button of the page, with these fields filled in.

    `answer` comes from Django's test client, in which the answer to this stands afterwards. `beside` tells one of many
    buttons of the same name: words of the row, item, section or form that it is in. What stands in a dialog is pressed
    by who has opened it, so a button of the page must do that. A box is ticked by True; of boxes and lists in which
    several can be chosen, name all that are. Raises AssertionError for a button or a field that the page does not show,
    or for a choice that it does not offer.
    """
    pressed = _button(read(answer), button, beside)
    form = next(pressed.iterancestors("form"), None)
    assert form is not None, f"“{button}” is in no form"
    sent = [(name, value) for name, value in form.form_values() if name not in fields]
    for name, value in fields.items():
        sent += [(name, each) for each in _typed(form, name, value)]
    if pressed.get("name"):
        sent.append((pressed.get("name"), pressed.get("value", "")))
    return _send(answer, form, pressed.get("formaction", form.get("action", "")), sent)


def follows(answer: Any, link: str) -> Any:
    """The answer to following the page's one link of that name."""
    found = [one.get("href") for one in read(answer).xpath("//a[@href]") if text_of(one) == link]
    assert len(found) == 1, f"{len(found)} links are called “{link}”"
    there = urlsplit(urljoin(answer.wsgi_request.build_absolute_uri(), found[0]))
    path = f"{there.path}?{there.query}" if there.query else there.path
    return answer.client.get(path, headers={"host": there.netloc})


def shown(answer: Any, button: str, *, beside: str = "") -> dict[str, Any]:
    """What the form with this button would send as it stands."""
    form = next(_button(read(answer), button, beside).iterancestors("form"))
    return dict(form.form_values())


def offered(answer: Any, button: str, field: str) -> list[str]:
    """What can be chosen in a field of the form with this button."""
    form = next(_button(read(answer), button, "").iterancestors("form"))
    return _options(form.inputs[field])


def _button(page: html.HtmlElement, name: str, beside: str) -> html.HtmlElement:
    buttons = page.xpath("//form//button[not(@type='button')] | //form//input[@type='submit']")
    named = [one for one in buttons if name in (text_of(one), one.get("value"), one.get("aria-label"))]
    found = [
        one for one in named if not beside or any(beside in text_of(e) for e in one.iterancestors(*AROUND))
    ]
    shows = [text_of(one) for one in buttons]
    assert len(found) == 1, (
        f"{len(found)} buttons are called “{name}” (beside “{beside}”); the page has {shows}"
    )
    assert found[0].get("disabled") is None, f"“{name}” can't be pressed"
    for dialog in found[0].iterancestors("dialog"):
        assert opener_of(page, dialog) is not None, f"nothing opens the dialog with “{name}”"
    return found[0]


def opener_of(page: html.HtmlElement, dialog: html.HtmlElement) -> html.HtmlElement | None:
    """The button that opens it, in browsers that know `command` and in those before."""
    outside = page.xpath("//button[not(ancestor::dialog)]")
    by_both = ("show-modal", dialog.get("id"), dialog.get("id"))
    asked = ("command", "commandfor", "popovertarget")
    return next((one for one in outside if tuple(map(one.get, asked)) == by_both), None)


def _typed(form: html.HtmlElement, name: str, value: Any) -> list[str]:
    """What the field sends with this in it."""
    assert name in form.fields, f"the form has no field {name}, but {sorted(form.fields.keys())}"
    options = _options(form.inputs[name])
    if isinstance(value, bool):
        return options if value else []
    values = list(value) if isinstance(value, (list, tuple)) else [value]
    wrong = [each for each in values if options and each not in options]
    assert not wrong, f"{name} offers no {wrong}, but {options}"
    return values


def _options(field: Any) -> list[str]:
    """Between which one chooses; empty where one types."""
    if hasattr(field, "value_options"):
        return [str(value) for value in field.value_options]
    return [field.get("value", "on")] if field.get("type") in ("checkbox", "radio") else []


def _send(answer: Any, form: html.HtmlElement, action: str, sent: list[tuple[str, str]]) -> Any:
    here, client = answer.wsgi_request, answer.client
    there = urlsplit(urljoin(here.build_absolute_uri(), action))
    path = f"{there.path}?{there.query}" if there.query else there.path
    headers = {"host": there.netloc}
    if form.get("method", "get").lower() == "get":
        return client.get(there.path, sent, headers=headers)
    careless, client.handler.enforce_csrf_checks = client.handler.enforce_csrf_checks, True
    try:
        return client.post(path, urlencode(sent), content_type=FORM, headers=headers)
    finally:
        client.handler.enforce_csrf_checks = careless
