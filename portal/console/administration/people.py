"""People, and which roles they have where."""

from typing import Any, ClassVar

from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.db.models import ManyToManyField, Model, QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext_lazy as _

from accounts.errors import Refusal
from accounts.models import User
from portal.console.administration.acts import (
    ChangesToARow,
    ThroughServices,
    become,
    staff_of,
)
from portal.console.administration.lists import in_words
from portal.console.frame.fields import Hundreds, language_choices, zone_choices
from portal.console.frame.refusals import show, worded
from portal.languages import translators
from tenants import services
from tenants.models import Membership


class GroupsField(forms.ModelMultipleChoiceField):
    def label_from_instance(self, group: Any) -> Any:
        """The one that is there from the start is told in the reader's language."""
        return _("Translators") if group.name == translators.GROUP else str(group)


class PersonForm(ChangesToARow):
    staff: Any  # who sends the form

    language = forms.ChoiceField(label=_("Language"), choices=language_choices, required=False)
    time_zone = forms.ChoiceField(label=_("Time zone"), required=False, widget=Hundreds)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["time_zone"].choices = zone_choices(self.instance.time_zone)  # type: ignore[attr-defined]  # a ChoiceField, by the class above

    def clean_email(self) -> str:
        """Says beside the address what the service would refuse."""
        email: str = self.cleaned_data["email"]
        if "email" in self.changed_data and not services.may_change_address(self.instance, by=self.staff):
            raise ValidationError(
                _("Only superusers may change the address of somebody who has or had a role, or is staff."),
                code="not-allowed",
            )
        return email

    def clean(self) -> dict[str, Any]:
        """Says beside the box that nobody takes away their own access."""
        data = super().clean()
        try:
            services.check_own_access(self.instance, self.changes, by=self.staff)
        except Refusal as refusal:
            show(self, refusal)
        return data

    def clean_is_active(self) -> bool:
        """Says beside the box what the service would refuse."""
        active: bool = self.cleaned_data["is_active"]
        if "is_active" in self.changed_data and self.instance.is_active and not active:
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
        "last_sign_in",
    ]
    column_classes: ClassVar = {"email": "grow", "name": "wrap full", "last_sign_in": "nowrap"}
    list_filter = ["is_staff", "is_active"]
    search_fields = ["email", "name"]
    search_help_text = _("Name or address")
    formfield_overrides = {ManyToManyField: {"widget": forms.CheckboxSelectMultiple}}
    readonly_fields = ["last_login", "date_joined"]
    fieldsets = [
        (None, {"fields": ["email", "name", "language", "time_zone", "theme"]}),
        (_("Access"), {"fields": ["is_active", "is_staff", "is_superuser", "groups"]}),
        (_("Dates"), {"fields": ["last_login", "date_joined"]}),
    ]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    @admin.display(description=_("Last sign-in"), ordering="last_login")
    def last_sign_in(self, obj: User) -> Any:
        return obj.last_login

    def formfield_for_manytomany(self, db_field: Any, request: HttpRequest, **options: Any) -> Any:
        return super().formfield_for_manytomany(db_field, request, form_class=GroupsField, **options)

    def get_form(self, request: HttpRequest, *args: Any, **options: Any) -> Any:
        # In our words; Django speaks of users.
        options["labels"] = {
            "is_superuser": _("May do everything in the administration"),
            "last_login": _("Last sign-in"),
        }
        options["help_texts"] = dict.fromkeys(("is_superuser", "groups"), "")
        form: Any = super().get_form(request, *args, **options)
        form.staff = staff_of(request)
        return form

    def save_model(self, request: HttpRequest, obj: User, form: Any, change: bool) -> None:
        services.change_person(
            obj, by=staff_of(request), **form.changes, groups_shown=form.ticked_before("groups")
        )

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        """Nothing is left: Django would write the groups a second time, past the service."""


class MembershipForm(ChangesToARow):
    """Says beside the role what the services would refuse; the model's rule can't, once the place is fixed."""

    HELP: ClassVar = {
        "user": _("Somebody who has an account. Search by name or address."),
        "provider": _("For an owner, operator or auditor. Then leave the customer empty."),
        "customer": _("For an administrator or viewer. Then leave the provider empty."),
    }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # Only where they are asked for: who and where is fixed afterwards.
        for name in self.fields.keys() & self.HELP.keys():
            self.fields[name].help_text = self.HELP[name]
        role = self.fields.get("role")  # none for who may only look
        if role and self.instance.pk and (refusal := services.refusal_of_leaving(self.instance)):
            role.help_text = refusal.message

    def clean(self) -> dict[str, Any]:
        data = super().clean()
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
    column_classes: ClassVar = {
        "user": "grow",
        "provider": "wrap full",
        "customer": "wrap full",
        "created_at": "nowrap mid-off",
    }
    list_filter = ("role", "provider")
    list_select_related = ("user", "provider", "customer")
    search_fields = ("user__email", "user__name", "provider__name", "customer__name")
    search_help_text = _("Person, provider or customer")
    autocomplete_fields = ("user", "provider", "customer")
    fields = ("user", "provider", "customer", "role")

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return ("user", "provider", "customer") if obj else ()

    def save_model(self, request: HttpRequest, obj: Membership, form: Any, change: bool) -> None:
        if change:
            if "role" in form.changes:
                services.change_role(obj, role=form.changes["role"], by=staff_of(request))
        else:
            saved = services.add_membership(
                obj.user, role=obj.role, provider=obj.provider, customer=obj.customer, by=staff_of(request)
            )
            become(obj, saved)

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """Removing is offered to all but the last owner, whose page says why."""
        membership = self.get_object(request, object_id)
        stays = membership is not None and services.refusal_of_leaving(membership) is not None
        context = {"show_delete": not stays, **(extra_context or {})}
        return super().change_view(request, object_id, form_url, context)

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        """In the words of the pages on which people of a place do it."""
        actions: dict[str, Any] = super().get_actions(request)
        if "delete_selected" in actions:
            act, name, _description = actions["delete_selected"]
            actions["delete_selected"] = (act, name, _("Remove those chosen"))
        return actions

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        """Asked before anything is deleted: of several, all stay where one has to."""
        services.check_owner_stays(objs)
        return super().get_deleted_objects(objs, request)

    def log_deletions(self, request: HttpRequest, queryset: Any) -> Any:
        """Django would note them before they are done, and they may be refused still. The audit trail has them."""

    def delete_model(self, request: HttpRequest, obj: Membership) -> None:
        services.remove_membership(obj, by=staff_of(request))

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Membership]) -> None:
        for membership in queryset:
            self.delete_model(request, membership)
