import sys
from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from gateway.errors import CannotServe
from gateway.processes import Children, child_command, serve
from gateway.server import Configuration, Gateway
from tenants import unasked
from tenants.starting import add_processes, ask_before_work, refuse_unsafe_setup


class Command(BaseCommand):
    help = (
        "Run the mail gateway: SMTP in, POP3 out. SIGTERM ends it gracefully, SIGHUP reloads the certificate."
    )

    requires_system_checks = ()  # refuse_unsafe_setup() runs them, with more

    def add_arguments(self, parser: ArgumentParser) -> None:
        add_processes(parser, settings.GATEWAY_PROCESSES)
        parser.add_argument(
            "--child", action="store_true", help="serve as one of several; started by --processes"
        )
        parser.add_argument(
            "--unasked", action="store_true", help="ask before the first mail; when --processes could not"
        )

    def handle(self, *args: Any, processes: int, child: bool, **options: Any) -> None:
        if not child:
            refuse_unsafe_setup()
        elif options["unasked"]:
            ask_before_work()
        try:
            if child:
                serve(
                    Configuration.from_settings(shared_ports=True),
                    ready=lambda gateway: None,
                    parent=sys.stdin.fileno(),
                )
            elif processes == 1:
                serve(Configuration.from_settings(), ready=self._tell_ports)
            else:
                configuration = Configuration.from_settings()
                self._tell_ports(configuration)
                also = ["--unasked"] if unasked.is_anything() else []
                sys.exit(Children(child_command(["--child", *also]), processes).run(configuration))
        except CannotServe as error:
            raise CommandError(str(error)) from error

    def _tell_ports(self, gateway: Gateway | Configuration) -> None:
        ports = gateway.ports
        self.stdout.write(
            f"SMTP {ports.smtp}, SMTP with TLS {ports.smtps}, POP3 {ports.pop3}, POP3 with TLS {ports.pop3s}"
        )
        self.stdout.flush()
