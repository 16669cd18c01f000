"""A customer goes to another installation: what an export has and has not, and that nothing is believed that it says.

All tests are at the other installation, and bring from one export and one backup, each under a short name of its own.
"""

import hashlib
import io
import json
import shutil
import sys
from types import SimpleNamespace
from uuid import UUID

import pytest
from django.conf import settings as ours
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import override_settings
from django_tenants.utils import tenant_context

from accounts.actors import SYSTEM
from mailboxes import services
from mailboxes.backup import back_up, export_customer, keys, taking
from mailboxes.backup.place import Place
from mailboxes.backup.restoring import Backup
from mailboxes.backup.sets import find
from mailboxes.models import Mailbox, Message
from tenants import activity
from tenants.models import AuditEvent, Customer, DirectoryEntry
from tenants.services import create_customer, edit_customer
from tests.cast import customer, provider
from tests.conftest import _clone
from tests.mailboxes.backups import TEXTS, Operator, box_of, collected, makes, takes

PARTS = {"contents.sealed", "customers-0000.dump.sealed", "messages"}
HERE = "gateway.elsewhere.example"
# What is decided about the customer that goes.
FACTS = {
    "language": "de",
    "time_zone": "Europe/Berlin",
    "group": "Gold",
    "tags": ["on-site", "new"],
    "mailbox_limit": 5,
    "waiting_quota_octets": 50_000_000,
    "mailbox_quota_octets": 10_000_000,
    "message_limit_octets": 1_000_000,
    "allowed_networks": ["192.0.2.0/24"],
}
TOO_MANY = 2**63  # one more than a column of ours holds


# --- At home ---
def planted(slug, *statements, blob=""):
    """A customer in whose rows somebody wrote, past all verbs."""
    made = create_customer(slug, slug, provider=provider("northwind"), by=SYSTEM)
    makes(made, "Other", b"else")
    makes(made, "Journal", b"mine")
    with tenant_context(made), connection.cursor() as cursor:
        cursor.execute("SET search_path TO " + made.schema_name)
        for statement in statements:
            cursor.execute(statement)
        if blob:
            message = Message.objects.get(mailbox__name="Journal")
            other = Message.objects.get(mailbox__name="Other")
            name = blob.format(folder=f"{made.pk.hex}/{message.mailbox_id.hex}", other=other.blob)
            if name == other.blob:
                other.delete()
            Message.objects.filter(pk=message.pk).update(blob=name)


def plant():
    theirs = makes(customer("acme"), "Theirs", b"of Acme")
    with tenant_context(customer("acme")):
        planted_name = Message.objects.get(mailbox=theirs.mailbox).blob
    planted("p-theirs", blob=planted_name)
    planted("p-other", blob="{other}")
    planted("p-folder", blob="{folder}/")
    planted("p-outside", blob="{folder}/../../../../outside")
    planted("p-keyless", "UPDATE mailboxes_mailboxkey SET state = 'retired'")
    planted("p-status", "UPDATE mailboxes_mailbox SET status = 'whatever'")
    planted(
        "p-address",
        "UPDATE mailboxes_mailbox SET address = E'x\\x1b[2J\\nMAILBOX fake@x' WHERE name = 'Other'",
    )
    tally = "INSERT INTO mailboxes_tally (mailbox_id, messages, octets, put_off) SELECT id, {0}, 0, 0 FROM mailboxes_mailbox"
    planted(
        "p-tally",
        "DELETE FROM mailboxes_tally",
        "ALTER TABLE mailboxes_tally ALTER messages TYPE numeric",
        tally.format(TOO_MANY),
    )
    planted(
        "p-octets",
        "ALTER TABLE mailboxes_message ALTER octets TYPE numeric",
        f"UPDATE mailboxes_message SET octets = {TOO_MANY}",
    )
    planted(
        "p-serial",
        f"UPDATE mailboxes_message SET id = {TOO_MANY - 1} WHERE blob IN (SELECT max(blob) FROM mailboxes_message)",
    )


