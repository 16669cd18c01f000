"""`manage.py doctor`"""

import ipaddress
import json
from argparse import ArgumentTypeError
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import CommandError, CommandParser
from django.core.validators import validate_email

from portal.checks.variables import is_domain
from portal.doctor.examination import Finding, Level, Outside, Record, examine
from portal.doctor.zone import as_zone_file
from tenants.management.output import ScriptableCommand, counted, harmless

WIDTH = max(len(level.name) for level in Level)


class Command(ScriptableCommand):
    help = (
        "Say what is wrong with this installation: settings, services, DNS, ports, certificates; and which DNS records are "
        "wanted. Changes nothing and sends nothing, but with --mail-to. Ends with status 1 when there is an error."
    )
    requires_system_checks = ()  # they are what it begins with

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        outside = Outside()
        parser.add_argument(
            "--address",
            action="append",
            type=address_of,
            default=[],
            metavar="IP",
            help="a public address of this installation, to which DNS should lead; more than once for more",
        )
        parser.add_argument(
            "--authority",
            action="append",
            type=_domain,
            metavar="DOMAIN",
            help=f"who makes the certificates, as CAA records have it ({outside.authorities[0]}); likewise",
        )
        parser.add_argument(
            "--reports-to", type=_email, metavar="EMAIL", help="where senders report about TLS"
        )
        parser.add_argument(
            "--mail-to",
            type=_email,
            metavar="EMAIL",
            help="send one mail there, to try the mail server",
        )
        for name in ("smtp", "pop3s", "https"):
            parser.add_argument(
                f"--{name}-port",
                type=_port,
                default=getattr(outside, f"{name}_port"),
                metavar="PORT",
                help="as the world reaches it (%(default)s)",
            )

    def handle(self, *args: Any, **options: Any) -> None:
        outside = Outside(
            addresses=options["address"],
            authorities=options["authority"] or Outside.authorities,
            reports_to=options["reports_to"] or "",
            **{name: options[name] for name in ("smtp_port", "pop3s_port", "https_port")},
        )
        findings, records = examine(outside, options["mail_to"] or "")
        errors = sum(finding.level == Level.ERROR for finding in findings)
        if options["json"]:
            self.stdout.write(json.dumps(_plain(findings, records, ok=not errors)))
        else:
            self._print(findings, records)
        if errors:
            raise CommandError(f"{counted(errors, 'error')}.")

    def _print(self, findings: list[Finding], records: list[Record]) -> None:
        for finding in sorted(findings, key=lambda finding: -finding.level):
            self.stdout.write(f"{finding.level.name:<{WIDTH}}  {finding.id}: {harmless(finding.seen)}")
            if finding.advice:
                self.stdout.write(f"{'':<{WIDTH}}  -> {harmless(finding.advice)}")
        if not records:
            return
        self.stdout.write("\nDNS records wanted, as lines of a zone file:")
        for line in as_zone_file(records).splitlines():
            self.stdout.write(harmless(line))
        if any(record.optional for record in records):
            self.stdout.write(
                "; The last one only in a zone that is signed (DNSSEC), and only while the key stays the same: a renewal with "
                "another key\n; needs its record first, or mail is put off. Caddy makes another key at each renewal."
            )


def _plain(findings: list[Finding], records: list[Record], *, ok: bool) -> dict[str, Any]:
    return {
        "ok": ok,
        "findings": [
            {
                "id": finding.id,
                "level": finding.level.name.lower(),
                "seen": finding.seen,
                "advice": finding.advice,
            }
            for finding in findings
        ],
        "records": [
            {
                "name": record.name,
                "type": record.type,
                "value": record.value or None,
                "line": record.line,
                "is_there": record.is_there,
                "optional": record.optional,
            }
            for record in records
        ],
    }


def address_of(text: str) -> str:
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        raise ArgumentTypeError(f"{text!r} is no IP address") from None


def _domain(text: str) -> str:
    if not is_domain(text.lower()):
        raise ArgumentTypeError(f"{text!r} is no domain")
    return text.lower()


def _email(text: str) -> str:
    try:
        validate_email(text)
    except ValidationError:
        raise ArgumentTypeError(f"{text!r} is no email address") from None
    return text


def _port(text: str) -> int:
    if not text.isdecimal() or not 0 < int(text) < 65536:
        raise ArgumentTypeError(f"{text!r} is no port")
    return int(text)
