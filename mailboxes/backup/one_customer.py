"""One customer comes back from a backup, or comes from another installation: beside the living ones, or in its own name.

Everything is looked at first, then the mail is copied, and last comes one transaction with all rows: until it is committed
there is no such customer. What was broken off before left files in folders that no customer has, and the same call finds
them there. Of the dump only rows are read (`rows`): whoever could write a backup of theirs into its place gets rows into a
schema of its own, and runs nothing.

Where the customer's id is in use here, everything gets ids of its own, which each attempt comes to alike; its keys note
under which ones their locks and messages were made (`MailboxKey.sealed_as`). Else it keeps its ids, and its addresses where
these are free. One that is here and has lost its schema is brought in its own place: its lines of the directory stand until
they are published anew, so that senders keep their mail meanwhile.
"""

import logging
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

import psycopg
from django.conf import settings
from django.db import DatabaseError, DataError, IntegrityError
from django.db.models import Max
from django.utils import timezone
from django_tenants.utils import schema_context, tenant_context

from accounts.actors import Actor
from accounts.zones import is_zone
from mailboxes.backup import judging, loading, rows, tools
from mailboxes.backup.alone import Progress, Tell, be_alone, installations, telling
from mailboxes.backup.errors import BackupDamaged, BackupFailed, NoSuchBackup, NotEmpty, RestoreFailed
from mailboxes.backup.index import NAME, Line
from mailboxes.backup.loading import APP, MIGRATIONS
from mailboxes.backup.place import ONE_CUSTOMER
from mailboxes.backup.renaming import FOLDER_LENGTH, Ids
from mailboxes.backup.restoring import bring_messages
from mailboxes.backup.rows import Row
from mailboxes.backup.sets import CONTENTS, INDEX, Backup, index_of
from mailboxes.backup.since import BROUGHT, DELETED, TOLD, act_of, acts_since
from mailboxes.models import Mailbox, MailboxKey, Message
from mailboxes.services import creation, jobs, tallies
from mailboxes.services.keyring import publish
from mailboxes.store import store
from tenants import access, audit, cluster, directory, migrated, pooling, slugs, spares
from tenants.bringing import bring_back, bring_customer
from tenants.errors import BeingUpgraded, SlugTaken
from tenants.models import NAME_LENGTH, AuditEvent, Customer, DirectoryEntry, OpenJob
from tenants.schemas import is_there, require_room, require_the_role_that_serves
from tenants.services import LIMITS, check_place_name, provider_by_slug
from tenants.upgrading import migrating
from tenants.upgrading.schemas import database_is_newer
from tenants.whose import LesserOwner

log = logging.getLogger(__name__)

ADDRESS = re.compile(r"mbx-[a-z0-9]{16}")
NAMES = 1000  # of one query
NAMED = 5  # of the customers of a backup, to who asks for another
STAYS = "It comes back in its own place, with the name and the provider that it has here: leave out --name and --provider."


@dataclass
class Brought:
    """A customer that is there now. `left_out` are mailboxes that were deleted, `since` what was done to those of the backup
    after it was taken, as far as the trail here knows.
    """

    name: str
    made_at: str
    was: str
    customer: str = ""
    id: str = ""
    host: str = ""
    provider: str = ""
    messages: int = 0
    octets: int = 0
    missing: list[str] = field(default_factory=list)
    mailboxes: list[dict[str, str]] = field(default_factory=list)
    left_out: list[dict[str, str]] = field(default_factory=list)
    since: list[dict[str, str]] = field(default_factory=list)
    trail_is_known: bool = False
    waiting_jobs: int = 0
    in_its_place: bool = False  # of one that was here without a schema
    not_ours: list[str] = field(default_factory=list)  # tables that no release has made: they stay out
    without_locks: int = 0  # keys of mailboxes that no password opens
    lacked: dict[str, list[Any]] = field(
        default_factory=dict
    )  # by kind: what the backup said of it that no restore brings
    lost: list[str] = field(default_factory=list)  # addresses of mailboxes that no backup has


class _Dumped(NamedTuple):
    """What the rows say that decide about others."""

    applied: frozenset[tuple[str, str]]  # migrations
    mailboxes: dict[str, Row]
    dead_keys: set[str]  # destroyed, with their mail on its way out
    keys_of: dict[str, list[str]]