@pytest.fixture(scope="module")
def scene(one_database, tmp_path_factory):
    folder = tmp_path_factory.mktemp("scene")
    for name in ("store", "export", "backups"):
        (folder / name).mkdir(mode=0o700)
    chosen = SimpleNamespace()
    export = Operator(chosen, (folder / "export").as_uri())
    public, key, place = chosen.RECOVERY_PUBLIC_KEY, export.key, export.place
    with override_settings(STORE_ROOT=folder / "store", RECOVERY_PUBLIC_KEY=public):
        newcomer = create_customer("newcomer", "Newcomer", provider=provider("northwind"), by=SYSTEM)
        edit_customer(newcomer, by=SYSTEM, **FACTS)
        box = makes(newcomer, "Journal", *TEXTS)
        copied = [export_customer(place, newcomer, by=SYSTEM).copied]
        takes(box, b"late")
        services.suspend_mailbox(newcomer, box.mailbox, by=SYSTEM)
        copied.append(export_customer(place, newcomer, by=SYSTEM).copied)
        lines = AuditEvent.objects.of("customer.exported").filter(customer_id=newcomer.pk).count()
        plant()
        backups = (folder / "backups").as_uri()
        back_up(backups, by=SYSTEM)
        # From here on this is another installation.
        _clone()
        with connection.cursor() as cursor:
            cursor.execute("UPDATE django_migrations SET applied = applied - interval '1 day'")
        shutil.rmtree(folder / "store")
        (folder / "store").mkdir(mode=0o700)
        yield SimpleNamespace(**locals())


@pytest.fixture(autouse=True)
def _there(scene, settings):
    settings.STORE_ROOT, settings.RECOVERY_PUBLIC_KEY = scene.folder / "store", scene.public
    settings.MAIL_DOMAIN = HERE


@pytest.fixture
def command(scene, monkeypatch):
    """What it prints that is told the recovery key."""

    def run(*arguments, **options):
        monkeypatch.setattr(sys, "stdin", io.StringIO(scene.key))
        said = io.StringIO()
        call_command(*arguments, stdout=said, **options)
        return said.getvalue()

    return run


@pytest.fixture
def imports(scene, command):
    return lambda **options: command("import_customer", scene.place, **options)


# --- A move ---
def test_ids_that_others_have_here_are_told_before_anything_is_copied(scene, imports):
    taken = DirectoryEntry.objects.create(
        address=f"{scene.box.address.partition('@')[0]}@{HERE}",
        customer=customer("acme"),
        mailbox_id=scene.box.mailbox.pk,
        status="active",
        public_key=b"x",
        generation=1,
    )
    with pytest.raises(
        CommandError, match="Another customer here has mailboxes with the ids of those of newcomer"
    ):
        imports(provider="fabrikam")
    assert not list(ours.STORE_ROOT.iterdir())
    imports(provider="fabrikam", as_slug="first")
    first = box_of("first", "Journal", scene.box.password)
    assert first.mailbox.pk != scene.box.mailbox.pk
    assert collected(first) == [*TEXTS, b"late"]
    taken.delete()


@pytest.fixture
def moved(scene, imports, caplog):
    """What is said of the customer that came in its own name."""
    if not hasattr(scene, "said"):
        with pytest.raises(CommandError, match="Say whose customer it becomes: --provider"):
            imports()
        with caplog.at_level("INFO"):
            scene.said = imports(provider="fabrikam")
        scene.logged = caplog.text
    return scene.said


def test_it_comes_with_its_id_name_and_limits(scene, moved):
    assert "What was done after the backup, deletions too, is not known here." in moved
    assert "newcomer: ok: 3 messages, 3 files" in moved
    here = customer("newcomer")
    assert (here.pk, here.name, here.provider.slug) == (scene.newcomer.pk, "Newcomer", "fabrikam")
    assert {name: getattr(here, name) for name in FACTS} == FACTS


def test_its_mailboxes_have_their_ids_addresses_and_passwords(scene, moved):
    box = box_of("newcomer", "Journal", scene.box.password)
    assert box.mailbox.pk == scene.box.mailbox.pk
    assert box.address == f"{scene.box.address.partition('@')[0]}@{HERE}"
    assert collected(box)[:3] == [*TEXTS, b"late"]


