"""Providers, with their identity providers, customers, and customers' hosts."""

from typing import Any, ClassVar

from django import forms
from django.contrib import admin
from django.contrib.admin.widgets import AdminEmailInputWidget
from django.db.models import Model
from django.http import HttpRequest
from django.utils.formats import date_format
from django.utils.timezone import localtime
from django.utils.translation import gettext_lazy as _

from accounts.addresses import AddressFormField, canonical
from accounts.errors import Refusal
from accounts.lists import by_name
from accounts.names import unless_kept
from accounts.zones import UTC
from portal.console.administration.acts import (
    ChangesToARow,
    ThroughServices,
    become,
    staff_of,
)
from portal.console.administration.lists import ReadOnly, in_words
from portal.console.frame.fields import (
    Hundreds,
    NetworksField,
    SizeField,
    TagsField,
    customers_language_choices,
    customers_zone_choices,
    zone_choices,
)
from portal.console.frame.refusals import worded
from tenants import identity, services, slugs
from tenants.models import Customer, Domain, IdentityProvider, Provider


class SlugForm(ChangesToARow):
    """Says beside the field what the services would refuse as a short name or a name, and before that which can be."""

    slug_help: Any

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if slug := self.fields.get("slug"):  # asked for once
            slug.help_text = self.slug_help % {
                "host": Customer(slug="acme").host,
                "most": slugs.MAX_LENGTH,
            }

    def clean_slug(self) -> str:
        try:
            return slugs.check(self.cleaned_data["slug"])
        except Refusal as refusal:
            raise worded(refusal) from refusal

    def clean_name(self) -> str:
        try:
            kept = self.initial.get("name")
            return unless_kept(self.cleaned_data["name"], kept, services.check_place_name)
        except Refusal as refusal:
            raise worded(refusal) from refusal


class PlacedAdmin(ThroughServices):
    """A provider or customer: its short name is chosen once, and it can't be deleted here."""

    form = SlugForm
    ordering = by_name()  # where one is chosen, too
    search_fields = ("slug", "name")
    search_help_text = _("Name or short name")

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return ("slug", "created_at") if obj else ("created_at",)

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False


