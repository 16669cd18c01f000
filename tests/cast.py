"""Who plays in the tests. Mallory of Globex must never see anything of Acme."""

from dataclasses import dataclass

from accounts.actors import SYSTEM
from accounts.models import User
from accounts.services import create_person
from tenants.models import Customer, Provider
from tenants.services import add_membership, create_customer, create_provider

PASSWORD = "four-words-everyone-knows"

PEOPLE = {
    # name: (email, provider, customer, role)
    "owner": ("operator@northwind.example", "northwind", None, "owner"),
    "auditor": ("auditor@northwind.example", "northwind", None, "auditor"),
    "admin": ("admin@acme.example", None, "acme", "admin"),
    "viewer": ("viewer@acme.example", None, "acme", "viewer"),
    "mallory": ("mallory@globex.example", None, "globex", "admin"),
    "rival": ("operator@fabrikam.example", "fabrikam", None, "owner"),
    "staff": ("staff@gatehouse.example", None, None, ""),
    "stranger": ("stranger@nowhere.example", None, None, ""),
}


@dataclass(frozen=True)
class Cast:
    """The people by their part in the story."""

    owner: User
    auditor: User
    admin: User
    viewer: User
    mallory: User
    rival: User
    staff: User
    stranger: User


def assemble() -> None:
    """Make the providers, customers and people that every test finds."""
    providers = {
        "northwind": create_provider("northwind", "Northwind IT", by=SYSTEM),
        "fabrikam": create_provider("fabrikam", "Fabrikam Services", by=SYSTEM),
    }
    customers = {
        "acme": create_customer("acme", "Acme", provider=providers["northwind"], by=SYSTEM),
        "globex": create_customer("globex", "Globex", provider=providers["northwind"], by=SYSTEM),
        "initech": create_customer("initech", "Initech", provider=providers["fabrikam"], by=SYSTEM),
    }
    for name, (email, provider, customer, role) in PEOPLE.items():
        user, _ = create_person(email, name=name.title(), password=PASSWORD, staff=name == "staff", by=SYSTEM)
        if provider:
            add_membership(user, provider=providers[provider], role=role, by=SYSTEM)
        if customer:
            add_membership(user, customer=customers[customer], role=role, by=SYSTEM)
    User.objects.filter(email="staff@gatehouse.example").update(is_superuser=True)


def present() -> Cast:
    """The cast, read from the database."""
    found = {user.email: user for user in User.objects.all()}
    return Cast(**{name: found[email] for name, (email, *_) in PEOPLE.items()})


def customer(slug: str) -> Customer:
    return Customer.objects.select_related("provider").get(slug=slug)


def provider(slug: str) -> Provider:
    return Provider.objects.get(slug=slug)


# How a customer's schema is lost past Gatehouse, and what somebody leaves in its place.
LOST = {
    "nothing": "DROP SCHEMA c_acme CASCADE",
    "an empty one": "DROP SCHEMA c_acme CASCADE; CREATE SCHEMA c_acme",
    "a stray table": "DROP SCHEMA c_acme CASCADE; CREATE SCHEMA c_acme; CREATE TABLE c_acme.notes ()",
    "a table called as the keys": "DROP SCHEMA c_acme CASCADE; CREATE SCHEMA c_acme; CREATE TABLE c_acme.mailboxes_mailboxkey ()",
    "no keys": "DROP TABLE c_acme.mailboxes_mailboxkey CASCADE",
    "no list of migrations": "DROP TABLE c_acme.django_migrations CASCADE",
    "a view in place of the keys": "ALTER TABLE c_acme.mailboxes_mailboxkey RENAME TO keys; "
    "CREATE VIEW c_acme.mailboxes_mailboxkey AS SELECT * FROM c_acme.keys",
}