def test_it_takes_mail_once_activated(scene, moved):
    box = box_of("newcomer", "Journal", scene.box.password)
    services.activate_mailbox(customer("newcomer"), box.mailbox, by=SYSTEM)
    takes(box, b"new")
    assert collected(box) == [*TEXTS, b"late", b"new"]


def test_its_activity_says_that_it_was_imported_and_from_where(scene, moved):
    trail = activity.activity_at(customer("newcomer"), by=SYSTEM)
    said = [activity.sentence(entry.event) for entry in activity.read(trail, activity.Asked()).entries]
    assert f"The customer “Newcomer” was imported from an export at {scene.place}." in said


def test_the_log_says_that_it_was_imported_and_from_where(scene, moved):
    assert f"a customer was imported customer=newcomer place={scene.place} set=" in scene.logged
    assert "was restored" not in scene.logged


def test_what_was_done_where_it_lived_is_not_known_by_what_it_did_here(scene, moved, imports):
    assert "is not known here" in imports(as_slug="second", provider="northwind")
    assert collected(box_of("second", "Journal", scene.box.password)) == [*TEXTS, b"late"]
    assert customer("second").name.startswith("Newcomer (second, 20")


# --- An export ---
def test_a_second_one_copies_what_is_new_and_each_has_its_line_in_the_activity(scene):
    assert (scene.copied, scene.lines) == ([2, 1], 2)


def test_it_has_nothing_of_others_and_no_secret(scene):
    backup = Backup(scene.place, scene.key, "")
    contents, dump = (
        b"".join(backup.part(part)) for part in ("contents.sealed", "customers-0000.dump.sealed")
    )
    assert {part["name"] for part in backup.manifest["parts"]} == PARTS
    for secret in (ours.SECRET_KEY, ours.WORKER_KEY):
        assert secret.encode() not in contents
    assert b"newcomer" in contents
    assert b"acme" not in contents
    assert b"acme" not in dump
    assert [path.name for path in (scene.folder / "export").glob("blobs/*")] == [scene.newcomer.pk.hex]


def test_it_is_taken_for_no_backup_and_no_backup_for_it(scene, command, monkeypatch):
    with pytest.raises(CommandError, match="is an export of one customer"):
        command("restore", scene.place)
    monkeypatch.setattr(sys, "stdin", None)  # without being asked for a key
    with pytest.raises(CommandError, match="is an export of one customer, for manage.py import_customer"):
        call_command("restore", scene.place)
    with pytest.raises(CommandError, match="or of one customer, lie in"):
        command("backup", scene.place)
    with pytest.raises(CommandError, match="or of one customer, lie in"):
        command("export_customer", "acme", scene.place)
    with pytest.raises(CommandError, match="a backup of a whole installation"):
        command("import_customer", scene.backups)


@pytest.fixture
def exports(command, tmp_path):
    """Acme's, into a place of their own."""
    place = tmp_path / "exports"
    place.mkdir()
    return SimpleNamespace(
        place=Place(place.as_uri()), take=lambda: command("export_customer", "acme", place.as_uri())
    )


def test_activity_and_log_say_where_it_lies(exports, caplog):
    with caplog.at_level("INFO"):
        exports.take()
    line = AuditEvent.objects.of("customer.exported").latest("pk")
    assert activity.sentence(line) == (
        f"The customer “{line.target_name}” was exported for another installation, to {exports.place.url}."
    )
    assert f"a customer was exported customer=acme place={exports.place.url} set=" in caplog.text


def test_none_is_whole_before_the_activity_says_so(exports, monkeypatch):
    close = taking._Taking.close

    def ends_there(self):
        close(self)
        raise KeyboardInterrupt

    monkeypatch.setattr(taking._Taking, "close", ends_there)
    with pytest.raises(KeyboardInterrupt):
        exports.take()
    line = AuditEvent.objects.of("customer.exported").latest("pk")
    assert line.data["set"] == find(exports.place)[0]


@pytest.fixture
def no_line_is_taken():
    with connection.cursor() as cursor:
        cursor.execute(
            "ALTER TABLE tenants_auditevent ADD CONSTRAINT none CHECK (action <> 'customer.exported') NOT VALID"
        )
        yield
        cursor.execute("ALTER TABLE tenants_auditevent DROP CONSTRAINT none")


