"""The administration: platform staff's view of providers, customers, people, roles, the directory and the audit trail.

What changes something for others goes through the services, so that it is checked and recorded as everywhere else. There
is no way here to become somebody in silence: no password, no second factor, no session, and nobody is made here.
"""

from collections.abc import Callable
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.widgets import AdminEmailInputWidget, RelatedFieldWidgetWrapper
from django.core.exceptions import ValidationError
from django.db.models import ManyToManyField, Model, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.formats import date_format
from django.utils.html import format_html, format_html_join
from django.utils.timezone import localtime
from django.utils.translation import gettext_lazy as _

from accounts.addresses import canonical
from accounts.errors import Refusal
from accounts.models import User
from portal.console.frame.fields import Hundreds, language_choices, zone_choices
from portal.console.frame.refusals import show, worded
from tenants import identity, services, slugs
from tenants.activity import details, sentence
from tenants.models import (
    SPELLED_NOW,
    AuditEvent,
    Customer,
    DirectoryEntry,
    Domain,
    IdentityProvider,
    Membership,
    Provider,
    SpareSchema,
)


class ThroughServices(admin.ModelAdmin):
    """Forms whose act is a service with a transaction of its own, which the admin would otherwise enclose in its.

    What a service refuses is told in the list, and then nothing else is: no success, and no entry in Django's log.
    """

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        return self._or_refusal(request, self._changeform_view, object_id, form_url, extra_context)  # type: ignore[attr-defined]  # missing in the stubs

    def delete_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        return self._or_refusal(request, self._delete_view, object_id, extra_context)  # type: ignore[attr-defined]  # missing in the stubs

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        return self._or_refusal(request, super().changelist_view, extra_context)

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **options: Any) -> Any:
        """The choice alone: what Django puts beside it leads away from a form that is half filled in."""
        field = super().formfield_for_dbfield(db_field, request, **options)
        if field and isinstance(field.widget, RelatedFieldWidgetWrapper):
            field.widget = field.widget.widget
        return field

    def _or_refusal(
        self, request: HttpRequest, view: Callable[..., HttpResponse], *args: Any
    ) -> HttpResponse:
        try:
            return view(request, *args)
        except Refusal as error:
            self.message_user(request, error.message, messages.ERROR)
            return redirect(f"admin:{self.opts.app_label}_{self.opts.model_name}_changelist")


class ReadOnly(admin.ModelAdmin):
    """To look at. Nobody adds, changes or deletes here, superusers included."""

    def has_add_permission(self, request: HttpRequest, *args: Any) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False


def in_words(field: str, label: Any) -> Callable[[Any], Any]:
    """A column that says yes or no, where Django has a green or red sign."""

    @admin.display(description=label, ordering=field)
    def said(obj: Any) -> Any:
        return _("yes") if getattr(obj, field) else _("no")

    said.__name__ = field
    return said


class SlugForm(forms.ModelForm):
    """Says beside the field what the services would refuse as a short name or a name."""

    def clean_slug(self) -> str:
        try:
            return slugs.check(self.cleaned_data["slug"])
        except Refusal as refusal:
            raise worded(refusal) from refusal

    def clean_name(self) -> str:
        try:
            return services.check_place_name(self.cleaned_data["name"])
        except Refusal as refusal:
            raise worded(refusal) from refusal


class PlacedAdmin(ThroughServices):
    """A provider or customer: its short name is chosen once, and it can't be deleted here."""

    form = SlugForm
    search_fields = ("slug", "name")

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return ("slug", "created_at") if obj else ("created_at",)

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False


class ProviderForm(SlugForm):
    owner_email = forms.EmailField(
        label=_("E-mail address of the first owner"),
        required=False,
        widget=AdminEmailInputWidget,  # as wide as the others
        help_text=_("An invitation is sent there. Whoever accepts it decides who else comes."),
    )


@admin.register(Provider)
class ProviderAdmin(PlacedAdmin):
    """A provider begins with an invitation of its first owner; from then on its owners invite."""

    form = ProviderForm
    list_display = ("name", "slug", "created_at")

    def get_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        if obj and not services.may_found(request.user, obj):
            return ("slug", "name", "created_at")
        return ("slug", "name", *(("invited",) if obj else ()), "owner_email", "created_at")

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
            services.rename_provider(obj, name=obj.name, by=_staff(request))
            if owner_email:
                services.invite_first_owner(obj, owner_email, by=_staff(request))
        elif owner_email:
            made = services.found_provider(obj.slug, obj.name, owner_email=owner_email, by=_staff(request))
            _become(obj, made)
        else:
            _become(obj, services.create_provider(obj.slug, obj.name, by=_staff(request)))
        if owner_email:
            invited = _(
                "An invitation went to %(email)s. Until somebody has accepted it you can invite another address here."
            )
            self.message_user(request, invited % {"email": canonical(owner_email)})


