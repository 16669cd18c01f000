import os

import django
from django.core.handlers.wsgi import WSGIHandler

from portal.gates.bodies import Request
from tenants.starting import refuse_unsafe_setup


class Handler(WSGIHandler):
    request_class = Request


os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")
django.setup(set_prefix=False)  # as get_wsgi_application() does; it sets script names itself
application = Handler()
refuse_unsafe_setup()
