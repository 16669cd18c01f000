import os
from typing import Any

import django
from django.core.handlers.wsgi import WSGIHandler, WSGIRequest

from tenants.starting import refuse_unsafe_setup


class Request(WSGIRequest):
    """Django's reads what the form's header says of its letters before any gate is asked, and whatever Python can't make
    out of it would be an error of ours. Here it is left to the gate that takes no letters but UTF-8 (portal.gates.bodies).
    """

    def _set_content_type_params(self, meta: Any) -> None:
        try:
            super()._set_content_type_params(meta)  # type: ignore[misc]  # missing in the stubs
        except ValueError:
            self.content_type, self.content_params = "", {"charset": "none that can be read"}


class Handler(WSGIHandler):
    request_class = Request


os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")
django.setup(set_prefix=False)  # as get_wsgi_application() does; it sets script names itself
application = Handler()
refuse_unsafe_setup()