class DomainInline(admin.TabularInline):
    model = Domain
    fields = readonly_fields = ("domain", "is_primary")
    can_delete = False
    extra = 0

    def has_add_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False


@admin.register(Customer)
class CustomerAdmin(PlacedAdmin):
    list_display = ("name", "host", "provider", "created_at")
    list_filter = ("provider",)
    list_select_related = ("provider",)
    fields = ("slug", "name", "provider", "allowed_networks", "mailbox_quota_octets", "created_at")
    inlines = (DomainInline,)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        fields = super().get_readonly_fields(request, obj)
        return (*fields, "provider") if obj else fields

    def get_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return self.fields if obj else ("slug", "name", "provider")

    def get_inlines(self, request: HttpRequest, obj: Any = None) -> tuple[type[DomainInline], ...]:
        return self.inlines if obj else ()

    def save_model(self, request: HttpRequest, obj: Customer, form: Any, change: bool) -> None:
        if change:
            services.edit_customer(
                obj,
                name=obj.name,
                allowed_networks=obj.allowed_networks,
                mailbox_quota_octets=obj.mailbox_quota_octets,
                by=_staff(request),
            )
        else:
            _become(
                obj, services.create_customer(obj.slug, obj.name, provider=obj.provider, by=_staff(request))
            )


@admin.register(Domain)
class DomainAdmin(ReadOnly):
    list_display = ("domain", "tenant", in_words("is_primary", _("Primary")))
    list_select_related = ("tenant",)
    search_fields = ("domain",)


class PersonForm(forms.ModelForm):
    staff: Any  # who sends the form

    language = forms.ChoiceField(label=_("Language"), choices=language_choices, required=False)
    time_zone = forms.ChoiceField(label=_("Time zone"), choices=zone_choices, required=False, widget=Hundreds)

    def clean_email(self) -> str:
        """Says beside the address what the service would refuse."""
        email: str = self.cleaned_data["email"]
        if "email" in self.changed_data and not services.may_change_address(self.instance, by=self.staff):
            raise ValidationError(
                _("Only superusers may change the address of somebody who has or had a role, or is staff."),
                code="not-allowed",
            )
        return email

    def clean_is_active(self) -> bool:
        """Says beside the box what the service would refuse."""
        active: bool = self.cleaned_data["is_active"]
        if self.instance.is_active and not active:
            try:
                services.check_owner_stays(self.instance.memberships.all())
            except Refusal as refusal:
                raise worded(refusal) from refusal
        return active


@admin.register(User)
class PersonAdmin(ThroughServices):
    """People; what they may do stands with the memberships. They come by invitation, and instead of being deleted they
    are switched off. Who is locked out is for `manage.py let_in`, which tells that person.
    """

    form = PersonForm
    ordering = ["email"]
    list_display = [
        "email",
        "name",
        in_words("is_staff", _("Platform staff")),
        in_words("is_active", _("Active")),
        "last_login",
    ]
    list_filter = ["is_staff", "is_active"]
    search_fields = ["email", "name"]
    formfield_overrides = {ManyToManyField: {"widget": forms.CheckboxSelectMultiple}}
    readonly_fields = ["last_login", "date_joined"]
    fieldsets = [
        (None, {"fields": ["email", "name", "language", "time_zone", "theme"]}),
        (_("Access"), {"fields": ["is_active", "is_staff", "is_superuser", "groups"]}),
        (_("Dates"), {"fields": ["last_login", "date_joined"]}),
    ]

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest) -> bool:
        """By any other field a list could be searched, letter by letter, for what it does not show: password hashes."""
        return lookup.split("__", maxsplit=1)[0] in self.list_filter and super().lookup_allowed(
            lookup, value, request
        )

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def get_form(self, request: HttpRequest, *args: Any, **options: Any) -> Any:
        form: Any = super().get_form(request, *args, **options)
        form.staff = _staff(request)
        return form

    def save_model(self, request: HttpRequest, obj: User, form: Any, change: bool) -> None:
        services.change_person(
            obj,
            email=obj.email,
            name=obj.name,
            language=obj.language,
            time_zone=obj.time_zone,
            theme=obj.theme,
            is_active=obj.is_active,
            is_staff=obj.is_staff,
            is_superuser=obj.is_superuser,
            groups=form.cleaned_data["groups"],
            by=_staff(request),
        )

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        """Nothing is left: Django would write the groups a second time, past the service."""