class ProviderForm(SlugForm):
    slug_help = _(
        "What commands call the provider, and can't be changed later: 2 to %(most)s lower-case letters and digits, with "
        "dashes only inside."
    )
    owner_email = AddressFormField(
        label=_("Email address of the first owner"),
        required=False,
        widget=AdminEmailInputWidget,  # as wide as the others
        help_text=_("An invitation is sent there. Whoever accepts it decides who else comes."),
    )
    time_zone = forms.ChoiceField(
        label=_("Time zone"),
        required=False,
        widget=Hundreds,
        help_text=_("By its days customers' figures are told. Another one counts for what comes after."),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if zone := self.fields.get("time_zone"):
            _utc, *others = zone_choices(self.instance.time_zone)
            zone.choices = [(UTC.key, _utc[1]), *others]  # type: ignore[attr-defined]  # a ChoiceField, by the class above


@admin.register(Provider)
class ProviderAdmin(PlacedAdmin):
    """A provider begins with an invitation of its first owner; from then on its owners invite."""

    form = ProviderForm
    list_display = ("name", "slug", "created_at")
    column_classes: ClassVar = {"name": "grow", "slug": "wrap", "created_at": "nowrap"}

    def get_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        if obj and not services.may_found(request.user, obj):
            return ("slug", "name", "time_zone", "created_at")
        return (
            ("slug", "name", "time_zone", "invited", "owner_email", "created_at")
            if obj
            else ("slug", "name", "owner_email")
        )

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return (*super().get_readonly_fields(request, obj), "invited")

    @admin.display(description=_("Invited, not here yet"))
    def invited(self, obj: Provider) -> str:
        return ", ".join(
            _("%(email)s, valid until %(until)s (%(zone)s)")
            % {
                "email": invitation.email,
                "until": date_format(localtime(invitation.expires_at), "DATETIME_FORMAT"),
                "zone": localtime(invitation.expires_at).tzname(),
            }
            for invitation in services.to_be_first_owner(obj)
        )

    def save_model(self, request: HttpRequest, obj: Provider, form: Any, change: bool) -> None:
        owner_email = form.cleaned_data.get("owner_email")
        if change:
            if "name" in form.changes:
                services.rename_provider(obj, name=form.changes["name"], by=staff_of(request))
            if "time_zone" in form.changes:
                zone = form.changes["time_zone"]
                services.set_provider_time_zone(obj, time_zone=zone, by=staff_of(request))
            if owner_email:
                services.invite_first_owner(obj, owner_email, by=staff_of(request))
        elif owner_email:
            made = services.found_provider(obj.slug, obj.name, owner_email=owner_email, by=staff_of(request))
            become(obj, made)
        else:
            become(obj, services.create_provider(obj.slug, obj.name, by=staff_of(request)))
        if owner_email:
            invited = _(
                "An invitation went to %(email)s. Until somebody has accepted it you can invite another address here."
            )
            self.message_user(request, invited % {"email": canonical(owner_email)})


SUSPENSION = ("status", "suspended_at", "suspended_by_email", "suspension_reason")
SIZE_HELP = _("With its unit, such as 500 MB or 10 GB. Empty: no limit.")


class CustomerForm(SlugForm):
    slug_help = _(
        "Begins the customer's host, such as %(host)s, and can't be changed later: 2 to %(most)s lower-case letters and "
        "digits, with dashes only inside."
    )
    language = forms.ChoiceField(label=_("Language"), required=False)
    time_zone = forms.ChoiceField(label=_("Time zone"), required=False)
    tags = TagsField(label=_("Tags"), required=False, help_text=_("A few words, parted by commas."))
    mailbox_quota_octets = SizeField(label=_("Limit for each mailbox"), required=False, help_text=SIZE_HELP)
    waiting_quota_octets = SizeField(
        label=_("Limit for all waiting mail"), required=False, help_text=SIZE_HELP
    )
    message_limit_octets = SizeField(label=_("Limit for each message"), required=False, help_text=SIZE_HELP)
    allowed_networks = NetworksField(
        label=_("Mail only from these networks"),
        required=False,
        help_text=_("One a line, such as 192.0.2.0/24. Empty: mail is taken from everywhere."),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        choices = {"language": customers_language_choices, "time_zone": self._zones}
        for name, choose in choices.items():
            if field := self.fields.get(name):
                field.choices = choose()  # type: ignore[attr-defined]  # a ChoiceField, by the class above

    def _zones(self) -> list[Any]:
        return customers_zone_choices(self.instance.time_zone)


@admin.register(Customer)
class CustomerAdmin(PlacedAdmin):
    form = CustomerForm
    list_display = ("name", "host", "provider", "created_at")
    column_classes: ClassVar = {
        "name": "grow",
        "host": "wrap full",
        "provider": "wrap full",
        "created_at": "nowrap mid-off",
    }
    list_filter = ("provider",)
    list_select_related = ("provider",)
    fields = ("slug", "name", "provider", "host", *Customer.FACTS, *SUSPENSION, "created_at")

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        fields = super().get_readonly_fields(request, obj)
        return (*fields, "provider", "host", *SUSPENSION) if obj else fields

    def get_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return self.fields if obj else ("slug", "name", "provider", *Customer.FACTS)

    @admin.display(description=_("Host"), ordering="slug")
    def host(self, obj: Customer) -> str:
        return obj.host

    def save_model(self, request: HttpRequest, obj: Customer, form: Any, change: bool) -> None:
        if change:
            services.edit_customer(obj, by=staff_of(request), **form.changes)
        else:
            facts: Any = {name: form.cleaned_data[name] for name in Customer.FACTS}
            provider = obj.provider
            become(
                obj,
                services.create_customer(
                    obj.slug, obj.name, provider=provider, by=staff_of(request), **facts
                ),
            )


@admin.register(Domain)
class DomainAdmin(ReadOnly):
    list_display = ("host", "customer", in_words("is_primary", _("Primary")))
    column_classes: ClassVar = {"host": "grow", "customer": "wrap full"}
    list_select_related = ("tenant",)
    search_fields = ("domain",)
    search_help_text = _("Host")
    fields = readonly_fields = ("host", "customer", in_words("is_primary", _("Primary")))  # type: ignore[assignment]  # the stubs know names alone

    # In our words: django-tenants speaks of domains and tenants.
    @admin.display(description=_("Host"), ordering="domain")
    def host(self, obj: Domain) -> str:
        return str(obj.domain)

    @admin.display(description=_("customer"), ordering="tenant__name")
    def customer(self, obj: Domain) -> str:
        return str(obj.tenant)


@admin.register(IdentityProvider)
class IdentityProviderAdmin(ThroughServices, ReadOnly):
    """Staff may switch one off, when a domain is in dispute; everything else is the provider's own affair."""

    list_display = ("provider", "kind", "email_domains", in_words("active", _("Active")))
    column_classes: ClassVar = {"provider": "grow", "kind": "full", "email_domains": "wrap full"}
    list_select_related = ("provider",)
    fields = ("provider", "kind", "email_domains", "active")
    readonly_fields = ("provider", "kind", "email_domains")

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return bool(request.user.is_active and request.user.is_staff)

    def has_module_permission(self, request: HttpRequest) -> bool:
        return self.has_change_permission(request)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        """On again is for the provider's owners: they have to show that the domains are theirs."""
        return self.readonly_fields if obj and obj.active else self.fields

    def save_model(self, request: HttpRequest, obj: IdentityProvider, form: Any, change: bool) -> None:
        if not obj.active:
            identity.end_dispute(obj, by=staff_of(request))
