"""Whoever asks for much at once waits for themselves, and for nobody else."""

import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor, as_completed
from itertools import islice
from types import SimpleNamespace
from typing import Any

import pytest
from django.db import connection, connections, transaction
from django.http import HttpResponse, StreamingHttpResponse
from django.test import RequestFactory

from accounts.actors import SYSTEM
from accounts.services import create_person
from portal.gates.fairness import FairPlaces
from tenants.models import Invitation
from tenants.services import add_membership
from tenants.services.authority import lock
from tests.cast import PASSWORD, customer, provider
from tests.locks import until_they_wait

SECONDS = 20
PRESSES = 32


class Work:
    """A page whose work lasts until it is let go."""

    def __init__(self) -> None:
        self.begun = threading.Semaphore(0)
        self.go = threading.Event()
        self.at_once = self.most = self.done = 0
        self.served: Counter[Any] = Counter()  # whose work has begun, how often
        self._lock = threading.Lock()

    def __call__(self, request: Any) -> HttpResponse:
        with self._lock:
            self.at_once += 1
            self.most = max(self.most, self.at_once)
            self.served[request.user.pk] += 1
        self.begun.release()
        assert self.go.wait(SECONDS)
        with self._lock:
            self.at_once -= 1
            self.done += 1
        return HttpResponse("done")


def ask(door, person, customer, method="post", path="/mailboxes/new/"):
    request = getattr(RequestFactory(), method)(path)
    request.user = SimpleNamespace(pk=person, is_authenticated=person is not None)
    request.customer = SimpleNamespace(pk=customer, provider_id=customer)
    return door(request)


def test_who_presses_a_button_many_times_is_served_one_by_one_and_others_do_not_wait():
    work = Work()
    door = FairPlaces(work)
    with ThreadPoolExecutor(PRESSES + 2) as threads:
        presses = [threads.submit(ask, door, "ada", "acme") for _ in range(PRESSES)]
        # All but the one at work and two that wait are told so at once.
        told = list(islice(as_completed(presses, SECONDS), PRESSES - 3))
        assert {press.result().status_code for press in told} == {503}
        answer = told[0].result()
        assert answer["Retry-After"] and b"sends once more what you typed" in answer.content
        colleague = threads.submit(ask, door, "bob", "acme")
        other = threads.submit(ask, door, "mallory", "globex")
        for _ in range(3):
            assert work.begun.acquire(timeout=SECONDS)
        assert work.served == {"ada": 1, "bob": 1, "mallory": 1}
        work.go.set()
        assert {colleague.result(SECONDS).status_code, other.result(SECONDS).status_code} == {200}
    assert [press.result().status_code for press in presses].count(200) == 3
    assert work.most == 3  # one of ada's at any moment


def test_a_customers_people_share_its_places_and_reading_needs_none():
    work = Work()
    door = FairPlaces(work)
    with ThreadPoolExecutor(8) as threads:
        presses = [threads.submit(ask, door, person, "acme") for person in "abcdef"]
        told = list(islice(as_completed(presses, SECONDS), 2))
        assert {press.result().status_code for press in told} == {503}
        reading = threads.submit(ask, door, "a", "acme", "get", "/mailboxes/")
        for _ in range(3):
            assert work.begun.acquire(timeout=SECONDS)
        work.go.set()
        assert reading.result(SECONDS).status_code == 200
    assert work.most == 3


@pytest.mark.django_db  # the end of a request looks after its connection
def test_files_that_are_read_slowly_keep_nobody_from_anything_but_files():
    door = FairPlaces(lambda request: StreamingHttpResponse(iter([b"line"])))
    csv = "/activity/activity.csv"

    def download(person, customer="acme"):
        return ask(door, person, customer, "get", csv)

    slow = [download("eve"), download("mallory")]
    # One file for each person, two for each customer; told at once, for no thread may wait for a slow reader.
    assert [download(person).status_code for person in ("eve", "ada")] == [503, 503]
    for person in ("eve", "mallory", "ada"):
        # A stream that is no file gives its places back before it is sent.
        assert ask(door, person, "acme").status_code == 200
        assert ask(door, person, "acme", "get", "/mailboxes/?q=journal").status_code == 200
    # All files together leave half of the threads to pages.
    slow += [download("zoe", "globex"), download("yan", "initech")]
    assert {answer.status_code for answer in slow} == {200}
    assert download("ada", "umbrella").status_code == 503
    slow[0].close()
    assert download("ada").status_code == 200


