"""`manage.py verify_certificate deletion.json`"""

import json
import sys
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError, CommandParser

from mailboxes.services.certificates import Certificate, CertificateInvalid, verify_certificate
from tenants.management.output import ScriptableCommand, counted, harmless

LARGEST = 1024 * 1024  # octets; one of a mailbox with a thousand keys has 70,000


class Command(ScriptableCommand):
    help = (
        "Verify a deletion certificate. Prints what it certifies and ends with status 0 when it is valid; else tells "
        "why not and ends with status 1."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("file", metavar="FILE", help="the certificate in JSON; - for standard input")
        parser.add_argument(
            "--public-key",
            metavar="BASE64",
            help="of another installation, as it was told to you on another way",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            certificate = verify_certificate(_read(options["file"]), options["public_key"])
        except CertificateInvalid as error:
            if options["json"]:
                self.stdout.write(json.dumps({"valid": False, "code": error.code, "reason": error.message}))
            raise CommandError(error.message) from None
        if options["json"]:
            self.stdout.write(
                json.dumps(
                    {"valid": True, "certificate": certificate.facts, "public_key": certificate.public_key}
                )
            )
        else:
            self._print(certificate)

    def _print(self, certificate: Certificate) -> None:
        facts = certificate.facts
        mailbox = facts["mailbox"]
        for label, value in {
            "Mailbox": f"{mailbox['name']}, {mailbox['address']}, {mailbox['id']}",
            "Customer": f"{facts['customer']}, of {facts['provider']}",
            "Requested": f"{facts['requested_at']} by {facts['requested_by'] or 'the system'}",
            "Finished": facts["finished_at"],
            "Deleted": f"{counted(facts['messages'], 'message')}, {counted(facts['octets'], 'octet')}",
            "Keys": ", ".join(facts["keys"]),
            "Signed by": certificate.public_key,
        }.items():
            self.stdout.write(f"{label + ':':<11}{harmless(str(value))}")
        self.stdout.write("Not covered:")
        for sentence in facts["not_covered"]:
            self.stdout.write(f"- {harmless(str(sentence))}")
        self.stdout.write("The certificate is valid.")


def _read(name: str) -> str:
    try:
        if name == "-":
            octets = sys.stdin.buffer.read(LARGEST + 1)
        else:
            with Path(name).open("rb") as file:
                octets = file.read(LARGEST + 1)
    except OSError as error:
        raise CommandError(f"{name} can't be read: {error.strerror}.") from None
    if len(octets) > LARGEST:
        raise CommandError(f"{name} is larger than any deletion certificate.")
    try:
        return octets.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise CommandError(f"{name} is no text in UTF-8.") from None