def test_there_is_none_without_its_line(exports, no_line_is_taken):
    with pytest.raises(CommandError, match="there is no export without"):
        exports.take()
    assert not [name for name in exports.place.sets() if exports.place.manifest(name)]


# --- Forged ones ---
@pytest.fixture
def forge(scene):
    """Whoever can write there seals to the public key: facts of the customer, and other files of the newest export."""
    name, _ = find(Place(scene.place))
    folder = scene.folder / "export" / "sets" / name
    whole = {path: path.read_bytes() for path in folder.iterdir()}
    backup = Backup(scene.place, scene.key)

    def write(facts=None, contents=None, manifest=None, messages=None):
        said, of = json.loads(json.dumps(backup.contents)), json.loads(whole[folder / "manifest.json"])
        said["customers"][0] |= facts or {}
        sealed = keys.seal(
            [json.dumps(said | (contents or {})).encode()],
            keys.public_key(),
            of=UUID(of["id"]),
            name="contents.sealed",
        )
        files = {"contents.sealed": b"".join(sealed)}
        if messages is not None:
            files["messages"] = messages.encode()
        for file, octets in files.items():
            (folder / file).write_bytes(octets)
            for part in of["parts"]:
                if part["name"] == file:
                    part |= {"octets": len(octets), "sha256": hashlib.sha256(octets).hexdigest()}
        (folder / "manifest.json").write_text(json.dumps(of | (manifest or {})))

    yield write
    for path, octets in whole.items():
        path.write_bytes(octets)


TWICE = object()


@pytest.mark.parametrize(
    ("why", "forged"),
    [
        ("a proper id", {"facts": {"id": "zz"}}),
        ("a proper short name", {"facts": {"slug": "a\x1b[2Jb"}}),
        ("a proper name", {"facts": {"name": ["Newcomer"]}}),
        ("can't be used as a name|name", {"facts": {"name": "\x1b[2J\u202eevil"}}),
        ("a proper schema", {"facts": {"schema": "public"}}),
        ("a proper part", {"facts": {"part": "../../../../etc/passwd"}}),
        ("a proper part", {"facts": {"part": None}}),
        ("a proper provider", {"facts": {"provider": 1}}),
        ("a proper list of networks", {"facts": {"allowed_networks": ["nonsense"]}}),
        ("a proper list of networks", {"facts": {"allowed_networks": "0.0.0.0/0"}}),
        ("a proper limit", {"facts": {"mailbox_quota_octets": "abc"}}),
        ("a proper limit", {"facts": {"mailbox_quota_octets": -5}}),
        ("a proper limit", {"facts": {"mailbox_quota_octets": TOO_MANY}}),
        ("a proper limit", {"facts": {"mailbox_quota_octets": True}}),
        ("a proper limit", {"facts": {"message_limit_octets": 1}}),
        ("a proper language", {"facts": {"language": 1}}),
        ("a proper group", {"facts": {"group": "\x1b[2J"}}),
        ("a proper list of tags", {"facts": {"tags": "gold"}}),
        ("contents of .* are none", {"contents": {"missing": None}}),
        ("contents of .* are none", {"contents": {"customers": {}}}),
        ("contents of .* are none", {"contents": {"lacks": ["wrong"]}}),
        ("contents of .* are none", {"contents": {"lacks": {"wrong": [5]}}}),
        ("contents of .* are none", {"contents": {"lacks": {"left_out": [{"customer": "acme"}]}}}),
        ("two customers of the same id", {"contents": TWICE}),
        ("is no manifest", {"manifest": {"parts": [{"name": "../../x", "octets": 1, "sha256": "0" * 64}]}}),
        ("is no manifest", {"manifest": {"made_at": "2026-11-30\x1b00:00:00+00:00"}}),
        ("is no manifest", {"manifest": {"id": "zz"}}),
    ],
)
def test_what_one_says_of_itself_is_judged_before_anything_is_done(why, forged, scene, forge, imports):
    if forged.get("contents") is TWICE:
        forged = {"contents": {"customers": Backup(scene.place, scene.key).contents["customers"] * 2}}
    before = everything_below(scene.folder)
    forge(**forged)
    with pytest.raises(CommandError, match=why) as refused:
        imports(as_slug="forged", provider="fabrikam")
    assert str(refused.value).isprintable(), "nothing that a terminal obeys"
    assert not Customer.objects.filter(slug="forged").exists()
    assert everything_below(scene.folder) == before


