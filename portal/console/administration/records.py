"""What the portal keeps itself, to look at: the directory, the audit trail, the spare schemas."""

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html, format_html_join
from django.utils.translation import gettext_lazy as _

from portal.console.administration.acts import ReadOnly
from tenants.activity import details, sentence
from tenants.models import SPELLED_NOW, AuditEvent, DirectoryEntry, SpareSchema


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