def test_slow_readers_of_one_providers_files_leave_one_to_other_providers(cast):
    """Whoever reads: the provider's own people at the base host, or those of its customers at theirs."""
    door = FairPlaces(lambda request: StreamingHttpResponse(iter([b"line"])))

    def download(user, customer=None):
        request = RequestFactory().get("/activity/activity.csv")
        request.user, request.customer = user, customer
        return door(request)

    northwind = [cast.owner, cast.auditor]
    for number in range(2):
        colleague, _ = create_person(f"colleague{number}@northwind.example", password=PASSWORD, by=SYSTEM)
        add_membership(colleague, provider=provider("northwind"), role="auditor", by=SYSTEM)
        northwind.append(colleague)
    slow = [download(person) for person in northwind]
    assert [answer.status_code for answer in slow] == [200, 200, 503, 503]
    slow += [download(cast.admin, customer("acme")), download(cast.mallory, customer("globex"))]
    assert [answer.status_code for answer in slow[4:]] == [200, 503]
    assert download(cast.rival).status_code == 200
    slow[0].close()


@pytest.mark.parametrize("left_out", ["nothing", "SessionsSeen"])  # which notes, and refuses nobody
def test_what_waited_in_line_while_all_sessions_ended_is_not_done(
    committed_db, cast, client_for, settings, left_out
):
    client, elsewhere, acme = client_for(cast.admin), client_for(cast.admin), customer("acme")
    assert client.get("/mailboxes/").status_code == 200
    settings.MIDDLEWARE = [gate for gate in settings.MIDDLEWARE if not gate.endswith(left_out)]
    client.handler.load_middleware()

    def invites(name):
        try:
            return client.post("/people/invite/", {"email": f"{name}@acme.example", "role": "viewer"})
        finally:
            connections.close_all()

    with ThreadPoolExecutor(4) as threads, connection.cursor() as cursor:
        with transaction.atomic():
            lock(acme)
            at_work = threads.submit(invites, "first")
            until_they_wait(cursor, 1)
            others = [threads.submit(invites, name) for name in ("second", "third", "fourth")]
            assert next(as_completed(others, SECONDS)).result().status_code == 503  # so two are in line
            elsewhere.post("/settings/sessions/", {"session": "all"})
        at_work.result(SECONDS)
        answers = [other.result(SECONDS) for other in others]
    led = [answer["Location"] for answer in answers if answer.status_code == 302]
    assert led == ["/accounts/login/?next=/people/invite/"] * 2
    assert [invitation.email for invitation in Invitation.objects.all()] == ["first@acme.example"]


def test_who_has_none_of_a_customers_places_finds_one_and_signing_out_needs_none(monkeypatch):
    monkeypatch.setattr("portal.gates.fairness.WAIT_SECONDS", 2 * SECONDS)  # nobody gives up meanwhile
    work = Work()
    door = FairPlaces(work)
    with ThreadPoolExecutor(9) as threads:
        presses = [threads.submit(ask, door, person, "acme") for person in ("eve", "mallory") * 3]
        told = list(islice(as_completed(presses, SECONDS), 3))
        assert {press.result().status_code for press in told} == {503}
        operator = threads.submit(ask, door, "operator", "acme")
        leaving = threads.submit(ask, door, "ada", "acme", "post", "/accounts/logout/")
        for _ in range(3):
            assert work.begun.acquire(timeout=SECONDS)
        work.go.set()
        assert {operator.result(SECONDS).status_code, leaving.result(SECONDS).status_code} == {200}


def test_strangers_are_counted_by_their_network():
    work = Work()
    door = FairPlaces(work)
    with ThreadPoolExecutor(7) as threads:
        presses = [threads.submit(ask, door, None, "acme", "post", "/accounts/login/") for _ in range(7)]
        told = list(islice(as_completed(presses, SECONDS), 2))
        assert {press.result().status_code for press in told} == {503}
        work.go.set()
    assert work.most == 2


def test_who_waits_for_an_identity_provider_takes_few_threads_and_nobody_waits_behind():
    """Whoever has an identity provider decides how slow it is."""
    work = Work()
    door = FairPlaces(work)
    with ThreadPoolExecutor(20) as threads:

        def back(provider: str, times: int) -> list[Any]:
            path = f"/accounts/oidc/{provider}/login/callback/"
            return [threads.submit(ask, door, None, None, "get", path) for _ in range(times)]

        slow = back("slow", 8)
        told = list(islice(as_completed(slow, SECONDS), 6))
        assert {one.result().status_code for one in told} == {503}
        others = [*back("quick", 1), threads.submit(ask, door, None, "acme", "post", "/accounts/login/")]
        for _ in range(4):
            assert work.begun.acquire(timeout=SECONDS)
        work.go.set()
        assert {other.result(SECONDS).status_code for other in others} == {200}