def restore_customer(
    place: str,
    key: str,
    slug: str = "",
    *,
    by: Actor,
    as_slug: str = "",
    as_name: str = "",
    provider: str = "",
    name: str = "",
    active: bool = False,
    with_deleted: bool = False,
    despite_damage: bool = False,
    tell: Tell = lambda progress: None,
) -> Brought:
    """Bring the customer `slug` (or the only one that is in it) from a backup or an export. Its mailboxes are suspended, unless
    they come `active` as they were. Repeated, it goes on where it was broken off.

    Raises NotAllowed, LesserOwner; NoPlace, NoSuchBackup, NoRecoveryKey, BackupRunning; NotEmpty, SlugTaken, SchemaInTheWay, InvalidSlug,
    NoSuchProvider, BeingUpgraded, NoSuchCustomer before anything was done; BackupDamaged, PlaceFailed, RestoreFailed,
    StoreFull, StoreFailed before anything is to be seen.
    """
    access.require(by, access.PLATFORM, access.Right.RESTORE)
    backup = Backup(place, key, name)
    facts = _find(backup, slug)
    try:
        if cluster.is_prepared():
            raise RestoreFailed(
                "This database is a cluster, and onto one no customer can be brought from a backup (docs/cluster.md)."
            )
        pooling.require_no_pooler()
        require_the_role_that_serves()
        one = _One(backup, facts, as_slug, as_name, by)
        with be_alone() as guard:
            one.choose_provider(provider)
            backup.verify_parts(CONTENTS, INDEX, one.facts["part"])
            one.look(with_deleted=with_deleted)
            one.bring_messages(telling(tell, guard), despite_damage=despite_damage)
            tell(Progress("loading the database"))
            one.load(guard, active=active)
    except LesserOwner:
        raise
    except (psycopg.DataError, psycopg.IntegrityError, DataError, IntegrityError) as error:
        raise BackupDamaged(
            f"The backup has rows that are none, and nothing has changed: {tools.first_line(error)}"
        ) from error
    except (psycopg.Error, DatabaseError) as error:
        raise RestoreFailed(
            f"The database did not take it, and nothing has changed: {tools.first_line(error)}"
        ) from error
    except BackupFailed as error:  # there is no pg_restore
        raise RestoreFailed(str(error)) from error
    log.info(
        "a customer was %s customer=%s place=%s set=%s",
        "imported" if one.is_import else "restored",
        one.done.customer,
        backup.place.url,
        backup.name,
    )
    return one.done


def _find(backup: Backup, slug: str) -> dict[str, Any]:
    there = {customer["slug"]: customer for customer in backup.contents["customers"]}
    wrong = {one["customer"]: one["why"] for one in backup.contents["wrong"]}
    if not slug and not there and len(wrong) == 1:
        slug = next(iter(wrong))
    if slug in wrong:
        raise BackupDamaged(f"The customer {slug!r} of {backup.name} can't be brought: {wrong[slug]}.")
    if not slug and len(there) == 1:
        return dict(next(iter(there.values())))
    if not slug:
        raise NoSuchBackup(
            f"{backup.name} is a backup of a whole installation: manage.py restore brings one of its customers, "
            "with --customer SLUG."
        )
    if slug not in there:
        known = sorted(there)
        raise NoSuchBackup(
            f"There is no customer {slug!r} in {backup.name}. It has "
            + (", ".join(known[:NAMED]) or "none")
            + (f" and {len(known) - NAMED} more" if len(known) > NAMED else "")
            + "."
        )
    return dict(there[slug])


