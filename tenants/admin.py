"""The administration: platform staff's view of providers, customers, roles, the directory and the audit trail.

What changes something goes through the services, so that it is checked and recorded as everywhere else.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext_lazy as _

from tenants import services, slugs
from tenants.errors import InvalidRole, InvalidSlug, TenantError
from tenants.models import (
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
    """Forms whose act is a service with a transaction of its own, which the admin would otherwise enclose in its."""

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        return self._changeform_view(request, object_id, form_url, extra_context)  # type: ignore[attr-defined]

    def delete_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        return self._delete_view(request, object_id, extra_context)  # type: ignore[attr-defined]


class ReadOnly(admin.ModelAdmin):
    """To look at. Nobody adds, changes or deletes here, superusers included."""

    def has_add_permission(self, request: HttpRequest, *args: Any) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False


class SlugForm(forms.ModelForm):
    """Says beside the field what is wrong with a short name or a name."""

    def clean_slug(self) -> str:
        try:
            return slugs.check(self.cleaned_data["slug"])
        except InvalidSlug as error:
            raise ValidationError(error.message, code=error.code) from error

    def clean_name(self) -> str:
        name: str = self.cleaned_data["name"]
        if not name.isprintable():
            raise ValidationError(_("The name must not have line breaks or control characters."), code="name")
        return name


class PlacedAdmin(ThroughServices):
    """A provider or customer: its short name is chosen once, and it can't be deleted here."""

    form = SlugForm
    search_fields = ("slug", "name")

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return ("slug", "created_at") if obj else ("created_at",)

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False


@admin.register(Provider)
class ProviderAdmin(PlacedAdmin):
    list_display = ("name", "slug", "created_at")
    fields = ("slug", "name", "created_at")

    def save_model(self, request: HttpRequest, obj: Provider, form: Any, change: bool) -> None:
        if change:
            services.rename_provider(obj, name=obj.name, by=request.user)
        else:
            _become(obj, services.create_provider(obj.slug, obj.name, by=request.user))


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
                by=request.user,
            )
        else:
            _become(obj, services.create_customer(obj.slug, obj.name, provider=obj.provider, by=request.user))


@admin.register(Domain)
class DomainAdmin(ReadOnly):
    list_display = ("domain", "tenant", "is_primary")
    list_select_related = ("tenant",)
    search_fields = ("domain",)


class MembershipForm(forms.ModelForm):
    """Says beside the role that it does not exist at that place; the model's rule can't, once the place is fixed."""

    def clean(self) -> dict[str, Any] | None:
        data = super().clean() or {}
        provider = data.get("provider", self.instance.provider)
        customer = data.get("customer", self.instance.customer)
        if "role" in data and (provider is None) != (customer is None):
            try:
                services.check_role(data["role"], provider=provider, customer=customer)
            except InvalidRole as error:
                self.add_error("role", ValidationError(error.message, code=error.code))
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
            with self._refusals_as_messages(request):
                services.change_role(obj, role=obj.role, by=request.user)
        else:
            saved = services.add_membership(
                obj.user, role=obj.role, provider=obj.provider, customer=obj.customer, by=request.user
            )
            _become(obj, saved)

    def delete_model(self, request: HttpRequest, obj: Membership) -> None:
        with self._refusals_as_messages(request):
            services.remove_membership(obj, by=request.user)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Membership]) -> None:
        for membership in queryset:
            self.delete_model(request, membership)

    @contextmanager
    def _refusals_as_messages(self, request: HttpRequest) -> Iterator[None]:
        """What a service refuses here, such as the removal of the last owner, no form can know beforehand."""
        try:
            yield
        except TenantError as error:
            self.message_user(request, error.message, messages.ERROR)


@admin.register(IdentityProvider)
class IdentityProviderAdmin(ReadOnly):
    """Staff may switch one off, when a domain is in dispute; everything else is the provider's own affair."""

    list_display = ("provider", "kind", "email_domains", "active")
    list_select_related = ("provider",)
    fields = ("provider", "kind", "email_domains", "active")
    readonly_fields = ("provider", "kind", "email_domains")

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return bool(request.user.is_active and request.user.is_staff)


@admin.register(DirectoryEntry)
class DirectoryEntryAdmin(ReadOnly):
    list_display = ("address", "customer", "status", "generation", "updated_at")
    list_filter = ("status",)
    list_select_related = ("customer",)
    search_fields = ("address", "customer__name")
    fields = ("address", "customer", "mailbox_id", "status", "generation", "updated_at")  # and no key


@admin.register(AuditEvent)
class AuditEventAdmin(ReadOnly):
    list_display = ("at", "actor_email", "action", "target_name", "origin")
    search_fields = ("actor_email", "action", "target_name")
    date_hierarchy = "at"


@admin.register(SpareSchema)
class SpareSchemaAdmin(ReadOnly):
    list_display = ("schema_name", "created_at")


def _become(unsaved: Any, saved: Model) -> None:
    """The admin goes on with the object of its form; let that one be the row that the service has made."""
    unsaved.__dict__.update(saved.__dict__)
