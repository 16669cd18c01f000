"""A trial does not become production with a public password, and no process serves an unsafe set-up."""

import io
import json
import re
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from django.core.checks import run_checks
from django.core.management import CommandError, call_command

from accounts.actors import SYSTEM
from accounts.adapters.backends import DEMO_PASSWORD
from accounts.errors import WeakPassword
from accounts.models import User
from accounts.services import choose_password
from portal.onebox.supervisor.panel import show
from portal.onebox.supervisor.terminal import Console
from tenants import services
from tests.accounts.factors import is_signed_in

ROOT = Path(__file__).resolve().parents[2]
LOGIN = "/accounts/login/"


@pytest.fixture
def in_demo(settings):
    settings.DEMO = settings.DATABASE_IS_EMBEDDED = True
    return settings


@pytest.fixture
def trial(in_demo, cast):
    """A database that the demo was in; its people are made as the demo makes them."""
    addresses = ("operator@northwind.example", "admin@acme.example", "staff@gatehouse.example")
    for user in User.objects.filter(email__in=addresses):
        user.email = f"earlier-{user.email}"
        user.save()
    call_command("seed_demo")
    return in_demo


@pytest.fixture
def sign_in(client_for):
    def act(email, password=DEMO_PASSWORD, address="127.0.0.1"):
        browser = client_for(None, host=None, REMOTE_ADDR=address)
        browser.post(LOGIN, {"login": email, "password": password})
        return browser if is_signed_in(browser) else None

    return act


def complaints():
    found = run_checks(databases=["default"], tags=["database"])
    return [(message.id, bool(message.hint)) for message in found if message.id == "gatehouse.E020"]


def test_the_demos_people_sign_in_nowhere_but_in_the_demo(trial, sign_in):
    email = "staff@gatehouse.example"
    browser = sign_in(email)
    assert browser.get("/settings/").status_code == 200
    assert not sign_in(email, address="192.0.2.7")
    person = User.objects.get(email=email)
    person.set_password("a password of somebody's own")
    person.save()
    browser = sign_in(email, "a password of somebody's own")
    for name in ("DEMO", "DATABASE_IS_EMBEDDED"):
        setattr(trial, name, False)
        assert browser.get("/settings/").status_code == 302
        assert not sign_in(email, "a password of somebody's own")
        assert not sign_in("admin@acme.example")
        assert complaints() == [("gatehouse.E020", True)]
        setattr(trial, name, True)
    assert complaints() == []
    trial.DEMO = False
    call_command("retire_demo", stdout=io.StringIO())
    assert complaints() == []


def test_who_is_let_in_from_a_second_terminal_beside_the_demo_signs_in_there(trial, client_for):
    """Nothing says there that this is the demo, and its names never leave this machine."""
    trial.DEMO = False
    said = io.StringIO()
    call_command("let_in", "admin@acme.example", json=True, stdout=said)
    trial.DEMO = True
    link = urlsplit(json.loads(said.getvalue())["link"])
    browser = client_for(None, host=None)
    assert "/key/" in browser.get(link.path, follow=True).redirect_chain[-1][0]
    trial.DEMO, trial.BASE_DOMAIN = False, "portal.gatehouse.test"
    with pytest.raises(CommandError, match="one of the demo's people"):
        call_command("let_in", "admin@acme.example")


@pytest.fixture
def panel(settings):
    def lines():
        said = io.StringIO()
        show(Console(said), settings)
        return said.getvalue()

    return lines


def test_who_retires_the_demos_people_is_told_the_way_on_and_the_panel_names_nobody_who_is_shut_out(
    trial, panel, sign_in
):
    services.switch_off(User.objects.get(email="admin@acme.example"), by=SYSTEM)
    shown = panel()
    assert DEMO_PASSWORD in shown and "staff@gatehouse.example" in shown
    assert "admin@acme.example" not in shown
    said = io.StringIO()
    call_command("retire_demo", stdout=said)
    shown = panel()
    assert DEMO_PASSWORD not in shown and "@gatehouse.example" not in shown
    ways = re.findall(r"`manage\.py (create_user .*?)`", said.getvalue())
    assert ways == re.findall(r"`manage\.py (create_user .*?)`", shown)
    for number, way in enumerate(ways):
        command, _email, *rest = way.split()
        email = f"new-{number}@example.com"
        made = io.StringIO()
        call_command(command, email, *rest, "--json", stdout=made)
        assert sign_in(email, json.loads(made.getvalue())["password"])


def test_the_public_password_opens_nobodys_account_outside_the_demo(cast, settings, sign_in):
    settings.DEMO = False
    with pytest.raises(WeakPassword, match="too common"):
        choose_password(cast.viewer, DEMO_PASSWORD, by=cast.viewer, keep=None, ip="", user_agent="")
    cast.viewer.set_password(DEMO_PASSWORD)
    cast.viewer.save()
    assert not sign_in(cast.viewer.email)


def test_nobody_is_seeded_into_a_database_that_is_not_the_demos_own(cast, in_demo):
    in_demo.DATABASE_IS_EMBEDDED = False
    before = User.objects.count()
    with pytest.raises(CommandError, match="no database but its own"):
        call_command("seed_demo")
    assert User.objects.count() == before