def everything_below(folder):
    return sorted(path for path in folder.rglob("*") if not path.name.endswith(".draft"))


NAME = "{0}/{0}/00/{1}".format("0" * 32, "1" * 30)


@pytest.mark.parametrize(
    "name",
    [
        "../../../outside",
        "{customer}/{mailbox}/../../../../outside",
        "{customer}/{mailbox}/00/../../../../../outside",
        "/outside",
        "{customer}/{mailbox}/00",
        "{customer}/{mailbox}/00/",
        "{customer}",
        "{customer}/{mailbox}/00/x\x1b[2J",
        "{customer}/{mailbox}/00/{blob}.draft",
        "",
    ],
)
@pytest.mark.parametrize("command_line", ["import_customer", "check_backup"])
def test_a_list_of_messages_with_a_name_that_no_store_gave_leads_nowhere(
    name, command_line, scene, forge, command
):
    name = name.format(customer=scene.newcomer.pk.hex, mailbox=scene.box.mailbox.pk.hex, blob="1" * 30)
    before = everything_below(scene.folder.parent)
    forge(messages=f"{name} 3 {hashlib.sha256(b'abc').hexdigest()}\n")
    options = {"as_slug": "forged", "provider": "fabrikam"} if command_line == "import_customer" else {}
    with pytest.raises(CommandError, match="A list of messages has a line that is none") as refused:
        command(command_line, scene.place, **options)
    assert str(refused.value).isprintable()
    assert everything_below(scene.folder.parent) == before


@pytest.mark.parametrize(
    "line",
    [
        f"{NAME} -1 {'0' * 64}",
        f"{NAME} {'9' * 19} {'0' * 64}",
        f"{NAME} \uff13 {'0' * 64}",
        f"{NAME} 3 {'g' * 64}",
    ],
)
def test_a_list_of_messages_with_a_size_or_digest_that_is_none_is_refused(line, scene, forge, imports):
    forge(messages=f"{line}\n")
    with pytest.raises(CommandError, match="A list of messages has a line that is none"):
        imports(as_slug="forged", provider="fabrikam")


def test_names_of_mailboxes_are_shown_and_not_obeyed(scene, moved, exports, command):
    with tenant_context(acme := customer("acme")):
        made, _ = services.create_mailbox(acme, by=SYSTEM, name="Plain")
        Mailbox.objects.filter(pk=made.pk).update(name="x\x1b[2J\u202e\ny")
    exports.take()
    said = command("import_customer", exports.place.url, as_slug="told", provider="fabrikam")
    assert "\\x1b" in said
    assert all(line.isprintable() for line in said.splitlines())


@pytest.mark.parametrize(
    ("slug", "why"),
    [
        ("p-theirs", "is no message of"),
        ("p-other", "is no message of"),
        ("p-folder", "is no message of"),
        ("p-outside", "is no message of"),
        ("p-keyless", "has no current key"),
        ("p-status", "'whatever' is no status of a mailbox"),
        ("p-address", "is no address of a mailbox"),
        ("p-tally", "has rows that are none, and nothing has changed: .*out of range"),
        ("p-octets", "has rows that are none, and nothing has changed: .*out of range"),
        ("p-serial", "has numbers after which there is no room for more"),
    ],
)
def test_rows_that_no_verb_wrote_are_refused_and_nothing_is_half_done(slug, why, scene, command):
    """Whoever deletes a message removes the file that its row names, or the folder; who has no key takes no mail."""
    with pytest.raises(CommandError, match=why) as refused:
        command("restore", scene.backups, customer=slug, provider="fabrikam")
    assert str(refused.value).isprintable()
    assert not Customer.objects.filter(slug=slug).exists()
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT nspname FROM pg_namespace WHERE nspname LIKE 'brought%%' OR nspname LIKE 'c_p_%%'"
        )
        assert cursor.fetchall() == []
    assert not DirectoryEntry.objects.filter(customer__slug=slug).exists()
    assert not (scene.folder / "outside").exists()
