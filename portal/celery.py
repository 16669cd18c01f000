"""The Celery app. Redis is only the bell: what has to be done stands in PostgreSQL."""

import os

from celery import Celery
from kombu.transport import TRANSPORT_ALIASES

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")

# The scheme of the broker's address chooses the transport, and of a socket's address no setting can.
TRANSPORT_ALIASES["redis"] = TRANSPORT_ALIASES["rediss"] = "portal.broker:Transport"

app = Celery("portal")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
