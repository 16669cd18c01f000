from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from portal.webserver import WebServer
from tenants.starting import add_processes


class Command(BaseCommand):
    help = "Run the web server: pages and health. SIGTERM ends it, and requests that have begun are answered first."

    requires_system_checks = ()  # portal/wsgi.py runs them, with more

    def add_arguments(self, parser: ArgumentParser) -> None:
        add_processes(parser, settings.WEB_PROCESSES)

    def handle(self, *args: Any, processes: int, **options: Any) -> None:
        WebServer(processes).run()
