"""Rolled-up figures of all customers' mailboxes, in `public`: what lists, charts and usage are read from (tenants.figures).

The fold of a customer's counters writes them, in its own transaction, by tenants.figures.keeping and nobody else. All that a
day's row has but its peak are sums, to which a later fold adds; so how many folds there were changes nothing.

Amounts at a moment are not in them: the amount of today stands in MailboxFigures, and what it was at the end of an earlier
day is that without what later days have changed. So a day without a row had the amount of the evening before.
"""

from django.contrib.postgres.fields import ArrayField
from django.db import models

HOURS = 24


class MailboxFigures(models.Model):
    """A living mailbox as of its last fold."""

    mailbox_id = models.UUIDField(primary_key=True, editable=False)
    customer = models.ForeignKey("tenants.Customer", on_delete=models.CASCADE, related_name="mailbox_figures")
    messages = models.BigIntegerField()  # that wait
    octets = models.BigIntegerField()
    first_mail_at = models.DateTimeField(null=True)
    last_mail_at = models.DateTimeField(null=True)
    first_collection_at = models.DateTimeField(null=True)
    last_collection_at = models.DateTimeField(null=True)
    oldest_at = models.DateTimeField(null=True)  # when the oldest message that waits came in
    # The same of those that an archiver is shown: neither locked nor damaged.
    collectable_since = models.DateTimeField(null=True)
    folded_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.mailbox_id}: {self.messages} messages"


class Figures(models.Model):
    """Of one day. The days of a provider are those of its time zone at the moment of the mail."""

    day = models.DateField()
    messages_in = models.BigIntegerField(default=0)
    octets_in = models.BigIntegerField(default=0)
    messages_out = models.BigIntegerField(default=0)  # collected, and gone by it
    octets_out = models.BigIntegerField(default=0)
    # What came or went otherwise: less than nothing for mail that was given up, more for what a restore has brought.
    messages_else = models.BigIntegerField(default=0)
    octets_else = models.BigIntegerField(default=0)
    put_off = models.BigIntegerField(default=0)  # attempts to deliver that a suspension refused
    peak_octets = models.BigIntegerField(default=0)  # the most that waited when something changed
    ends_at = models.DateTimeField()  # midnight; up to which the next one is reckoned
    # Octets by seconds: what this day's changes add up to by its end. An amount that was there before adds itself for each
    # second of the day; so the mean of any days can be told exactly.
    octet_seconds = models.BigIntegerField(default=0)

    class Meta:
        abstract = True


class MailboxDay(Figures):
    """A mailbox's day on which something changed. It outlives its mailbox."""

    customer = models.ForeignKey(
        "tenants.Customer", on_delete=models.CASCADE, related_name="mailbox_days", db_index=False
    )
    mailbox_id = models.UUIDField()
    hours_in = ArrayField(models.IntegerField())  # messages, by the hour
    hours_out = ArrayField(models.IntegerField())  # collections

    class Meta:
        constraints = (
            # Also for the days of one mailbox.
            models.UniqueConstraint(fields=["mailbox_id", "day"], name="mailbox_day_once"),
        )
        indexes = (
            # For a customer's month.
            models.Index(fields=["customer", "day"], name="mailbox_day_of_customer"),
            # For those that are too old.
            models.Index(fields=["day"], name="mailbox_day_by_age"),
        )

    def __str__(self) -> str:
        return f"{self.mailbox_id} {self.day}"


class CustomerDay(Figures):
    """The same of all mailboxes of a customer together; the peak is that of their sum."""

    customer = models.ForeignKey(
        "tenants.Customer", on_delete=models.CASCADE, related_name="days", db_index=False
    )

    class Meta:
        constraints = (
            # Also for a page of customers.
            models.UniqueConstraint(fields=["customer", "day"], name="customer_day_once"),
        )
        indexes = (models.Index(fields=["day"], name="customer_day_by_age"),)

    def __str__(self) -> str:
        return f"{self.customer_id} {self.day}"
