"""The directory: from an address to customer, mailbox, status and sealing key in one indexed query."""

from collections.abc import Collection
from uuid import UUID, uuid4

from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils import timezone

from tenants import migrated
from tenants.away import NotYetRestored
from tenants.errors import AddressTaken
from tenants.models import Customer, DirectoryEntry, RetiredAddress

Status = DirectoryEntry.Status


def publish(
    *,
    address: str,
    customer: Customer,
    mailbox_id: UUID,
    status: str,
    public_key: bytes,
    generation: int,
    name: str | None = None,
    description: str | None = None,
) -> None:
    """Write or change the mailbox's entry, in the caller's transaction. What people call it stays where it is None.

    Raises AddressTaken when another mailbox has or had the address, or when this one's is retired already.
    """
    values = {
        "address": address.lower(),
        "status": status,
        "public_key": public_key,
        "generation": generation,
    }
    if name is not None:
        values["name"] = name
    if description is not None:
        values["description"] = description
    entries = DirectoryEntry.objects.filter(mailbox_id=mailbox_id, customer=customer)
    if status != Status.RETIRED:
        entries = entries.exclude(status=Status.RETIRED)
    try:
        with transaction.atomic():  # a savepoint, so that the caller's transaction survives a refusal
            entry = entries.select_for_update(of=("self",)).first()
            if entry is None:
                if RetiredAddress.objects.filter(address=values["address"]).exists():
                    raise AddressTaken(address=address)
                entry = DirectoryEntry(customer=customer, mailbox_id=mailbox_id)
            for field, value in values.items():
                setattr(entry, field, value)
            entry.save()
    except IntegrityError as error:
        raise AddressTaken(address=address) from error


def names_of(customer: Customer) -> list[tuple[UUID, str, str]]:
    """What the customer's mailboxes are called, with their ids; of those that are there."""
    entries = DirectoryEntry.objects.filter(customer=customer)
    there = entries.filter(status__in=(Status.ACTIVE, Status.SUSPENDED))
    return list(there.values_list("mailbox_id", "name", "description"))


def has_another(address: str, *, mailbox_id: UUID) -> bool:
    """Whether a mailbox other than this one has or had the address."""
    others = DirectoryEntry.objects.exclude(mailbox_id=mailbox_id)
    return others.filter(address=address).exists() or RetiredAddress.objects.filter(address=address).exists()


def give_up(customer: Customer) -> int:
    """Take away its lines, in the caller's transaction; of mailboxes that were deleted the addresses stay retired.

    Says how many were not retired already.
    """
    entries = DirectoryEntry.objects.filter(customer=customer)
    deleted = entries.filter(status__in=(Status.DELETING, Status.RETIRED))
    RetiredAddress.objects.bulk_create(
        RetiredAddress(address=address) for address in deleted.values_list("address", flat=True)
    )
    live = entries.exclude(status=Status.RETIRED).count()
    entries.delete()
    return live


def bring_back(customer: Customer, mailboxes: Collection[UUID]) -> list[str]:
    """Of a customer that comes back with these mailboxes and no others, before these are published: the addresses of all others
    are retired. Says which of them took mail. In the caller's transaction.

    A mailbox that was deleted and is there again gets another address: its retired line names no mailbox any more.
    """
    entries = DirectoryEntry.objects.filter(customer=customer).order_by("address")
    gone = entries.exclude(status=Status.RETIRED).exclude(mailbox_id__in=mailboxes)
    lost = list(gone.exclude(status=Status.DELETING).values_list("address", flat=True))
    now = timezone.now()
    gone.update(status=Status.RETIRED, updated_at=now)
    entries.filter(status=Status.DELETING).update(status=Status.RETIRED, updated_at=now)
    for entry in entries.filter(status=Status.RETIRED, mailbox_id__in=mailboxes):
        entry.mailbox_id = uuid4()
        entry.save(update_fields=["mailbox_id"])
    return lost


def count(customer: Customer) -> int:
    """How many mailboxes the customer has."""
    return DirectoryEntry.objects.filter(customer=customer).exclude(status=Status.RETIRED).count()


def look_up(address: str) -> DirectoryEntry | None:
    """The entry of an address in any letters, with its customer at hand; retired ones too: look at the status.

    Raises NotYetRestored, for then nobody knows yet which addresses there are.
    """
    # PostgreSQL can't be asked for a NUL; and of other letters one or two would become ASCII, so somebody else's.
    if "\x00" in address or not address.isascii():
        return None
    found = DirectoryEntry.objects.select_related("customer").filter(address=address.lower()).first()
    if found is None and migrated.restored_from()[0]:
        raise NotYetRestored("This database is being restored from a backup.")
    return found


def look_up_login(login: str) -> DirectoryEntry | None:
    """As look_up, but the part before the @ alone will do, as archivers send it."""
    login = login.strip()
    return look_up(login if "@" in login else f"{login}@{settings.MAIL_DOMAIN}")
