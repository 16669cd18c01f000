"""The Celery app. Redis is only the bell: what has to be done stands in PostgreSQL."""

import logging
import os
from typing import Any

from celery import Celery
from celery.signals import beat_init, celeryd_init, setup_logging
from celery.utils.log import get_multiprocessing_logger
from kombu.transport import TRANSPORT_ALIASES

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")

# The scheme of the broker's address chooses the transport, and of a socket's address no setting can.
TRANSPORT_ALIASES["redis"] = TRANSPORT_ALIASES["rediss"] = "portal.broker:Transport"

app = Celery("portal")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
app.autodiscover_tasks(["portal.doctor"])  # no app of its own


@setup_logging.connect
def keep_our_logging(**_more: Any) -> None:
    """That somebody sets it up keeps Celery's own handlers away, whose lines would go past ours (portal/logs.py)."""
    of_pool_processes = get_multiprocessing_logger()
    of_pool_processes.propagate = True
    of_pool_processes.setLevel(logging.ERROR)
    app.log.redirect_stdouts()  # as Celery would have done


@celeryd_init.connect
@beat_init.connect
def refuse_unsafe_setup(**_more: Any) -> None:
    from tenants import starting  # noqa: PLC0415 - the settings name this app, so they are read later

    starting.refuse_unsafe_setup()
