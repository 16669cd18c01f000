import base64
import secrets
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from mailboxes.vault import PrivateKey
from portal.checks.variables import is_domain, is_host
from portal.environment import parts_of
from portal.network import bracketed
from portal.onebox.secrets import new_secret_key, new_worker_key

HEAD = """\
# Gatehouse's settings: docs/settings.md explains each. Made anew, these secrets fit nothing that is there.
# Whoever has this file has the portal: keep it to its owner (chmod 600), and a copy where you will find it when this
# machine is gone, away from the backups of the database.
"""
# Where docker/systemd/ and docs/deployment.md have them.
STATE_DIR, STATIC_DIR = "/var/lib/gatehouse", "/opt/gatehouse/static"


class Command(BaseCommand):
    help = (
        "Print the settings of a new installation, with new secrets and passwords: for docker/.env, or with --units for "
        "/etc/gatehouse/environment. It changes nothing."
    )
    requires_system_checks = ()  # what they ask for is only about to be made

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("base_domain", help="the operators' host, such as portal.example.com")
        parser.add_argument(
            "mail_domain", help="the gateway's name and the right side of addresses, such as mx.example.com"
        )
        parser.add_argument(
            "--smtp-host",
            metavar="HOST:PORT",
            help="the mail server that takes invitations, by STARTTLS without a password",
        )
        parser.add_argument(
            "--bucket",
            action="store_true",
            help="messages lie in a bucket of the compose file's own S3-compatible store, instead of in a folder",
        )
        parser.add_argument(
            "--units",
            action="store_true",
            help="for systemd's units: PostgreSQL and Redis or Valkey are on this machine",
        )

    def handle(
        self,
        *args: Any,
        base_domain: str,
        mail_domain: str,
        smtp_host: str | None,
        bucket: bool,
        units: bool,
        **options: Any,
    ) -> None:
        for name in (base_domain, mail_domain):
            if not is_domain(name):
                raise CommandError(
                    f"{name!r} is no domain: give a bare name in lower case with a dot, such as portal.example.com."
                )
        if base_domain == mail_domain:
            raise CommandError(
                "Give the gateway a name of its own: Caddy gets a certificate for each of the two."
            )
        if base_domain == f"mta-sts.{mail_domain}":
            raise CommandError(
                f"{base_domain} is where senders read the policy of {mail_domain}: give another name."
            )
        if smtp_host and not _is_server(smtp_host):
            raise CommandError(f"{smtp_host!r} is no host with a port, such as mail.example.com:587.")
        if bucket and units:
            raise CommandError(
                "The units have no store of their own: set GATEHOUSE_STORE_URL to a bucket of yours."
            )
        self.stdout.write(HEAD)
        found = _settings(base_domain, mail_domain, smtp_host, units=units) | (_of_bucket() if bucket else {})
        for variable, value in found.items():
            self.stdout.write(f"{variable}={value}")


def _is_server(text: str) -> bool:
    """Whether it is a host or address, with a port or without, and nothing else that a URL may have."""
    found = parts_of(f"smtp://{text}")
    host = found.hostname or ""
    port = f":{found.port}" if found.port else ""
    return is_host(host) and text.lower() == f"{bracketed(host)}{port}"


def _settings(base_domain: str, mail_domain: str, smtp_host: str | None, *, units: bool) -> dict[str, str]:
    worker_key = new_worker_key()
    owner, application, redis = (secrets.token_urlsafe(24) for _ in range(3))
    found = {
        "GATEHOUSE_BASE_DOMAIN": base_domain,
        "GATEHOUSE_MAIL_DOMAIN": mail_domain,
        "GATEHOUSE_SMTP_URL": f"smtp://{smtp_host}" if smtp_host else "",
        "GATEHOUSE_MAIL_FROM": f'"Gatehouse <no-reply@{base_domain}>"',
        "SECRET_KEY": new_secret_key(),
        "GATEHOUSE_WORKER_KEY": worker_key,
        "GATEHOUSE_WORKER_PUBLIC_KEY": base64.b64encode(PrivateKey.from_text(worker_key).public).decode(),
        "DATABASE_OWNER_PASSWORD": owner,
        "DATABASE_PASSWORD": application,
        "REDIS_PASSWORD": redis,
    }
    if units:
        found["GATEHOUSE_STATE_DIR"], found["GATEHOUSE_STATIC_DIR"] = STATE_DIR, STATIC_DIR
        found["DATABASE_URL"] = f"postgresql://gatehouse_app:{application}@127.0.0.1:5432/gatehouse"
        found["REDIS_URL"] = f"redis://:{redis}@127.0.0.1:6379/0"
    else:
        found["POSTGRES_PASSWORD"] = secrets.token_urlsafe(24)
    return found


def _of_bucket() -> dict[str, str]:
    return {
        "COMPOSE_PROFILES": "s3",
        "GATEHOUSE_STORE_URL": "s3://gatehouse",
        "GATEHOUSE_S3_ENDPOINT": "http://s3:8333",
        "GATEHOUSE_S3_ACCESS_KEY_ID": "gatehouse",
        "GATEHOUSE_S3_SECRET_ACCESS_KEY": secrets.token_urlsafe(30),
    }
