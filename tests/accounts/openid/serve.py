"""Run as a process: makes its database, takes a port of loopback, and prints it."""

import os
import socketserver
import sys
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

os.environ["DJANGO_SETTINGS_MODULE"] = "tests.accounts.openid.settings"
os.environ["OAUTHLIB_INSECURE_TRANSPORT"] = "1"  # on loopback

import django
from django.core.management import call_command
from django.core.wsgi import get_wsgi_application


class Server(socketserver.ThreadingMixIn, WSGIServer):
    daemon_threads = True


class Quiet(WSGIRequestHandler):
    def log_message(self, format, *args):
        """Only errors are of interest, and Django tells those."""


def main():
    django.setup()
    call_command("migrate", verbosity=0)
    with Server(("127.0.0.1", 0), Quiet) as server:
        server.set_app(get_wsgi_application())
        sys.stdout.write(f"{server.server_address[1]}\n")
        sys.stdout.flush()
        server.serve_forever()


if __name__ == "__main__":
    main()