class _One:
    """One customer on its way."""

    def __init__(self, backup: Backup, facts: dict[str, Any], as_slug: str, as_name: str, by: Actor) -> None:
        self.backup, self.facts, self.by = backup, facts, by
        self.ids = Ids(UUID(facts["id"]), facts["slug"])
        self.done = Brought(backup.name, backup.manifest["made_at"], facts["slug"])
        self.done.lacked = judging.lacking_of(facts, backup.contents["lacks"])
        self.is_import = backup.manifest["format"] == ONE_CUSTOMER
        self.slug = slugs.check(as_slug or facts["slug"])
        self.original = Customer.objects.select_related("provider").filter(pk=self.ids.former).first()
        self.back: Customer | None = None  # whose place it takes
        if self.original and not as_slug and not self.is_import and not self._has_schema(self.original):
            self.slug = self.original.slug
            self.back, self.original = self.original, None
            self.done.in_its_place = True
            if as_name:
                raise NotEmpty(STAYS)
            require_room(self.back.schema_name, slug=self.slug)
        if self.original and not as_slug:
            raise NotEmpty(
                f"The customer {self.original.slug} is there. Bring it beside that one, under another short name: --as NEW."
            )
        if not self.back and Customer.objects.filter(slug=self.slug).exists():
            raise SlugTaken(slug=self.slug)
        self.is_renamed = bool(as_slug)
        if self.original:
            self.ids.become_new(self.slug)
        # Two copies of one day have two short names.
        which = f" ({self.slug}, {self.done.made_at[:10]})" if self.original else ""
        name = as_name or facts["name"][: NAME_LENGTH - len(which)] + which
        self.name = check_place_name(name)
        self.left_out: set[str] = set()

    def choose_provider(self, slug: str) -> None:
        """Raises NoSuchProvider, NotEmpty when it has to be said."""
        with tools.connect() as where:
            ours = installations(where, None) + installations(where, self.ids.former)
        self.is_ours = self.backup.place.owner() in ours
        if self.back:
            if slug:
                raise NotEmpty(STAYS)
            self.provider = self.back.provider
            return
        if not slug and self.original:
            self.provider = self.original.provider
            return
        if not slug and self.is_ours:
            slug = self.facts.get("provider", "")
        if not slug:
            raise NotEmpty("Say whose customer it becomes: --provider SLUG.")
        self.provider = provider_by_slug(slug, by=self.by)

    # --- Looking ---
    def look(self, *, with_deleted: bool) -> None:
        """What is in the dump, and what of it is not to come back. Raises BackupDamaged, RestoreFailed, BeingUpgraded."""
        wanted = (MIGRATIONS, "mailboxes_mailbox", "mailboxes_mailboxkey")
        applied: frozenset[tuple[str, str]] = frozenset()
        mailboxes: dict[str, Row] = {}
        dead_keys: set[str] = set()
        keys_of: dict[str, list[str]] = {}
        with_current_key: set[str] = set()
        for table in self._tables(*wanted):
            if table.name == MIGRATIONS:
                applied = loading.migrations_in(table)
                continue
            for row in table.rows:
                if table.name == "mailboxes_mailbox":
                    judging.require_mailbox(row)
                    mailboxes[row["id"]] = row
                else:
                    judging.require_key(row)
                    keys_of.setdefault(row["mailbox_id"], []).append(row["id"])
                    if row["state"] == MailboxKey.State.DESTROYED:
                        dead_keys.add(row["id"])
                    elif row["state"] == MailboxKey.State.CURRENT:
                        with_current_key.add(row["mailbox_id"])
        self.dumped = _Dumped(applied, mailboxes, dead_keys, keys_of)
        if not applied:
            raise BackupDamaged(f"{self.facts['part']} does not have the schema {self.facts['schema']}.")
        if database_is_newer():  # it is asked once more at the end, hours later
            raise BeingUpgraded
        if later := migrated.later([(app, name) for app, name in applied if app == APP]):
            raise RestoreFailed(
                f"{self.backup.name} was taken by a later release, with {later[-1]}. Bring it to one that is no older."
            )
        self._require_free_ids()
        self.with_deleted = with_deleted
        self._leave_out_what_was_deleted()
        for pk in mailboxes.keys() - self.left_out - with_current_key:
            raise BackupDamaged(f"The mailbox {mailboxes[pk]['address']} of the backup has no current key.")

    def _require_free_ids(self) -> None:
        """Others here may have mailboxes of the same ids, though the customer itself is not there. Raises NotEmpty."""
        ids = map(self.ids.mailbox, self.dumped.mailboxes)
        others = DirectoryEntry.objects.exclude(customer=self.back) if self.back else DirectoryEntry.objects
        if self.ids.are_new or not others.filter(mailbox_id__in=list(ids)).exists():
            return
        if not self.is_renamed:
            raise NotEmpty(
                f"Another customer here has mailboxes with the ids of those of {self.facts['slug']}. Bring it with ids of its "
                "own, under another short name: --as NEW."
            )
        self.ids.become_new(self.slug)

    def _leave_out_what_was_deleted(self) -> None:
        self.left_out, self.done.left_out = set(), []
        trail = AuditEvent.objects.filter(customer_id=self.ids.former)
        made_at = datetime.fromisoformat(self.done.made_at)
        # What was done here before tells nothing of what was done where it lived since, and an import writes lines, too.
        self.done.trail_is_known = self.is_ours and trail.filter(at__lt=made_at).exists()
        known = (
            act_of(pk, at, action, self.ids.former, mailbox, name)
            for pk, at, action, mailbox, name in trail.of(*TOLD).values_list(
                "pk", "at", "action", "target_id", "target_name"
            )
        )
        back = trail.of(*BROUGHT).filter(at__lt=made_at).aggregate(last=Max("pk"))["last"]
        brought = {self.ids.former: back} if back else None
        acts = acts_since(known, set(map(UUID, self.dumped.mailboxes)), made_at, brought)
        deleted = {str(act.mailbox) for act in acts if act.action == DELETED}
        self.done.since = [
            {"at": act.at.isoformat(timespec="seconds"), "action": act.action, "mailbox": act.name}
            for act in acts
        ]
        for pk, row in self.dumped.mailboxes.items():
            being = row["status"] == Mailbox.Status.DELETING
            if being or (pk in deleted and not self.with_deleted):
                self.left_out.add(pk)
                why = "being-deleted" if being else "deleted-since"
                self.done.left_out.append(
                    {"name": rows.plain(row["name"]) or "", "address": row["address"], "why": why}
                )

    def _leave_out_what_was_deleted_meanwhile(self, guard: pooling.Guard) -> None:
        """Mail is copied for hours. Raises PlaceFailed, StoreFailed, LockLost, NotEmpty."""
        before = self.left_out
        self._leave_out_what_was_deleted()
        if not (late := self.left_out - before):
            return
        folders = {self.ids.former_folder(pk) for pk in late}
        lost = set(self.done.missing)
        for line in index_of(self.backup.place, self.backup.name):
            if line.folder in folders and line.name not in lost:
                self.done.messages -= 1
                self.done.octets -= line.octets
        self.done.missing = [name for name in self.done.missing if name[:FOLDER_LENGTH] not in folders]
        for pk in late:
            guard.still()
            if self._is_there():
                raise NotEmpty(f"Somebody else has brought {self.slug} meanwhile.")
            store().remove_mailbox(self.ids.customer, self.ids.mailbox(pk))

    def _is_there(self) -> bool:
        there = Customer.objects.filter(pk=self.ids.customer).first()
        return there is not None and (not self.back or self._has_schema(there))

    @staticmethod
    def _has_schema(customer: Customer) -> bool:
        return is_there(customer.schema_name)

    def _require_nothing_deleted_meanwhile(self) -> None:
        """Raises RestoreFailed."""
        before = self.left_out
        self._leave_out_what_was_deleted()
        if self.left_out != before:
            raise RestoreFailed(
                "A mailbox was deleted while the rows were loaded, and nothing has changed. Repeat it."
            )

    def _tables(self, *names: str) -> Iterator[rows.Table]:
        """Of the dump; its rows are still as they were. Raises BackupDamaged, RestoreFailed."""
        return rows.tables(tools.read(self.backup.part(self.facts["part"]), self.facts["schema"], *names))

    # --- The messages ---
    def bring_messages(self, tell: Tell, *, despite_damage: bool) -> None:
        """Raises BackupDamaged, when all else is there, PlaceFailed, StoreFull, StoreFailed."""
        bring_messages(
            self.backup,
            self._lines(),
            self.done,
            Progress("copying messages"),
            tell,
            self.ids.blob,
            self.ids.folder,
        )
        if self.done.missing and not despite_damage:
            raise BackupDamaged(
                f"{len(self.done.missing)} of the backup's messages are missing or altered there, {self.done.missing[0]} for one; "
                "manage.py check_backup names all. Nothing is to be seen yet: take another backup, or bring the rest "
                "with --despite-damage."
            )

    def _lines(self) -> Iterator[Line]:
        left_out = {self.ids.former_folder(pk) for pk in self.left_out}
        for line in index_of(self.backup.place, self.backup.name):
            if line.name.startswith(f"{self.ids.former.hex}/") and line.folder not in left_out:
                yield line

    # --- The rows ---
    def load(self, guard: pooling.Guard, *, active: bool) -> None:
        """All rows, and what is public of them, in one transaction. Raises DatabaseError, BackupDamaged, SlugTaken, …"""
        customer = self.back or Customer(
            id=self.ids.customer,
            slug=self.slug,
            name=self.name,
            provider=self.provider,
            allowed_networks=self._decided("allowed_networks", []),
            tags=self._decided("tags", []),
            group=self._decided("group", ""),
            # Another installation may not know it.
            language=language
            if (language := self._decided("language", "")) in dict(settings.LANGUAGES)
            else "",
            time_zone=zone if is_zone(zone := self._decided("time_zone", "")) else "",
            **{name: self._decided(name, None) for name in LIMITS},
        )
        ours = {f"{app}.{name}" for app, name in self.dumped.applied if app == APP}
        is_todays = ours == migrated.wanted()

        def fill(schema: str) -> None:
            """Of `public` nothing is held meanwhile but a spare schema's row; earlier migrations may read there."""
            if is_todays:
                spares.take(schema)
            else:
                migrating.make(schema, self.dumped.applied)
            strange = loading.copy_rows(
                self._tables(),
                schema,
                self.ids,
                without_mailboxes=self.left_out,
                without_keys=self._dropped_keys(),
            )
            self.done.not_ours = [f"{self.facts['schema']}.{table}" for table in strange]
            if not is_todays:
                migrating.bring_up_to_date(schema)
            self.done.without_locks = loading.without_locks(schema)
            with schema_context(schema):
                self._settle()

        self._leave_out_what_was_deleted_meanwhile(guard)
        with loading.lasting():
            bring = bring_back if self.back else bring_customer
            bring(customer, fill_schema=fill, by=self.by)
            with tenant_context(customer):
                self._publish(customer, active)
            self._require_nothing_deleted_meanwhile()
            self._record(customer)
            guard.still()

    def _decided(self, name: str, default: Any) -> Any:
        """By staff, as the backup has it, or else as it is with the original."""
        return self.facts.get(name, getattr(self.original, name, default))

    def _dropped_keys(self) -> set[str]:
        of_left_out = (key for pk in self.left_out for key in self.dumped.keys_of.get(pk, ()))
        return self.dumped.dead_keys.union(of_left_out)

    def _settle(self) -> None:
        """What of the rows is not as it was."""
        if self.ids.are_new:
            former = {self.ids.mailbox(pk): UUID(pk) for pk in self.dumped.mailboxes}
            for key in MailboxKey.objects.all():
                key.sealed_as = [*key.sealed_as, [self.ids.former.hex, former[key.mailbox_id].hex]]
                key.save(update_fields=["sealed_as"])
        lost = [*self.done.missing, *self._lost_before()]
        for start in range(0, len(lost), NAMES):
            names = list(map(self.ids.blob, lost[start : start + NAMES]))
            unmarked = Message.objects.filter(blob__in=names, damaged_at=None)
            unmarked.update(damaged_at=timezone.now(), damage=Message.Damage.MISSING)
        tallies.count_anew()

    def _publish(self, customer: Customer, active: bool) -> None:
        """What of the customer everybody knows, and under which addresses mail comes."""
        if self.back:
            OpenJob.objects.filter(customer=customer).delete()  # of which the backup may know nothing
            self.done.lost = directory.bring_back(customer, set(Mailbox.objects.values_list("pk", flat=True)))
        self.done.waiting_jobs = jobs.stop_all(customer)
        for mailbox in Mailbox.objects.order_by("name", "pk"):
            was = mailbox.address
            mailbox.address = self._address(was, mailbox.pk)
            if not active and mailbox.status == Mailbox.Status.ACTIVE:
                mailbox.status = Mailbox.Status.SUSPENDED
                mailbox.suspended_at = timezone.now()
                mailbox.suspended_by_email = self.by.email
                mailbox.suspension_reason = ""
                mailbox.suspension_cause = (
                    Mailbox.Cause.IMPORTED if self.is_import else Mailbox.Cause.RESTORED
                )
                mailbox.suspension_backup_at = datetime.fromisoformat(self.done.made_at)
            mailbox.save()
            publish(customer, mailbox)
            self.done.mailboxes.append(
                {"name": mailbox.name, "address": mailbox.address, "was": was, "status": mailbox.status}
            )
        tallies.fold(customer, wholly=True)

    def _lost_before(self) -> list[str]:
        return [
            name
            for name in self.backup.contents["missing"]
            if name.startswith(f"{self.ids.former.hex}/") and NAME.fullmatch(name)
        ]

    def _address(self, was: str, mailbox: UUID) -> str:
        """Its own one, below today's domain, unless another one here has it or had it; archivers may send the first part alone."""
        letters = was.partition("@")[0]
        own = f"{letters}@{settings.MAIL_DOMAIN}"
        is_free = ADDRESS.fullmatch(letters) and not directory.has_another(own, mailbox_id=mailbox)
        return own if is_free else creation.new_address()

    def _record(self, customer: Customer) -> None:
        self.done.customer, self.done.id, self.done.host = customer.slug, str(customer.pk), customer.host
        self.done.provider = self.provider.slug
        data = {
            "set": self.backup.name,
            "backup_at": self.done.made_at,
            "restored_from": self.done.was,
            "mailboxes": len(self.done.mailboxes),
            "messages": self.done.messages,
        }
        if self.is_import:
            data["place"] = self.backup.place.url
        action = "customer.imported" if self.is_import else "customer.restored"
        # Whose mail it is reads that there are two of it now.
        for whose in filter(None, (customer, self.original)):
            audit.record(action, by=self.by, customer=whose, target=customer, data=data)
