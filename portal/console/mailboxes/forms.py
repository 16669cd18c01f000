"""Forms parse and word errors; whether a name is free, a box ticked or a password right is for the services to say."""

from typing import Any

from django import forms
from django.conf import settings
from django.utils.formats import number_format
from django.utils.translation import get_language, ngettext
from django.utils.translation import gettext_lazy as _

from accounts.errors import Refusal
from mailboxes.errors import PasswordMiscounted, PasswordMistyped
from mailboxes.models import Mailbox
from mailboxes.services import PASSWORD_SYMBOLS
from portal.console.frame import refusals
from portal.console.frame.changes import Changes
from portal.console.frame.fields import ShownPassword
from tenants.models import Customer


class SheetForm(forms.Form):
    """Step 1 of showing a password: whoever gets the hand-over sheet may read another language."""

    sheet_language = forms.ChoiceField(
        label=_("Language of the hand-over sheet"),
        required=False,
        help_text=_("It shows the password to whoever will enter it into the archiver."),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["sheet_language"].choices = settings.LANGUAGES  # type: ignore[attr-defined]  # a ChoiceField, by the class above
        self.initial.setdefault("sheet_language", get_language())

    def clean_sheet_language(self) -> str:
        """Without a choice that of the page."""
        return str(self.cleaned_data["sheet_language"] or get_language())


def as_read_at(customer: Customer) -> dict[str, Any]:
    """What a SheetForm begins with there: the customer's language, if one was chosen for it."""
    return {"sheet_language": customer.language} if customer.language else {}


class MailboxForm(forms.Form):
    """What a mailbox is called, and what people say of it: every field here is asked at creation and edit alike."""

    name = forms.CharField(
        label=_("Name"),
        max_length=100,
        help_text=_("What people here will call it, for example “Office 365 Journal”."),
        widget=forms.TextInput(attrs={"autocomplete": "off", "autofocus": True}),
    )
    description = forms.CharField(
        label=_("Description"),
        max_length=500,
        required=False,
        help_text=_("Optional: what it is for, and who looks after it."),
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )

    @property
    def of_the_mailbox(self) -> list[forms.BoundField]:
        return [self[name] for name in MailboxForm.base_fields]


class NewForm(MailboxForm, SheetForm):
    """Step 1 of creating a mailbox."""

    field_order = (*MailboxForm.base_fields, "sheet_language")


class EditForm(Changes, MailboxForm):
    """Name, description, and whether the mailbox takes mail."""

    status = forms.ChoiceField(
        label=_("Status"),
        choices=[
            (Mailbox.Status.ACTIVE, _("Active: new mail is taken in")),
            (
                Mailbox.Status.SUSPENDED,
                _("Suspended: new mail is put off, waiting mail can still be collected"),
            ),
        ],
        widget=forms.RadioSelect,
    )
    reason = forms.CharField(
        label=_("Reason for the suspension"),
        max_length=500,
        required=False,
        help_text=_("Optional. It is shown on the mailbox's page and counts only for a suspended mailbox."),
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )


class UnderstoodForm(forms.Form):
    """Step 2 of showing a password: what step 1 signed comes back, hidden, with the tick.

    Nothing is required here: each refusal is the service's, with its own message.
    """

    token = forms.CharField(required=False, widget=forms.HiddenInput)
    understood = forms.BooleanField(required=False)


class ConfirmForm(UnderstoodForm):
    """Step 2 of creating a mailbox: what was said of it travels along."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name, asked in MailboxForm.base_fields.items():
            self.fields[name] = forms.CharField(label=asked.label, required=False, widget=forms.HiddenInput)

    @property
    def asked_again(self) -> list[forms.BoundField]:
        """What is refused of that, and shown for this reason."""
        return [field for field in self.visible_fields() if field.name in MailboxForm.base_fields]

    def ask_again(self, refusal: Refusal) -> None:
        """Show what is refused, and the field that it is about, if that one travelled hidden."""
        if refusal.field in MailboxForm.base_fields:
            self.fields[refusal.field].widget = forms.TextInput(attrs={"autocomplete": "off"})
        refusals.show(self, refusal)


class MailboxPasswordInput(ShownPassword):
    """Where a mailbox's password is typed. It is never rendered back.

    The script keeps a mistyped one in the browser, with what is typed, by its length and check characters.
    Browsers and password managers know the person's own password here, which is another one: the only words they obey
    for such a field are those for a code, and each manager's own.
    """

    checked_in_browser = True  # field.html has a place for what the script says

    def __init__(self, **attrs: str | bool) -> None:
        words = {
            "autocomplete": "one-time-code",
            "autocapitalize": "off",
            "spellcheck": "false",
            "dir": "ltr",
        }
        managers = {"data-1p-ignore": True, "data-lpignore": "true", "data-bwignore": True}
        super().__init__({**words, **managers, **attrs}, render_value=False)

    def get_context(self, name: str, value: Any, attrs: Any) -> dict[str, Any]:
        told = {
            "data-mistyped": PasswordMistyped().message,
            "data-miscounted": PasswordMiscounted(length=PASSWORD_SYMBOLS, typed="{}").message,
        }
        return super().get_context(name, value, {**(attrs or {}), **told})


class ResetForm(SheetForm):
    """Step 1 of resetting a password: the current one, or what becomes of the mail that only it opens."""

    field_order = ("current_password", "locked_mail", "sheet_language")

    current_password = forms.CharField(
        label=_("Current password"),
        required=False,
        help_text=_("Small or capital letters, with or without dashes: all the same."),
        widget=MailboxPasswordInput(autofocus=True),
    )
    locked_mail = forms.ChoiceField(
        label=_("What is to become of the mail that waits?"),
        required=False,
        choices=[("keep", ""), ("delete", "")],
        widget=forms.RadioSelect,
    )

    def tell(self, *, waiting: int) -> None:
        """Word the choices: what each does to the messages that wait, or to those that may still come in."""
        field: Any = self.fields["locked_mail"]
        if not waiting:
            field.label = _("What is to become of mail that comes in before you confirm?")
            keep_it = _("Keep it: it stays locked until somebody unlocks it with the old password.")
            field.choices = [("keep", keep_it), ("delete", _("Delete it: it is deleted for good."))]
            return
        keep = ngettext(
            "Keep it: %(waiting)s message stays locked until somebody unlocks it with the old password.",
            "Keep it: %(waiting)s messages stay locked until somebody unlocks them with the old password.",
            waiting,
        )
        delete = ngettext(
            "Delete it: %(waiting)s message is deleted for good.",
            "Delete it: %(waiting)s messages are deleted for good.",
            waiting,
        )
        places = {"waiting": number_format(waiting)}
        field.choices = [("keep", keep % places), ("delete", delete % places)]


class UnlockForm(forms.Form):
    """An earlier password."""

    password = forms.CharField(
        label=_("Earlier password"),
        help_text=_(
            "The one that was valid until a reset without it locked the mail. "
            "After several such resets each password unlocks its own part."
        ),
        widget=MailboxPasswordInput(autofocus=True),
    )


class RetryForm(forms.Form):
    """Trying a job again; some need the mailbox's password for that."""

    password = forms.CharField(
        label=_("Password of the mailbox"), required=False, widget=MailboxPasswordInput()
    )


class DeleteForm(forms.Form):
    """The mailbox's name, typed by hand: nobody deletes one by a slip of the mouse."""

    confirmed_name = forms.CharField(
        label=_("Type the name of the mailbox to confirm"),
        required=False,
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )
