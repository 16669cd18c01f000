"""What the portal keeps itself, to look at: the directory, the audit trail, the spare schemas."""

from typing import Any, ClassVar

from django.apps import apps
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.html import format_html, format_html_join
from django.utils.text import capfirst
from django.utils.translation import gettext_lazy as _

from portal.console.administration.lists import ReadOnly
from portal.console.templatetags.look import breakable, breakable_addresses
from tenants.activity import details, nobody, sentence
from tenants.models import SPELLED_NOW, AuditEvent, DirectoryEntry, Side, SpareSchema

# What pages call the things that something is done to; the trail has the names of their models.
TARGETS = {model._meta.model_name: model._meta.verbose_name for model in apps.get_models()}


@admin.register(DirectoryEntry)
class DirectoryEntryAdmin(ReadOnly):
    list_display = ("address", "customer", "status", "generation", "updated_at")
    codes = ("address", "mailbox_id")
    column_classes: ClassVar = {
        "address": "grow plain",
        "customer": "wrap full",
        "generation": "n mid-off",
        "updated_at": "nowrap",
    }
    list_filter = ("status",)
    list_select_related = ("customer",)
    search_fields = ("address", "customer__name")
    search_help_text = _("Address or customer")
    fields = ("address", "customer", "mailbox_id", "status", "generation", "updated_at")  # and no key


@admin.register(AuditEvent)
class AuditEventAdmin(ReadOnly):
    list_display = ("told", "who", "at", "action", "origin")
    column_classes: ClassVar = {
        "told": "grow plain",
        "who": "wrap full",
        "at": "nowrap",
        "action": "wrap full mid-off",
        "origin": "wrap mid-off",
    }
    codes = ("action", "person", "provider", "customer_id", "target_id")
    search_fields = ("actor_email", "action_now", "target_name")
    search_help_text = _("Person, action or object")
    date_hierarchy = "at"
    fieldsets = (
        (None, {"fields": ("facts", "at", "who", "side", "origin")}),
        (
            _("As recorded"),
            {
                "fields": (
                    "action",
                    "person",
                    "provider",
                    "customer_id",
                    "target_kind",
                    "target_id",
                    "target_name",
                    "data",
                )
            },
        ),
    )
    readonly_fields = ("facts", "at", "who", "side", "person", "provider", "target_kind")

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """The page is called what happened."""
        event = self.get_object(request, object_id)
        named = {"subtitle": sentence(event)} if event else {}
        return super().change_view(request, object_id, form_url, {**named, **(extra_context or {})})

    def get_queryset(self, request: HttpRequest) -> QuerySet[AuditEvent]:
        """With the action as it is spelled today, which is what the list shows, to search by."""
        return super().get_queryset(request).annotate(action_now=SPELLED_NOW)

    @admin.display(description=_("What happened"))
    def told(self, event: AuditEvent) -> str:
        return breakable_addresses(sentence(event))

    @admin.display(description=_("person"), ordering="actor_email")
    def who(self, event: AuditEvent) -> Any:
        """Who is no person is called as in *Activity*."""
        return format_html("<bdi>{}</bdi>", breakable(event.actor_email or nobody(event)))

    @admin.display(description=_("Details"))
    def facts(self, event: AuditEvent) -> str:
        facts = format_html_join("", "<li>{}</li>", ([detail.line()] for detail in details(event)))
        return format_html("<ul>{}</ul>", facts) if facts else ""

    @admin.display(description=_("belonged to"))
    def side(self, event: AuditEvent) -> Any:
        return Side(event.actor_side).label if event.actor_side in Side.values else event.actor_side

    @admin.display(description=_("kind of object"))
    def target_kind(self, event: AuditEvent) -> Any:
        return capfirst(TARGETS.get(event.target_type, event.target_type))

    # The administration writes whole numbers as amounts; these two are to be copied.
    @admin.display(description=_("person's ID"))
    def person(self, event: AuditEvent) -> str:
        return str(event.actor_id or "")

    @admin.display(description=_("provider's ID"))
    def provider(self, event: AuditEvent) -> str:
        return str(event.provider_id or "")


@admin.register(SpareSchema)
class SpareSchemaAdmin(ReadOnly):
    list_display = ("schema_name", "created_at")
    column_classes: ClassVar = {"schema_name": "grow", "created_at": "nowrap"}
