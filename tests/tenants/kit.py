"""What the tests of people and invitations share."""

import re
import threading

from django.db import connections

from accounts.errors import Refusal


def at_once(*acts):
    """Runs each in a thread of its own, started together; what each came to: a result or a refusal's code."""
    start, outcomes = threading.Barrier(len(acts)), []

    def run(act):
        try:
            start.wait(timeout=30)
            act()
            outcomes.append("done")
        except Refusal as error:
            outcomes.append(error.code)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run, args=(act,)) for act in acts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    return sorted(outcomes)


def text(answer):
    """A page with every run of white space as one blank, and without the places at which addresses may break."""
    return " ".join(answer.content.decode().replace("<wbr>", "").split())


def path_of(message):
    """The path of the link in an invitation's mail."""
    return re.search(r"^http://portal\.localhost:8000(/invitations/\S+/)$", message.body, re.MULTILINE)[1]


def page(user, **changes):
    """What staff send when they save a person's page as it is, but for `changes`."""
    fields = (
        "email",
        "name",
        "language",
        "time_zone",
        "theme",
        "is_active",
        "is_staff",
        "is_superuser",
    )
    return {field: getattr(user, field) for field in fields} | {"groups": list(user.groups.all())} | changes
