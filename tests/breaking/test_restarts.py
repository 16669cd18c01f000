"""Each service is restarted while web, worker, beat and gateway run, each a process of its own that nobody starts anew."""

from concurrent.futures import ThreadPoolExecutor

from django.db import connection

from tests.breaking.installation import Installation
from tests.breaking.kit import IN_CORE, Box, mails, until
from tests.cast import customer
from tests.gateway.kit import without_trace


@IN_CORE
def test_each_service_is_restarted_in_turn_and_nothing_is_lost_or_has_to_be_started_by_hand(
    server, own_redis, few_sessions, tmp_path
):
    box = Box(customer("acme"))
    box.seed(mails(60))
    installation = Installation(tmp_path / "all", box)

    class Crashing:
        stop, start = server.crash, server.start

    try:
        with ThreadPoolExecutor(2) as hands:
            working = [hands.submit(installation.work, act) for act in (installation.send, installation.look)]
            try:
                until(lambda: bool(installation.sent) and 200 in installation.ready, "all of it serves")
                for service in (server, Crashing, few_sessions, own_redis):
                    job = box.reset()
                    connection.close()
                    installation.forget()
                    service.stop()
                    until(lambda: 503 in installation.ready, "it is missed")
                    if service is not own_redis:
                        until(lambda: installation.put_off > 0, "mail is put off")
                        until(lambda: 503 in installation.pages, "a page says so")
                    service.start()
                    installation.forget()
                    until(
                        lambda: installation.ready[-1:] == installation.pages[-1:] == [200], "pages are back"
                    )
                    until(lambda: installation.taken > 2, "mail is taken")
                    box.await_state(job, "done")
                    assert set(installation.pages) <= {200, 503}
            finally:
                installation.end()
            for each in working:
                each.result()
        assert installation.alive(), "nobody had to start anything"
        found = list(box.collected(installation.clients).values())
        theirs = {without_trace(text) for text in found if text.startswith(b"Return-Path")}
        assert set(installation.sent) <= theirs, "what was taken is there"
        assert set(box.ledger.values()) <= set(found)
    finally:
        installation.clients.close()
        installation.kill()