class MembershipForm(forms.ModelForm):
    """Says beside the role what the services would refuse; the model's rule can't, once the place is fixed."""

    def clean(self) -> dict[str, Any] | None:
        data = super().clean() or {}
        provider = data.get("provider", self.instance.provider)
        customer = data.get("customer", self.instance.customer)
        if "role" in data and (provider is None) != (customer is None):
            try:
                services.check_role(data["role"], provider=provider, customer=customer)
                if self.instance.pk and data["role"] != Membership.Role.OWNER:
                    services.check_owner_stays([self.instance])
            except Refusal as refusal:
                show(self, refusal)
        return data


@admin.register(Membership)
class MembershipAdmin(ThroughServices):
    form = MembershipForm
    list_display = ("user", "role", "provider", "customer", "created_at")
    list_filter = ("role", "provider")
    list_select_related = ("user", "provider", "customer")
    search_fields = ("user__email", "user__name", "provider__name", "customer__name")
    autocomplete_fields = ("user", "provider", "customer")
    fields = ("user", "provider", "customer", "role")

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return ("user", "provider", "customer") if obj else ()

    def save_model(self, request: HttpRequest, obj: Membership, form: Any, change: bool) -> None:
        if change:
            services.change_role(obj, role=obj.role, by=_staff(request))
        else:
            saved = services.add_membership(
                obj.user, role=obj.role, provider=obj.provider, customer=obj.customer, by=_staff(request)
            )
            _become(obj, saved)

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        """Asked before anything is deleted: of several, all stay where one has to."""
        services.check_owner_stays(objs)
        return super().get_deleted_objects(objs, request)

    def log_deletions(self, request: HttpRequest, queryset: Any) -> Any:
        """Django would note them before they are done, and they may be refused still. The audit trail has them."""

    def delete_model(self, request: HttpRequest, obj: Membership) -> None:
        services.remove_membership(obj, by=_staff(request))

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Membership]) -> None:
        for membership in queryset:
            self.delete_model(request, membership)


@admin.register(IdentityProvider)
class IdentityProviderAdmin(ThroughServices, ReadOnly):
    """Staff may switch one off, when a domain is in dispute; everything else is the provider's own affair."""

    list_display = ("provider", "kind", "email_domains", in_words("active", _("Active")))
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
            identity.end_dispute(obj, by=_staff(request))


@admin.register(DirectoryEntry)
class DirectoryEntryAdmin(ReadOnly):
    list_display = ("address", "customer", "status", "generation", "updated_at")
    list_filter = ("status",)
    list_select_related = ("customer",)
    search_fields = ("address", "customer__name")
    fields = ("address", "customer", "mailbox_id", "status", "generation", "updated_at")  # and no key


@admin.register(AuditEvent)
class AuditEventAdmin(ReadOnly):
    list_display = ("at", "actor_email", "told", "action", "origin")
    search_fields = ("actor_email", "action_now", "target_name")
    date_hierarchy = "at"
    fieldsets = (
        (None, {"fields": ("told", "facts", "at", "actor_email", "actor_side", "origin")}),
        (
            _("As recorded"),
            {
                "fields": (
                    "action",
                    "person",
                    "provider",
                    "customer_id",
                    "target_type",
                    "target_id",
                    "target_name",
                    "data",
                )
            },
        ),
    )
    readonly_fields = ("told", "facts", "at", "person", "provider")

    def get_queryset(self, request: HttpRequest) -> QuerySet[AuditEvent]:
        """With the action as it is spelled today, which is what the list shows, to search by."""
        return super().get_queryset(request).annotate(action_now=SPELLED_NOW)

    @admin.display(description=_("What happened"))
    def told(self, event: AuditEvent) -> str:
        return sentence(event)

    @admin.display(description=_("Details"))
    def facts(self, event: AuditEvent) -> str:
        facts = format_html_join("", "<li>{}</li>", ([detail.line()] for detail in details(event)))
        return format_html("<ul>{}</ul>", facts) if facts else str(self.get_empty_value_display())

    # The administration writes whole numbers as amounts; these two are to be copied.
    @admin.display(description=_("person's id"))
    def person(self, event: AuditEvent) -> str:
        return str(event.actor_id or self.get_empty_value_display())

    @admin.display(description=_("provider's id"))
    def provider(self, event: AuditEvent) -> str:
        return str(event.provider_id or self.get_empty_value_display())


@admin.register(SpareSchema)
class SpareSchemaAdmin(ReadOnly):
    list_display = ("schema_name", "created_at")


def _staff(request: HttpRequest) -> User:
    """Nobody else comes to a page of the administration."""
    assert isinstance(request.user, User)
    return request.user


def _become(unsaved: Any, saved: Model) -> None:
    """The admin goes on with the object of its form; let that one be the row that the service has made."""
    unsaved.__dict__.update(saved.__dict__)
