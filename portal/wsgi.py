import os
from typing import Any

import django
from django.core.handlers.wsgi import WSGIHandler, WSGIRequest
from django.utils.http import parse_header_parameters

from tenants.starting import refuse_unsafe_setup


class Request(WSGIRequest):
    """Django's has Python look up what the form's header says of its letters, before any gate is asked: what Python can't
    make out would be an error of ours, and each name that it does not know stays in the memory of the process. Here it
    is left to the gate that takes no letters but UTF-8 (portal.gates.bodies).
    """

    def _set_content_type_params(self, meta: Any) -> None:
        try:
            self.content_type, self.content_params = parse_header_parameters(meta.get("CONTENT_TYPE", ""))
        except ValueError:
            self.content_type, self.content_params = "", {"charset": "none that can be read"}


class Handler(WSGIHandler):
    request_class = Request


os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")
django.setup(set_prefix=False)  # as get_wsgi_application() does; it sets script names itself
application = Handler()
refuse_unsafe_setup()
