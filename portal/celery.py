"""The Celery app. Redis is only the bell: what has to be done stands in PostgreSQL."""

import os
from typing import Any

from celery import Celery
from celery.signals import beat_init, celeryd_init
from kombu.transport import TRANSPORT_ALIASES

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")

# The scheme of the broker's address chooses the transport, and of a socket's address no setting can.
TRANSPORT_ALIASES["redis"] = TRANSPORT_ALIASES["rediss"] = "portal.broker:Transport"

app = Celery("portal")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


@celeryd_init.connect
@beat_init.connect
def refuse_unsafe_setup(**_more: Any) -> None:
    from tenants import starting  # noqa: PLC0415 - the settings name this app, so they are read later

    starting.refuse_unsafe_setup()
